//! What was read of the clusters, as values.

use std::collections::BTreeMap;

use crate::diagnostic::Failure;
use crate::graph::Unit;
use crate::object::{Object, ObjectRef};
use crate::topology::ClusterName;

/// The live state of every cluster of the topology.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// What was read, or why it could not be.
    pub clusters: BTreeMap<ClusterName, Reading>,
}

/// What came of reading one cluster. A failed read is never an empty answer.
#[derive(Debug, Clone)]
pub enum Reading {
    /// It was read whole.
    Read(LiveCluster),
    /// It was not: everything about it is unknown.
    Unreachable(Failure),
}

/// One cluster as it was read.
#[derive(Debug, Clone, Default)]
pub struct LiveCluster {
    /// The UID of its kube-system namespace, which tells clusters apart.
    pub uid: String,
    /// Its API address, as the context has it.
    pub server: String,
    /// The inventory, where there is one.
    pub inventory: Option<Inventory>,
    /// Every object that was asked for and exists: those with our label, desired ones
    /// that the lists lacked, and what the conditions of units look at.
    pub objects: BTreeMap<ObjectRef, Object>,
}

/// What Stolos recorded of its objects in a cluster: an ApplySet parent (KEP-3659).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// The UID of the kube-system namespace of the cluster that it was written for.
    pub cluster_uid: String,
    /// Clusters of the mesh when it was written.
    pub members: Vec<String>,
    /// Every object that is ours.
    pub entries: BTreeMap<ObjectRef, InventoryEntry>,
}

/// One object of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryEntry {
    /// Its UID; none where it was recorded before it was created.
    pub uid: Option<String>,
    /// Whether it is ours altogether.
    pub origin: Origin,
    /// The unit that it belonged to.
    pub unit: Unit,
    /// Digest of what was last applied: equal where the topology asks for the same today,
    /// so that a difference is drift. Never of a secret's plain text without salt.
    pub digest: String,
}

/// Where an object of ours came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// We created it: prune and destroy delete it.
    Created,
    /// It was there before: they take back our fields and leave the rest.
    Adopted,
}

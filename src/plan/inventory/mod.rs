//! The inventory: what Stolos recorded of its objects in a cluster.
//!
//! An ApplySet parent (KEP-3659). Prune and destroy are bounded by it, so one
//! that cannot be read is an error and never an empty one.

mod digest;
mod parent;

pub(in crate::plan) use digest::canonical;
pub use digest::digest;
pub use parent::{NotAnInventory, inventory_ref};

use std::collections::BTreeMap;

use crate::graph::Unit;
use crate::object::ObjectRef;

/// What Stolos recorded of its objects in a cluster: an ApplySet parent (KEP-3659).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// The UID of the kube-system namespace of the cluster that it was written for.
    pub cluster_uid: String,
    /// Clusters of the mesh when it was written.
    pub members: Vec<String>,
    /// Every object that is ours.
    pub entries: BTreeMap<ObjectRef, InventoryEntry>,
    /// The IDs of saved plans whose apply has started here, the latest last.
    pub plans: Vec<String>,
}

/// How many saved plans an inventory remembers. One that is older was made from an inventory that has
/// changed since, and is refused for that.
const PLANS: usize = 20;

impl Inventory {
    /// Notes that the apply of a saved plan starts.
    pub fn use_plan(&mut self, id: &str) {
        if !self.plans.iter().any(|used| used == id) {
            self.plans.push(id.to_owned());
        }
        let forgotten = self.plans.len().saturating_sub(PLANS);
        self.plans.drain(..forgotten);
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// We created it: prune and destroy delete it.
    #[default]
    Created,
    /// It was there before: they take back our fields and leave the rest.
    Adopted,
}

#[cfg(test)]
mod tests;

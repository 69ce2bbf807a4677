//! What was read of the clusters, as values.

use std::collections::BTreeMap;

use super::Inventory;
use crate::diagnostic::Failure;
use crate::object::{Object, ObjectRef, kinds};
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
    /// Its API address, as other clusters are to use it where `apiServer` is absent.
    pub server: String,
    /// The inventory, where there is one.
    pub inventory: Option<Inventory>,
    /// Every object that was asked for and exists: those with our label, and those that
    /// [`reads`](super::reads) names.
    pub objects: BTreeMap<ObjectRef, Object>,
    /// What lies in a namespace, or is of a CustomResourceDefinition, that would be deleted:
    /// see [`content_reads`](super::content_reads). Metadata is enough. One that is missing here was
    /// not looked into, and is kept.
    pub contents: BTreeMap<ObjectRef, Vec<Object>>,
    /// Why a namespace or a definition could not be looked into.
    pub unseen: BTreeMap<ObjectRef, String>,
}

impl LiveCluster {
    /// Whether a live object is on its way out: deleted already, or in a namespace or of a definition that is.
    pub(super) fn is_leaving(&self, object: &ObjectRef) -> bool {
        let goes = |name: &ObjectRef| self.objects.get(name).is_some_and(Object::is_being_deleted);
        let core = |name: &String| ObjectRef {
            group: String::new(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: name.clone(),
        };
        let definition = || {
            let kind = kinds::find(&object.group, &object.kind)?;
            Some(ObjectRef {
                group: "apiextensions.k8s.io".to_owned(),
                kind: "CustomResourceDefinition".to_owned(),
                namespace: None,
                name: format!("{}.{}", kind.plural, kind.group),
            })
        };
        goes(object)
            || object.namespace.as_ref().is_some_and(|namespace| goes(&core(namespace)))
            || definition().is_some_and(|definition| goes(&definition))
    }

    /// What could not be looked into and so stays. What is being deleted already goes, whatever it holds.
    pub fn stays_unseen(&self) -> impl Iterator<Item = &ObjectRef> {
        let stays = |name: &ObjectRef| self.objects.get(name).is_some_and(|live| !live.is_being_deleted());
        self.unseen.keys().filter(move |name| stays(name))
    }
}

/// What is known of a live object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sighting<'l> {
    /// It is there.
    Found(&'l Object),
    /// It is not.
    Absent,
    /// Its cluster could not be read.
    Unread,
}

/// Where conditions and outputs look for live objects: a plan's [`Live`], or what apply reads meanwhile.
pub trait Lookup {
    /// What is known of an object.
    fn object(&self, cluster: &ClusterName, object: &ObjectRef) -> Sighting<'_>;
}

impl Live {
    /// A cluster, if it was read.
    pub fn cluster(&self, name: &ClusterName) -> Option<&LiveCluster> {
        match self.clusters.get(name)? {
            Reading::Read(cluster) => Some(cluster),
            Reading::Unreachable(_) => None,
        }
    }
}

impl Lookup for Live {
    fn object(&self, cluster: &ClusterName, object: &ObjectRef) -> Sighting<'_> {
        match self.cluster(cluster) {
            Some(cluster) => cluster.objects.get(object).map_or(Sighting::Absent, Sighting::Found),
            None => Sighting::Unread,
        }
    }
}

impl Lookup for BTreeMap<(ClusterName, ObjectRef), Object> {
    fn object(&self, cluster: &ClusterName, object: &ObjectRef) -> Sighting<'_> {
        self.get(&(cluster.clone(), object.clone())).map_or(Sighting::Absent, Sighting::Found)
    }
}

//! What a controller asks of a cluster, simulated or real.
//!
//! The controllers read what is there, are told when it changes, and write
//! under their own names; no more is asked of a cluster than that. A
//! [`ClusterStore`] answers at once. A mirror of a real API server answers from
//! what its watches brought, so a read may be a moment old: every controller
//! looks again after the next change, and a write against an older state is
//! refused by the server.

use std::fmt;
use std::sync::{Arc, Weak};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use crate::object::{Object, ObjectRef};
use crate::sandbox::{
    ApiError, ClusterStore, DeleteOptions, Patch, Processes, WriteOptions, Written, server_time,
};

/// A cluster that the controllers of this module look after.
pub trait Controlled: fmt::Debug + Send + Sync {
    /// Its name in the topology.
    fn name(&self) -> &str;

    /// Its ID in the mesh.
    fn id(&self) -> &str;

    /// The certificate of its API server's CA, PEM.
    fn ca(&self) -> String;

    /// Now.
    fn now(&self) -> Timestamp;

    /// Who runs the controllers that every cluster has.
    fn control_plane(&self) -> ControlPlane;

    /// All objects of a kind, by namespace and name.
    fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Object>>;

    /// One object.
    fn find(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Object>>;

    /// Writes a new object.
    fn create(&self, object: Object, manager: &str) -> Result<Arc<Object>, ApiError>;

    /// Replaces an object, if nobody has written it since it was read.
    fn update(&self, object: Object, manager: &str) -> Result<Arc<Object>, ApiError>;

    /// Merges a patch into a part of an object.
    fn merge(
        &self,
        object: &ObjectRef,
        part: Part,
        patch: &Value,
        manager: &str,
    ) -> Result<Arc<Object>, ApiError>;

    /// Deletes this object and no other of its name.
    fn delete(&self, object: &Object) -> Result<(), ApiError>;

    /// From now on these listen in its Pods. A real cluster's kubelets have their own.
    fn run(&self, _processes: Weak<dyn Processes>) {}

    /// Tells of every write; its value is a position for [`Controlled::changed`].
    fn changes(&self) -> watch::Receiver<u64>;

    /// What was written after a position. Events are only written here and Leases
    /// only by clients: neither counts.
    fn changed(&self, after: u64) -> Changed;
}

/// What was written to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// These objects; perhaps one more than once, perhaps none.
    Objects(Vec<ObjectRef>),
    /// More than is remembered.
    Anything,
}

/// Who runs the controllers that every cluster has: those of Deployments, ReplicaSets and tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlPlane {
    /// These here.
    Simulated,
    /// A real kube-controller-manager.
    Real,
}

/// Which part of an object a patch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status.
    Object,
    /// The status, which has a door of its own.
    Status,
}

impl Controlled for ClusterStore {
    fn run(&self, processes: Weak<dyn Processes>) {
        self.run(processes);
    }

    fn name(&self) -> &str {
        self.name()
    }

    fn id(&self) -> &str {
        self.id()
    }

    fn ca(&self) -> String {
        self.ca().to_owned()
    }

    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    fn control_plane(&self) -> ControlPlane {
        ControlPlane::Simulated
    }

    fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Object>> {
        self.list(group, kind, namespace)
    }

    fn find(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Object>> {
        self.find(group, kind, namespace, name)
    }

    fn create(&self, object: Object, manager: &str) -> Result<Arc<Object>, ApiError> {
        self.create(object, &WriteOptions::by(manager)).map(Written::into_object)
    }

    fn update(&self, object: Object, manager: &str) -> Result<Arc<Object>, ApiError> {
        self.update(object, &WriteOptions::by(manager)).map(Written::into_object)
    }

    fn merge(
        &self,
        object: &ObjectRef,
        part: Part,
        patch: &Value,
        manager: &str,
    ) -> Result<Arc<Object>, ApiError> {
        let options = match part {
            Part::Object => WriteOptions::by(manager),
            Part::Status => WriteOptions::status_by(manager),
        };
        self.patch(object, &Patch::Merge(patch.clone()), None, &options).map(Written::into_object)
    }

    fn delete(&self, object: &Object) -> Result<(), ApiError> {
        let only_this = DeleteOptions { uid: object.uid().map(str::to_owned), ..DeleteOptions::default() };
        self.delete(&object.reference(), &only_this).map(drop)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.subscribe()
    }

    fn changed(&self, after: u64) -> Changed {
        let Ok(changes) = self.changes_after(after) else { return Changed::Anything };
        let counted = changes.iter().filter(|change| !matches!(change.object.kind(), "Event" | "Lease"));
        Changed::Objects(counted.map(|change| change.object.reference()).collect())
    }
}

/// Now, as a cluster's server writes it.
pub(super) fn time_of(cluster: &dyn Controlled) -> String {
    server_time(cluster.now())
}

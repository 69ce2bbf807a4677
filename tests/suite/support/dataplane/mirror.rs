//! A real cluster as the controllers see it: what its watches brought, and writes over HTTP.
//!
//! An object is never older here than what one of our own writes was answered
//! with, and one that has gone does not come back by a late answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use stolos::cluster::{Cluster, Fault, Seen, Selection};
use stolos::object::{GroupKind, Object, ObjectRef};
use stolos::sandbox::controllers::{Changed, ControlPlane, Controlled, Part};
use stolos::sandbox::{ApiError, Processes, Reason};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::meshes::collection;
use crate::support::servers::Raw;

/// What the controllers read.
const KINDS: &[(&str, &str)] = &[
    ("", "ConfigMap"),
    ("", "Endpoints"),
    ("", "Namespace"),
    ("", "Pod"),
    ("", "Secret"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("networking.istio.io", "Gateway"),
    ("networking.istio.io", "VirtualService"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
];

/// How long a write may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long until a kind that could not be watched is tried again: its definition may not be there yet.
const PAUSE: Duration = Duration::from_millis(100);

/// One real cluster.
pub(super) struct Mirror {
    name: String,
    id: String,
    authority: String,
    raw: Raw,
    nodes: Nodes,
    runtime: tokio::runtime::Handle,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    processes: Mutex<Option<Weak<dyn Processes>>>,
}

/// Whether a cluster has nodes: then what is bound to none does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nodes {
    Some,
    None,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<ObjectRef, Arc<Object>>,
    /// The UIDs of what has gone.
    gone: BTreeSet<String>,
    /// How often anything changed.
    position: u64,
    /// Where in this each object changed last.
    changed: BTreeMap<ObjectRef, u64>,
}

/// Follows the kinds that the controllers read.
pub(super) fn follow(mirror: &Arc<Mirror>, cluster: &Cluster) -> Vec<JoinHandle<()>> {
    let kinds = KINDS.iter();
    let tasks = kinds.map(|(group, kind)| {
        let kind = GroupKind { group: (*group).to_owned(), kind: (*kind).to_owned() };
        let (mirror, cluster) = (Arc::clone(mirror), cluster.clone());
        tokio::spawn(async move {
            loop {
                let mut watch = cluster.watch(kind.clone(), Selection::default());
                let error = loop {
                    match watch.next().await {
                        Ok(seen) => mirror.see(&kind, seen),
                        Err(error) => break error,
                    }
                };
                // What is away is not gone: only a definition takes its objects with it.
                if matches!(error.fault, Fault::KindUnknown(_)) {
                    mirror.see(&kind, Seen::State(Vec::new()));
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
    });
    tasks.collect()
}

impl Mirror {
    pub(super) fn new(name: &str, id: &str, authority: String, raw: Raw, nodes: Nodes) -> Self {
        Self {
            name: name.to_owned(),
            id: id.to_owned(),
            authority,
            raw,
            nodes,
            runtime: tokio::runtime::Handle::current(),
            state: Mutex::default(),
            changes: watch::Sender::new(0),
            processes: Mutex::default(),
        }
    }

    /// What listens in its Pods.
    pub(super) fn processes(&self) -> Option<Arc<dyn Processes>> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.as_ref().and_then(Weak::upgrade)
    }

    /// The administrator's way to say anything to it.
    pub(super) fn raw(&self) -> &Raw {
        &self.raw
    }

    /// Its Pods, those that are bound to no node as well.
    pub(super) fn all_pods(&self) -> Vec<Arc<Object>> {
        let state = self.state();
        let pods = state.objects.values().filter(|object| object.kind() == "Pod");
        pods.map(Arc::clone).collect()
    }

    /// Whether controllers see it: a Pod that waits for a node is the scheduler's affair.
    fn shows(&self, object: &Object) -> bool {
        match self.nodes {
            Nodes::Some => object.kind() != "Pod" || object.text(&["spec", "nodeName"]).is_some(),
            Nodes::None => true,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see(&self, kind: &GroupKind, seen: Seen) {
        let mut state = self.state();
        let changed = match seen {
            Seen::Changed(object) => state.put(object).1,
            Seen::Gone(reference) => state.remove(&reference),
            Seen::State(objects) => {
                let present: BTreeSet<ObjectRef> = objects.iter().map(Object::reference).collect();
                let known = state.objects.keys().filter(|known| known.group_kind() == *kind);
                let gone: Vec<ObjectRef> = known.filter(|known| !present.contains(known)).cloned().collect();
                let removed = gone.iter().filter(|reference| state.remove(reference)).count();
                let put = objects.into_iter().filter(|object| state.put(object.clone()).1).count();
                removed + put > 0
            }
        };
        let position = state.position;
        drop(state);
        if changed {
            self.tell(position);
        }
    }

    /// Tells how far this has come, if nobody told more meanwhile.
    fn tell(&self, position: u64) {
        self.changes.send_modify(|told| *told = position.max(*told));
    }

    /// Sends a write and keeps what it is answered with. Called by controllers, which do not wait.
    fn write(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: &Value,
    ) -> Result<Arc<Object>, ApiError> {
        let sent = self.raw.send(method, path, media_type, body.to_string().into_bytes());
        let answer = tokio::task::block_in_place(|| {
            self.runtime.block_on(async { tokio::time::timeout(PATIENCE, sent).await })
        });
        let refused = |message: String| ApiError { reason: Reason::Unknown, message, details: None };
        let answer = answer
            .map_err(|_| refused("no answer in time".to_owned()))?
            .map_err(|error| refused(error.to_string()))?;
        let object = match answer.code {
            200..=299 => Object::from_value(answer.body).map_err(|reason| refused(reason.to_string()))?,
            _ => return Err(refused(answer.body["message"].as_str().unwrap_or_default().to_owned())),
        };
        let (object, changed, position) = {
            let mut state = self.state();
            let (object, changed) = state.put(object);
            (object, changed, state.position)
        };
        if changed {
            self.tell(position);
        }
        Ok(object)
    }
}

impl State {
    /// Keeps an object, unless it has gone or a newer state of it is here; gives the one that is here then.
    fn put(&mut self, object: Object) -> (Arc<Object>, bool) {
        let version = |object: &Object| -> u64 {
            let version = object.text(&["metadata", "resourceVersion"]).and_then(|text| text.parse().ok());
            version.expect("API servers write numbers")
        };
        let object = Arc::new(object);
        if object.uid().is_some_and(|uid| self.gone.contains(uid)) {
            return (object, false);
        }
        let reference = object.reference();
        match self.objects.get(&reference) {
            Some(known) if version(known) >= version(&object) => (Arc::clone(known), false),
            _ => {
                self.note(&reference);
                self.objects.insert(reference, Arc::clone(&object));
                (object, true)
            }
        }
    }

    fn note(&mut self, reference: &ObjectRef) {
        self.position += 1;
        self.changed.insert(reference.clone(), self.position);
    }

    fn remove(&mut self, reference: &ObjectRef) -> bool {
        let Some(object) = self.objects.remove(reference) else { return false };
        self.note(reference);
        self.gone.extend(object.uid().map(str::to_owned));
        true
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The path of an object.
fn path(object: &ObjectRef) -> String {
    format!("{}/{}", collection(object), object.name)
}

impl Controlled for Mirror {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn ca(&self) -> String {
        self.authority.clone()
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn control_plane(&self) -> ControlPlane {
        ControlPlane::Real
    }

    fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Object>> {
        assert!(KINDS.contains(&(group, kind)), "the controllers read {kind}, which is not followed");
        let state = self.state();
        let wanted = state.objects.iter().filter(|(reference, _)| {
            reference.group == group
                && reference.kind == kind
                && (namespace.is_none() || reference.namespace.as_deref() == namespace)
        });
        wanted.map(|(_, object)| Arc::clone(object)).filter(|object| self.shows(object)).collect()
    }

    fn find(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Object>> {
        let reference = ObjectRef {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        self.state().objects.get(&reference).filter(|object| self.shows(object)).cloned()
    }

    fn create(&self, object: Object, manager: &str) -> Result<Arc<Object>, ApiError> {
        let reference = object.reference();
        let path = format!("{}?fieldManager={manager}", collection(&reference));
        self.write(Method::POST, &path, "application/json", object.as_value())
    }

    fn update(&self, object: Object, manager: &str) -> Result<Arc<Object>, ApiError> {
        let path = format!("{}?fieldManager={manager}", path(&object.reference()));
        self.write(Method::PUT, &path, "application/json", object.as_value())
    }

    fn merge(
        &self,
        object: &ObjectRef,
        part: Part,
        patch: &Value,
        manager: &str,
    ) -> Result<Arc<Object>, ApiError> {
        let part = match part {
            Part::Object => "",
            Part::Status => "/status",
        };
        let path = format!("{}{part}?fieldManager={manager}", path(object));
        self.write(Method::PATCH, &path, "application/merge-patch+json", patch)
    }

    fn delete(&self, object: &Object) -> Result<(), ApiError> {
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": object.uid()},
        });
        self.write(Method::DELETE, &path(&object.reference()), "application/json", &options).map(drop)
    }

    fn run(&self, processes: Weak<dyn Processes>) {
        *self.processes.lock().unwrap_or_else(PoisonError::into_inner) = Some(processes);
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self, after: u64) -> Changed {
        // Events and Leases are not followed.
        let state = self.state();
        let since = state.changed.iter().filter(|(_, position)| **position > after);
        Changed::Objects(since.map(|(reference, _)| reference.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, version: u64) -> Object {
        let version = version.to_string();
        let metadata = json!({"name": "istiod", "namespace": "n", "uid": uid, "resourceVersion": version});
        Object::from_value(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}))
            .expect("an object")
    }

    #[test]
    fn a_late_answer_makes_nothing_older_and_brings_nothing_back() {
        let mut state = State::default();
        let name = pod("a", 1).reference();
        assert!(state.put(pod("a", 5)).1);
        // What a watch tells after our own write was answered.
        assert!(!state.put(pod("a", 4)).1);
        assert_eq!(*state.objects[&name], pod("a", 5));
        assert!(state.remove(&name));
        assert!(!state.put(pod("a", 6)).1);
        assert!(!state.objects.contains_key(&name));
        // Another of its name is another.
        assert!(state.put(pod("b", 7)).1);
    }
}

//! What a cluster's control plane does at once after a write.
//!
//! Kept in the same critical section as the write, so that no client ever sees
//! a half-deleted namespace stand still. The answer to the write shows the
//! object before these reactions, as it would in life.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::commit::Transaction;
use super::delete::has_finalizers;
use super::namespaces;
use super::request::Propagation;
use super::{ClusterStore, State};
use crate::object::{Object, ObjectRef};
use crate::sandbox::admission::{self, Taken};
use crate::sandbox::fresh;
use crate::sandbox::merge::{Managers, Writer};

/// The manager of what the control plane makes by itself.
pub(super) const CONTROLLER_MANAGER: &str = "kube-controller-manager";

impl ClusterStore {
    /// Fills a cluster with what every cluster has, where it is not there.
    pub(super) fn populate(&self) {
        self.transact(|tx| {
            for object in fresh::objects(&self.name) {
                if tx.get(&object.reference()).is_none() {
                    tx.make(object);
                }
            }
        });
    }

    /// Does what a process that was killed between a write and its reactions left undone.
    pub(super) fn resume(&self) {
        self.transact(|tx| {
            let objects: Vec<Arc<Object>> = tx.state.objects.values().cloned().collect();
            for object in objects {
                let is_leaving = object.get(&["metadata", "deletionTimestamp"]).is_some();
                match object.kind() {
                    "Namespace" | "CustomResourceDefinition" if is_leaving => tx.empty(&object.reference()),
                    "Namespace" => tx.furnish(&object),
                    "CustomResourceDefinition"
                        if object.get(&["status", "conditions"]).is_none_or(Value::is_null) =>
                    {
                        tx.establish(&object);
                    }
                    _ => {}
                }
            }
        });
    }
}

impl State {
    /// The service addresses and node ports in use.
    pub(super) fn taken(&self) -> Taken {
        let services = self.objects.values().filter(|o| o.kind() == "Service" && o.api_version() == "v1");
        Taken::by(services.map(|service| service.as_map()))
    }
}

impl Transaction<'_> {
    /// Keeps an object and lets the control plane react.
    pub(super) fn put_and_react(&mut self, object: Object) -> Arc<Object> {
        let object = self.put(object);
        let is_leaving = object.get(&["metadata", "deletionTimestamp"]).is_some();
        match object.kind() {
            "Namespace" if is_leaving => self.empty(&object.reference()),
            "Namespace" => self.furnish(&object),
            "CustomResourceDefinition" if is_leaving => self.empty(&object.reference()),
            "CustomResourceDefinition" => self.establish(&object),
            _ if is_leaving && !has_finalizers(&object) => {
                self.remove_and_react(&object.reference());
            }
            _ => {}
        }
        object
    }

    /// Removes an object, then what only it held or kept.
    pub(super) fn remove_and_react(&mut self, reference: &ObjectRef) -> Option<Arc<Object>> {
        let gone = self.remove(reference)?;
        self.delete_dependants(&gone, Propagation::Background);
        let container = |kind: &str, group: &str, name: &str| ObjectRef {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        // The last finalizer of the last object lets its namespace and its definition go.
        if let Some(namespace) = &reference.namespace {
            self.empty_if_leaving(&container("Namespace", "", namespace));
        }
        let definition =
            self.state.custom.iter().find(|(_, r)| r.group == reference.group && r.kind == reference.kind);
        if let Some(name) = definition.map(|(name, _)| name.clone()) {
            self.empty_if_leaving(&container("CustomResourceDefinition", "apiextensions.k8s.io", &name));
        }
        Some(gone)
    }

    fn empty_if_leaving(&mut self, container: &ObjectRef) {
        let is_leaving = self
            .get(container)
            .is_some_and(|object| object.get(&["metadata", "deletionTimestamp"]).is_some());
        if is_leaving && self.content_of(container).is_empty() {
            self.empty(container);
        }
    }

    /// Deletes what a leaving namespace or definition holds, then itself.
    pub(super) fn empty(&mut self, container: &ObjectRef) {
        for object in self.content_of(container) {
            if let Some(live) = self.get(&object.reference())
                && live.get(&["metadata", "deletionTimestamp"]).is_none()
            {
                self.delete(&live, Propagation::Background);
            }
        }
        let is_held = self.get(container).is_none_or(|object| has_finalizers(&object));
        let left = self.content_of(container);
        if !is_held && left.is_empty() {
            self.remove(container);
        } else if container.kind == "Namespace" && !left.is_empty() {
            self.tell_what_holds(container, &left);
        }
    }

    /// Says in a namespace's conditions what it waits for.
    fn tell_what_holds(&mut self, container: &ObjectRef, left: &[Arc<Object>]) {
        let Some(namespace) = self.get(container) else { return };
        let plural = |object: &Object| {
            let reference = object.reference();
            let resource = self.state.resource_of_kind(&reference.group, &reference.kind);
            resource.map(|resource| format!("{}.{}", resource.plural, resource.group)).unwrap_or_default()
        };
        let time = self.store.time();
        let conditions = namespaces::conditions(&namespace, left, plural, &time);
        let mut told = Object::clone(&namespace);
        if let Some(Value::Object(status)) = told.as_map_mut().get_mut("status") {
            status.insert("conditions".into(), conditions);
        }
        if *told.as_map() == *namespace.as_map() {
            return;
        }
        self.record(&mut told, namespace.as_map(), CONTROLLER_MANAGER, "status");
        self.put(told);
    }

    fn content_of(&self, container: &ObjectRef) -> Vec<Arc<Object>> {
        let is_inside = |reference: &ObjectRef| match container.kind.as_str() {
            "Namespace" => reference.namespace.as_deref() == Some(&container.name),
            _ => {
                let served = self.state.custom.get(&container.name);
                served.is_some_and(|s| s.group == reference.group && s.kind == reference.kind)
            }
        };
        let inside = self.state.objects.iter().filter(|(reference, _)| is_inside(reference));
        inside.map(|(_, object)| Arc::clone(object)).collect()
    }

    /// Gives a namespace what every namespace has.
    fn furnish(&mut self, namespace: &Object) {
        for object in fresh::namespace_content(namespace.name(), &self.store.ca) {
            if self.get(&object.reference()).is_none() {
                self.make(object);
            }
        }
    }

    /// Accepts a definition's names, or says why not.
    fn establish(&mut self, definition: &Object) {
        let status =
            admission::definition_status(definition, &self.other_definitions(definition), &self.store.time());
        if definition.as_map().get("status") == Some(&status) {
            return;
        }
        let mut established = Object::clone(definition);
        established.as_map_mut().insert("status".into(), status);
        self.record(&mut established, definition.as_map(), "kube-apiserver", "status");
        self.put(established);
    }

    fn other_definitions(&self, definition: &Object) -> Vec<Arc<Object>> {
        let others =
            self.state.objects.values().filter(|other| {
                other.kind() == "CustomResourceDefinition" && other.name() != definition.name()
            });
        others.cloned().collect()
    }

    /// Makes an object as the control plane makes it: defaults, UID, ownership, no checks.
    fn make(&mut self, mut object: Object) {
        let Some(resource) = self.state.resource_of_kind(&object.reference().group, object.kind()) else {
            return;
        };
        let time = self.store.time();
        let uid = self.next_uid();
        admission::set_defaults(&resource, object.as_map_mut());
        if let Some(Value::Object(metadata)) = object.as_map_mut().get_mut("metadata") {
            metadata.insert("uid".into(), uid.into());
            metadata.insert("creationTimestamp".into(), time.into());
        }
        self.record(&mut object, &admission::blank(&resource), CONTROLLER_MANAGER, "");
        self.put_and_react(object);
    }

    pub(super) fn record(
        &self,
        object: &mut Object,
        before: &Map<String, Value>,
        manager: &str,
        subresource: &str,
    ) {
        let api_version = object.api_version().to_owned();
        let time = self.store.time();
        let writer = Writer { manager, subresource, api_version: &api_version, time: &time };
        let Some(resource) = self.state.resource_of_kind(&object.reference().group, object.kind()) else {
            return;
        };
        let mut managers = Managers::of(object.as_map());
        let mut before = before.clone();
        for map in [&mut before, object.as_map_mut()] {
            if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
                metadata.remove("managedFields");
            }
        }
        managers.update(&before, object.as_map(), resource.shape, writer);
        managers.write_to(object.as_map_mut());
    }
}

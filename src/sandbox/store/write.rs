//! Creating, updating, patching and applying: the path of one write.
//!
//! The order is that of a real server: decode with defaults, lay a patch or an
//! applied object over the live one, note who owns what, allocate what the
//! cluster gives, check, drop what changes nothing, keep.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::ClusterStore;
use super::checks::{
    apply_fault, check_applied_types, check_identity, check_preconditions, check_types, check_uid,
};
use super::commit::{Transaction, set_metadata, take_metadata};
use super::patches;
use super::request::{ApplyOptions, Patch, Run, WriteOptions};
use crate::object::kinds::Subresource;
use crate::object::{Object, ObjectRef, Scope, split_api_version};
use crate::sandbox::admission;
use crate::sandbox::api_error::{ApiError, Cause, Reason};
use crate::sandbox::merge::{Managers, Writer};
use crate::sandbox::resource::{Provider, ResourceInfo};

/// What a write did.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The object as it stands, or for a dry run as it would stand.
    pub object: Arc<Object>,
    /// What happened to it.
    pub outcome: Outcome,
    /// Await [`ClusterStore::durable`] of this before answering a client.
    pub revision: u64,
}

impl Written {
    /// The object alone.
    pub(in crate::sandbox) fn into_object(self) -> Arc<Object> {
        self.object
    }
}

/// What a write did to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Created,
    /// It differs.
    Changed,
    /// Nothing was written.
    Unchanged,
}

/// A request with everything that it is judged by.
pub(super) struct Request<'a> {
    pub(super) resource: Arc<ResourceInfo>,
    /// The version in which the request is made, for managedFields.
    api_version: String,
    pub(super) options: &'a WriteOptions,
    time: String,
}

impl Request<'_> {
    fn writer(&self) -> Writer<'_> {
        Writer {
            manager: if self.options.manager.is_empty() { "unknown" } else { &self.options.manager },
            subresource: self.options.subresource(),
            api_version: &self.api_version,
            time: &self.time,
        }
    }
}

impl ClusterStore {
    /// Creates an object.
    pub fn create(&self, object: Object, options: &WriteOptions) -> Result<Written, ApiError> {
        self.transact(|tx| {
            let request = tx.request(object.api_version(), object.kind(), options)?;
            let reference = object.reference();
            if tx.get(&reference).is_some() {
                return Err(ApiError::already_exists(&request.resource, &reference.name));
            }
            if object.text(&["metadata", "resourceVersion"]).is_some_and(|version| !version.is_empty()) {
                // A storage error, for which a server has no word.
                return Err(ApiError::new(
                    Reason::Unknown,
                    "resourceVersion should not be set on objects to be created",
                ));
            }
            tx.check_place(&request.resource, &reference)?;
            let mut new = tx.fresh(&request, object);
            check_types(&request, &mut new)?;
            admission::set_defaults(&request.resource, new.as_map_mut());
            let mut managers = Managers::default();
            // Compared with an object of its type that has nothing yet, of which some maps are there already.
            let blank = admission::blank(&request.resource);
            managers.update(&blank, new.as_map(), request.resource.shape, request.writer());
            tx.keep_new(&request, new, &managers)
        })
    }

    /// Replaces an object, or the part of it that the options name.
    pub fn update(&self, object: Object, options: &WriteOptions) -> Result<Written, ApiError> {
        self.transact(|tx| {
            let request = tx.request(object.api_version(), object.kind(), options)?;
            let reference = object.reference();
            let live = tx.live(&request, &reference)?;
            let version = object.text(&["metadata", "resourceVersion"]).unwrap_or_default();
            if version.is_empty() && !admission::updates_unconditionally(&request.resource) {
                return Err(ApiError::version_required(&request.resource, &reference.name));
            }
            tx.replace(&request, &live, object)
        })
    }

    /// Changes an object by a patch.
    ///
    /// `version` is the version in which the patch is written; none stands for the stored one.
    pub fn patch(
        &self,
        reference: &ObjectRef,
        patch: &Patch,
        version: Option<&str>,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        self.transact(|tx| {
            let resource = tx.served(&reference.group, version, &reference.kind)?;
            let version = version.unwrap_or(&resource.storage);
            let request = tx.request(&resource.api_version(version), &reference.kind, options)?;
            let live = tx.live(&request, reference)?;
            let mut base = Object::clone(&live);
            base.as_map_mut().insert("apiVersion".into(), request.api_version.as_str().into());
            let patched = patches::patched(&request.resource, base, patch)?;
            let patched = Object::from_value(patched).map_err(|fault| {
                ApiError::new(Reason::Invalid, format!("the patched object is none: {fault}"))
            })?;
            check_identity(&resource, reference, &live, &patched)?;
            let mut patched = patched;
            // Of a patch a server says that it is invalid, of an object that it cannot be handled.
            check_types(&request, &mut patched).map_err(|fault| {
                ApiError::new(Reason::Invalid, format!(" \"\" is invalid: patch: {fault}"))
            })?;
            tx.replace(&request, &live, patched)
        })
    }

    /// Applies an object: server-side apply.
    pub fn apply(&self, object: Object, options: &ApplyOptions) -> Result<Written, ApiError> {
        self.transact(|tx| {
            let request = tx.request(object.api_version(), object.kind(), &options.write)?;
            let reference = object.reference();
            if object.get(&["metadata", "managedFields"]).is_some() {
                return Err(ApiError::bad_request("metadata.managedFields must be nil"));
            }
            let live = tx.get(&reference);
            let applied = applied_part(&request, object);
            check_applied_types(&request.resource, &applied)?;
            match live {
                None => {
                    if request.options.part.is_some() {
                        return Err(ApiError::not_found(&request.resource, &reference.name));
                    }
                    if let Some(uid) = applied.text(&["metadata", "uid"]) {
                        let why = format!(
                            "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                        );
                        return Err(ApiError::conflict(&request.resource, &reference.name, &why));
                    }
                    tx.check_place(&request.resource, &reference)?;
                    let mut managers = Managers::default();
                    let merged = managers.apply(
                        &Map::new(),
                        applied.as_map(),
                        request.resource.shape,
                        request.writer(),
                        options.force,
                    );
                    merged.map_err(|fault| apply_fault(&request.resource, &reference, fault))?;
                    let mut new = tx.fresh(&request, applied);
                    admission::set_defaults(&request.resource, new.as_map_mut());
                    tx.keep_new(&request, new, &managers)
                }
                Some(live) => {
                    check_uid(&request.resource, &applied, &live)?;
                    let mut base = Object::clone(&live);
                    let mut managers = Managers::of(base.as_map());
                    take_metadata(&mut base, "managedFields");
                    base.as_map_mut().insert("apiVersion".into(), request.api_version.as_str().into());
                    let applied = without_identity(applied);
                    let merged = managers
                        .apply(base.as_map(), &applied, request.resource.shape, request.writer(), options.force)
                        .map_err(|fault| apply_fault(&request.resource, &reference, fault))?;
                    let mut new = match merged {
                        Some(merged) => Object::from_value(Value::Object(merged))
                            .expect("a live object keeps what names it under anything applied"),
                        None => base,
                    };
                    admission::set_defaults(&request.resource, new.as_map_mut());
                    tx.keep_changed(&request, &live, new, &managers)
                }
            }
        })
    }

    /// Patches the status, as a controller does.
    pub fn patch_status(
        &self,
        reference: &ObjectRef,
        patch: &Value,
        manager: &str,
    ) -> Result<Written, ApiError> {
        self.patch(reference, &Patch::Merge(patch.clone()), None, &WriteOptions::status_by(manager))
    }
}

impl<'s> Transaction<'s> {
    fn request<'a>(
        &self,
        api_version: &str,
        kind: &str,
        options: &'a WriteOptions,
    ) -> Result<Request<'a>, ApiError> {
        let (group, version) = split_api_version(api_version);
        let resource = self.served(group, Some(version), kind)?;
        if let Some(part) = options.part
            && !resource.has(part)
        {
            return Err(ApiError::no_such_resource());
        }
        Ok(Request { resource, api_version: api_version.to_owned(), options, time: self.store.time() })
    }

    fn served(&self, group: &str, version: Option<&str>, kind: &str) -> Result<Arc<ResourceInfo>, ApiError> {
        let resource = self.state.resource_of_kind(group, kind);
        resource
            .filter(|resource| version.is_none_or(|version| resource.versions.iter().any(|v| v == version)))
            .ok_or_else(|| ApiError::no_such_kind(group, version.unwrap_or("*"), kind))
    }

    fn live(&self, request: &Request<'_>, reference: &ObjectRef) -> Result<Arc<Object>, ApiError> {
        self.get(reference).ok_or_else(|| ApiError::not_found(&request.resource, &reference.name))
    }

    /// The namespace must be there, must not be on its way out, and must be named just where it belongs.
    fn check_place(&self, resource: &ResourceInfo, reference: &ObjectRef) -> Result<(), ApiError> {
        let namespace = match (resource.scope, &reference.namespace) {
            (Scope::Cluster, None) => return Ok(()),
            (Scope::Cluster, Some(_)) => {
                // Only a client of this store can ask for it: over HTTP a namespace in the body is dropped.
                return Err(ApiError::bad_request("namespace may not be set on a cluster-scoped object"));
            }
            (Scope::Namespaced, None) => {
                return Err(ApiError::bad_request("an empty namespace may not be set during creation"));
            }
            (Scope::Namespaced, Some(namespace)) => namespace,
        };
        let place = ObjectRef {
            group: String::new(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: namespace.clone(),
        };
        let Some(place) = self.get(&place) else {
            let namespaces =
                self.state.resource_of_kind("", "Namespace").ok_or_else(ApiError::no_such_resource)?;
            return Err(ApiError::not_found(&namespaces, namespace));
        };
        if place.get(&["metadata", "deletionTimestamp"]).is_some() {
            let why = format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            );
            let cause = Cause {
                reason: "NamespaceTerminating",
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".to_owned(),
            };
            return Err(ApiError::forbidden(resource, &reference.name, &why).with_cause(cause));
        }
        Ok(())
    }

    /// An object as creation begins with it: the server's own metadata, no status.
    fn fresh(&self, request: &Request<'_>, mut object: Object) -> Object {
        for field in
            ["managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"]
        {
            take_metadata(&mut object, field);
        }
        take_metadata(&mut object, "resourceVersion");
        set_metadata(&mut object, "uid", self.next_uid().into());
        set_metadata(&mut object, "creationTimestamp", request.time.as_str().into());
        if admission::counts_generations(&request.resource) {
            set_metadata(&mut object, "generation", 1.into());
        }
        if request.resource.has(Subresource::Status) && admission::resets_status(&request.resource) {
            object.as_map_mut().remove("status");
        }
        object
    }

    fn keep_new(
        &mut self,
        request: &Request<'_>,
        mut new: Object,
        managers: &Managers,
    ) -> Result<Written, ApiError> {
        admission::initial_status(&request.resource, new.as_map_mut());
        admission::allocate(&request.resource, new.as_map_mut(), None, &self.state.taken())?;
        managers.write_to(new.as_map_mut());
        admission::check_new(&request.resource, &new)?;
        store_version(&request.resource, &mut new);
        let object = match request.options.run {
            Run::Dry => Arc::new(new),
            Run::Commit => self.put_and_react(new),
        };
        Ok(self.written(request, object, Outcome::Created))
    }

    /// PUT and PATCH: what the client sent replaces what it may write.
    fn replace(
        &mut self,
        request: &Request<'_>,
        live: &Arc<Object>,
        mut new: Object,
    ) -> Result<Written, ApiError> {
        check_preconditions(&request.resource, &new, live)?;
        let resource = &request.resource;
        match request.options.part {
            None => {
                if resource.has(Subresource::Status) && admission::resets_status(resource) {
                    copy_field(live.as_map(), new.as_map_mut(), "status");
                }
            }
            Some(Subresource::Status) => {
                let status = new.as_map().get("status").cloned();
                new = Object::clone(live);
                match status {
                    Some(status) => new.as_map_mut().insert("status".into(), status),
                    None => new.as_map_mut().remove("status"),
                };
            }
            Some(Subresource::Scale) => {
                let replicas = new.get(&["spec", "replicas"]).cloned();
                new = Object::clone(live);
                if let Some(Value::Object(spec)) = new.as_map_mut().get_mut("spec") {
                    spec.insert("replicas".into(), replicas.unwrap_or_else(|| 0.into()));
                }
            }
        }
        for field in
            ["uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"]
        {
            match live.get(&["metadata", field]) {
                Some(value) => set_metadata(&mut new, field, value.clone()),
                None => drop(take_metadata(&mut new, field)),
            }
        }
        take_metadata(&mut new, "selfLink");
        new.as_map_mut().insert("apiVersion".into(), request.api_version.as_str().into());
        check_types(request, &mut new)?;
        admission::set_defaults(resource, new.as_map_mut());
        admission::carry_over(resource, live.as_map(), new.as_map_mut());

        let mut before = Object::clone(live);
        before.as_map_mut().insert("apiVersion".into(), request.api_version.as_str().into());
        let mut managers = match request.options.part {
            None => Managers::sent(new.as_map(), before.as_map()),
            Some(_) => Managers::of(before.as_map()),
        };
        take_metadata(&mut new, "managedFields");
        take_metadata(&mut before, "managedFields");
        set_metadata(
            &mut new,
            "resourceVersion",
            before.get(&["metadata", "resourceVersion"]).cloned().into(),
        );
        managers.update(before.as_map(), new.as_map(), resource.shape, request.writer());
        self.keep_changed(request, live, new, &managers)
    }

    fn keep_changed(
        &mut self,
        request: &Request<'_>,
        live: &Arc<Object>,
        mut new: Object,
        managers: &Managers,
    ) -> Result<Written, ApiError> {
        let resource = &request.resource;
        // Again, whatever was left out of it meanwhile: a status may say null.
        if request.options.part.is_none()
            && resource.has(Subresource::Status)
            && admission::resets_status(resource)
        {
            copy_field(live.as_map(), new.as_map_mut(), "status");
        }
        admission::allocate(resource, new.as_map_mut(), Some(live.as_map()), &self.state.taken())?;
        store_version(resource, &mut new);
        if admission::counts_generations(resource) && admission::is_new_generation(resource, live, &new) {
            let generation = live.get(&["metadata", "generation"]).and_then(Value::as_i64).unwrap_or(0);
            set_metadata(&mut new, "generation", (generation + 1).into());
        }
        managers.write_to(new.as_map_mut());
        admission::check_changed(resource, live, &new)?;
        if is_same(live, &new) {
            return Ok(self.written(request, Arc::clone(live), Outcome::Unchanged));
        }
        let is_released =
            new.get(&["metadata", "deletionTimestamp"]).is_some() && !super::delete::has_finalizers(&new);
        let object = match request.options.run {
            Run::Dry => Arc::new(new),
            // With its last finalizer it goes; nobody ever sees it without.
            Run::Commit if is_released && !super::delete::is_container(resource) => {
                self.remove_and_react(&live.reference());
                set_metadata(
                    &mut new,
                    "resourceVersion",
                    live.get(&["metadata", "resourceVersion"]).cloned().into(),
                );
                Arc::new(new)
            }
            Run::Commit => self.put_and_react(new),
        };
        Ok(self.written(request, object, Outcome::Changed))
    }

    /// The answer, in the version of the request.
    fn written(&self, request: &Request<'_>, object: Arc<Object>, outcome: Outcome) -> Written {
        let object = if object.api_version() == request.api_version {
            object
        } else {
            let mut converted = Object::clone(&object);
            converted.as_map_mut().insert("apiVersion".into(), request.api_version.as_str().into());
            Arc::new(converted)
        };
        Written { object, outcome, revision: self.state.revision }
    }
}

/// Custom resources are kept in the storage version; conversion changes nothing but its name.
fn store_version(resource: &ResourceInfo, object: &mut Object) {
    if resource.provider == Provider::Custom {
        object.as_map_mut().insert("apiVersion".into(), resource.api_version(&resource.storage).into());
    }
}

/// What of an applied object counts: without the part that has a path of its own.
fn applied_part(request: &Request<'_>, mut object: Object) -> Object {
    match request.options.part {
        None => {
            if request.resource.has(Subresource::Status) && admission::resets_status(&request.resource) {
                object.as_map_mut().remove("status");
            }
        }
        Some(Subresource::Status | Subresource::Scale) => {
            let kept = match request.options.part {
                Some(Subresource::Status) => "status",
                Some(Subresource::Scale) | None => "spec",
            };
            object
                .as_map_mut()
                .retain(|key, _| key == kept || matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));
            if let Some(Value::Object(metadata)) = object.as_map_mut().get_mut("metadata") {
                metadata.retain(|key, _| {
                    matches!(key.as_str(), "name" | "namespace" | "uid" | "resourceVersion")
                });
            }
        }
    }
    object
}

/// An applied object without what only the server may say.
fn without_identity(mut object: Object) -> Map<String, Value> {
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "selfLink"] {
        take_metadata(&mut object, field);
    }
    match object.into_value() {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Whether nothing differs but the times of ownership.
fn is_same(live: &Object, new: &Object) -> bool {
    let without_times = |object: &Object| {
        let mut object = Object::clone(object);
        let entries = take_metadata(&mut object, "managedFields");
        let entries: Vec<Value> = match entries {
            Some(Value::Array(entries)) => entries,
            Some(_) | None => Vec::new(),
        };
        let timeless = entries.into_iter().map(|mut entry| {
            if let Some(entry) = entry.as_object_mut() {
                entry.remove("time");
            }
            entry
        });
        let mut timeless: Vec<String> = timeless.map(|entry| entry.to_string()).collect();
        timeless.sort();
        take_metadata(&mut object, "resourceVersion");
        (object, timeless)
    };
    without_times(live) == without_times(new)
}

fn copy_field(from: &Map<String, Value>, to: &mut Map<String, Value>, key: &str) {
    match from.get(key) {
        Some(value) => to.insert(key.to_owned(), value.clone()),
        None => to.remove(key),
    };
}

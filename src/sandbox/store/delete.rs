//! Deleting objects: preconditions, finalizers, and what goes along.

use std::sync::Arc;

use serde_json::Value;

use super::ClusterStore;
use super::commit::{Transaction, set_metadata};
use super::reactions::CONTROLLER_MANAGER;
use super::request::{DeleteOptions, Propagation, Run};
use crate::object::{Object, ObjectRef};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::resource::ResourceInfo;

/// The namespaces that no server lets go.
const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

/// The finalizer of a definition that has objects.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// What a deletion did.
#[derive(Debug, Clone, PartialEq)]
pub enum Deleted {
    /// It is gone; this is what it was.
    Gone(Arc<Object>),
    /// It is on its way out: a finalizer, or content, holds it.
    Marked(Arc<Object>),
}

impl Deleted {
    /// The object, as it last stood.
    pub fn object(&self) -> &Arc<Object> {
        match self {
            Self::Gone(object) | Self::Marked(object) => object,
        }
    }
}

impl ClusterStore {
    /// Deletes an object; await [`ClusterStore::durable`] of the store's revision before answering a client.
    pub fn delete(&self, reference: &ObjectRef, options: &DeleteOptions) -> Result<Deleted, ApiError> {
        self.transact(|tx| {
            let resource = tx
                .state
                .resource_of_kind(&reference.group, &reference.kind)
                .ok_or_else(|| ApiError::no_such_kind(&reference.group, "*", &reference.kind))?;
            let live = tx.get(reference).ok_or_else(|| ApiError::not_found(&resource, &reference.name))?;
            check_preconditions(&resource, &live, options)?;
            if resource.kind == "Namespace" && IMMORTAL.contains(&reference.name.as_str()) {
                return Err(ApiError::forbidden(
                    &resource,
                    &reference.name,
                    "this namespace may not be deleted",
                ));
            }
            if options.run == Run::Dry {
                return Ok(Deleted::Gone(live));
            }
            Ok(tx.delete(&live, options.propagation))
        })
    }
}

impl Transaction<'_> {
    /// Deletes an object that is there, as far as its finalizers allow.
    pub(super) fn delete(&mut self, live: &Arc<Object>, propagation: Propagation) -> Deleted {
        let reference = live.reference();
        match propagation {
            Propagation::Background => {}
            Propagation::Foreground => self.delete_dependants(live, Propagation::Foreground),
            Propagation::Orphan => self.orphan_dependants(live),
        }
        let is_container = matches!(reference.kind.as_str(), "Namespace" | "CustomResourceDefinition");
        if !is_container && !has_finalizers(live) {
            return match self.remove_and_react(&reference) {
                Some(gone) => Deleted::Gone(gone),
                None => Deleted::Gone(Arc::clone(live)),
            };
        }
        let marked = if live.get(&["metadata", "deletionTimestamp"]).is_some() {
            Arc::clone(live)
        } else {
            let mut marked = Object::clone(live);
            set_metadata(&mut marked, "deletionTimestamp", self.store.time().into());
            if !is_container {
                set_metadata(&mut marked, "deletionGracePeriodSeconds", 0.into());
            }
            if reference.kind == "CustomResourceDefinition" {
                mark_definition(&mut marked, &self.store.time());
            } else if let Some(generation) = live.get(&["metadata", "generation"]).and_then(Value::as_i64) {
                set_metadata(&mut marked, "generation", (generation + 1).into());
            }
            if reference.kind == "Namespace" {
                marked.as_map_mut().insert("status".into(), serde_json::json!({"phase": "Terminating"}));
            }
            self.put(marked)
        };
        if is_container {
            self.empty(&reference);
        }
        Deleted::Marked(marked)
    }

    /// Deletes what an object owns and nothing else owns; others forget that owner.
    pub(super) fn delete_dependants(&mut self, owner: &Object, propagation: Propagation) {
        for dependant in self.dependants(owner) {
            // An earlier one of the list may have taken it along.
            let Some(live) = self.get(&dependant.reference()) else { continue };
            if live.uid() != dependant.uid() {
                continue;
            }
            if self.has_no_other_owner(&live, owner) {
                self.delete(&live, propagation);
            } else {
                self.orphan(&live, owner);
            }
        }
    }

    fn orphan_dependants(&mut self, owner: &Object) {
        for dependant in self.dependants(owner) {
            self.orphan(&dependant, owner);
        }
    }

    fn orphan(&mut self, dependant: &Object, owner: &Object) {
        let mut orphan = Object::clone(dependant);
        if let Some(Value::Object(metadata)) = orphan.as_map_mut().get_mut("metadata")
            && let Some(Value::Array(owners)) = metadata.get_mut("ownerReferences")
        {
            owners.retain(|reference| reference.get("uid").and_then(Value::as_str) != owner.uid());
            if owners.is_empty() {
                metadata.remove("ownerReferences");
            }
        }
        self.record(&mut orphan, dependant.as_map(), CONTROLLER_MANAGER, "");
        self.put(orphan);
    }

    fn dependants(&self, owner: &Object) -> Vec<Arc<Object>> {
        let owned =
            self.state.objects.values().filter(|object| owners(object).any(|uid| Some(uid) == owner.uid()));
        owned.cloned().collect()
    }

    fn has_no_other_owner(&self, object: &Object, owner: &Object) -> bool {
        let others: Vec<&str> = owners(object).filter(|uid| Some(*uid) != owner.uid()).collect();
        others.is_empty()
            || !self.state.objects.values().any(|o| o.uid().is_some_and(|uid| others.contains(&uid)))
    }
}

/// A definition says that its objects go first.
fn mark_definition(definition: &mut Object, time: &str) {
    set_metadata(definition, "finalizers", serde_json::json!([CLEANUP]));
    let terminating = serde_json::json!({
        "type": "Terminating", "status": "True", "reason": "InstanceDeletionPending", "lastTransitionTime": time,
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    });
    let status = definition.as_map_mut().get_mut("status");
    if let Some(Value::Array(conditions)) = status.and_then(|status| status.get_mut("conditions")) {
        conditions.push(terminating);
    }
}

fn owners(object: &Object) -> impl Iterator<Item = &str> {
    let references = object.get(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    references.into_iter().flatten().filter_map(|reference| reference.get("uid")?.as_str())
}

/// Whether objects of a kind hold others, and so go in steps of their own.
pub(super) fn is_container(resource: &ResourceInfo) -> bool {
    matches!(resource.kind.as_str(), "Namespace" | "CustomResourceDefinition")
}

/// Whether a finalizer holds an object; the store's own ends with what it waits for.
pub(super) fn has_finalizers(object: &Object) -> bool {
    let finalizers = object.get(&["metadata", "finalizers"]).and_then(Value::as_array);
    finalizers.into_iter().flatten().any(|finalizer| finalizer != CLEANUP)
}

fn check_preconditions(
    resource: &ResourceInfo,
    live: &Object,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let fault = |what: &str, wanted: &str, is: Option<&str>| {
        let is = is.unwrap_or_default();
        let happened = if what == "UID" { "deleted and then recreated" } else { "modified" };
        let why = format!(
            "the {what} in the precondition ({wanted}) does not match the {what} in record ({is}). The object might \
             have been {happened}"
        );
        // Said before the registry is asked, where only the kind is known.
        let named = ResourceInfo { plural: resource.kind.clone(), ..resource.clone() };
        Err(ApiError::conflict(&named, live.name(), &why))
    };
    if let Some(wanted) = &options.uid
        && live.uid() != Some(wanted)
    {
        return fault("UID", wanted, live.uid());
    }
    let version = live.text(&["metadata", "resourceVersion"]);
    if let Some(wanted) = &options.resource_version
        && version != Some(wanted)
    {
        return fault("ResourceVersion", wanted, version);
    }
    Ok(())
}

//! What a server adds to an object and what it refuses.
//!
//! Defaults are those of `k8s.io/kubernetes/pkg/apis/*/v1/defaults.go`, for the
//! kinds of the table; as on a server, an applied object's manager does not own
//! them. Allocation gives addresses and ports. Checks are a choice: what a mesh
//! runs into. Types, names, labels, immutable fields, references between fields
//! and quantities are checked; the finer rules of each kind are not.

mod allocate;
mod check;
mod defaults;
mod definition;
mod names;
mod pods;
mod quantity;
mod typed;
mod workloads;

use serde_json::{Map, Value, json};

pub(super) use allocate::{Taken, allocate, carry_over};
pub(super) use check::{check_changed, check_new};
pub(super) use defaults::set_defaults;
pub(super) use definition::definition_status;
pub(super) use names::{key_fault, value_fault};
pub(super) use typed::{TypeFault, drop_fields, unknown_fields};

use super::resource::{Provider, ResourceInfo};
use crate::object::Object;

/// Whether `metadata.generation` is kept for a kind.
pub(super) fn counts_generations(resource: &ResourceInfo) -> bool {
    match resource.provider {
        Provider::Custom => true,
        Provider::BuiltIn => matches!(
            resource.kind.as_str(),
            "Pod"
                | "Deployment"
                | "ReplicaSet"
                | "DaemonSet"
                | "PodDisruptionBudget"
                | "NetworkPolicy"
                | "EndpointSlice"
                | "CustomResourceDefinition"
                | "MutatingWebhookConfiguration"
                | "ValidatingWebhookConfiguration"
                | "ValidatingAdmissionPolicy"
                | "ValidatingAdmissionPolicyBinding"
        ),
    }
}

/// Whether a whole object may be replaced without saying which state is meant.
pub(super) fn updates_unconditionally(resource: &ResourceInfo) -> bool {
    match resource.provider {
        Provider::Custom => false,
        Provider::BuiltIn => !matches!(
            resource.kind.as_str(),
            "CustomResourceDefinition"
                | "Lease"
                | "PodDisruptionBudget"
                | "MutatingWebhookConfiguration"
                | "ValidatingWebhookConfiguration"
                | "ValidatingAdmissionPolicy"
                | "ValidatingAdmissionPolicyBinding"
        ),
    }
}

/// Whether writes to the object itself leave its status alone.
///
/// Nodes of a real server take it at creation; here they never come from a client's file.
pub(super) fn resets_status(resource: &ResourceInfo) -> bool {
    resource.kind != "Node"
}

/// Whether a change is one of what is wanted, not of metadata or status.
pub(super) fn is_new_generation(resource: &ResourceInfo, live: &Object, new: &Object) -> bool {
    let wanted = |object: &Object| {
        let mut map = object.as_map().clone();
        for key in ["metadata", "apiVersion", "kind"] {
            map.remove(key);
        }
        if !resource.subresources.is_empty() {
            map.remove("status");
        }
        map
    };
    if wanted(live) != wanted(new) {
        return true;
    }
    // An EndpointSlice's labels say what it is a slice of.
    resource.kind == "EndpointSlice" && live.get(&["metadata", "labels"]) != new.get(&["metadata", "labels"])
}

/// An object of a kind that says nothing yet, as Go encodes it: what has no `omitempty` is there already.
///
/// A creation is compared with it, so that whoever creates an object does not own those maps themselves.
pub(super) fn blank(resource: &ResourceInfo) -> Map<String, Value> {
    let template = || json!({"metadata": {}, "spec": {"containers": null}});
    let mut blank = match (resource.provider, resource.kind.as_str()) {
        (Provider::BuiltIn, "Deployment") => json!({
            "spec": {"selector": null, "strategy": {}, "template": template()}, "status": {},
        }),
        (Provider::BuiltIn, "ReplicaSet") => {
            json!({"spec": {"selector": null, "template": template()}, "status": {"replicas": 0}})
        }
        (Provider::BuiltIn, "DaemonSet") => json!({
            "spec": {"selector": null, "template": template(), "updateStrategy": {}},
            "status": {
                "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0,
            },
        }),
        (Provider::BuiltIn, "Pod") => json!({"spec": {"containers": null}, "status": {}}),
        (Provider::BuiltIn, "Service") => json!({"spec": {}, "status": {"loadBalancer": {}}}),
        (Provider::BuiltIn, "Namespace") => json!({"spec": {}, "status": {}}),
        (Provider::BuiltIn, "Node") => json!({"spec": {}, "status": {"daemonEndpoints": {}, "nodeInfo": {}}}),
        (Provider::BuiltIn, "HorizontalPodAutoscaler") => json!({
            "spec": {"maxReplicas": 0, "scaleTargetRef": {"kind": "", "name": ""}},
            "status": {"currentMetrics": null, "desiredReplicas": 0},
        }),
        (Provider::BuiltIn, "PodDisruptionBudget") => json!({"spec": {}, "status": {}}),
        (Provider::BuiltIn, "RoleBinding" | "ClusterRoleBinding") => {
            json!({"roleRef": {"apiGroup": "", "kind": "", "name": ""}})
        }
        (Provider::BuiltIn, "Role" | "ClusterRole") => json!({"rules": null}),
        (Provider::BuiltIn, "Lease" | "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding") => {
            json!({"spec": {}})
        }
        (Provider::BuiltIn, "NetworkPolicy") => json!({"spec": {"podSelector": {}}}),
        (Provider::BuiltIn, "EndpointSlice") => json!({"endpoints": null, "ports": null}),
        (Provider::BuiltIn, "Event") => json!({"involvedObject": {}, "source": {}}),
        (Provider::BuiltIn, "CustomResourceDefinition") => json!({
            "spec": {"group": "", "names": {"kind": "", "plural": ""}, "scope": "", "versions": null},
            "status": {"acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": null},
        }),
        (Provider::BuiltIn | Provider::Custom, _) => json!({}),
    };
    match blank.as_object_mut() {
        Some(map) => std::mem::take(map),
        None => Map::new(),
    }
}

/// The status that creation begins with.
pub(super) fn initial_status(resource: &ResourceInfo, object: &mut Map<String, Value>) {
    if resource.provider == Provider::Custom {
        return;
    }
    match resource.kind.as_str() {
        "Namespace" => {
            let spec = object.entry("spec").or_insert_with(|| json!({}));
            if let Value::Object(spec) = spec {
                spec.insert("finalizers".into(), json!(["kubernetes"]));
            }
            object.insert("status".into(), json!({"phase": "Active"}));
        }
        "Service" => drop(object.insert("status".into(), json!({"loadBalancer": {}}))),
        "Pod" => drop(object.insert("status".into(), json!({"phase": "Pending", "qosClass": "BestEffort"}))),
        "Deployment" => drop(object.insert("status".into(), json!({}))),
        "ReplicaSet" => drop(object.insert("status".into(), json!({"replicas": 0}))),
        "DaemonSet" => {
            let zero = json!({
                "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0,
            });
            object.insert("status".into(), zero);
        }
        "HorizontalPodAutoscaler" => {
            object.insert("status".into(), json!({"currentMetrics": null, "desiredReplicas": 0}));
        }
        "CustomResourceDefinition" => {
            let versions = object.get("spec").and_then(|spec| spec.get("versions")).and_then(Value::as_array);
            let stored: Vec<Value> = versions
                .into_iter()
                .flatten()
                .filter(|version| version.get("storage") == Some(&Value::Bool(true)))
                .filter_map(|version| version.get("name").cloned())
                .collect();
            let status = json!({"acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": stored});
            object.insert("status".into(), status);
        }
        "PodDisruptionBudget" => {
            let zero =
                json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0});
            object.insert("status".into(), zero);
        }
        _ => {}
    }
}

/// Sets a field that is not there; null counts as not there.
fn default_to(map: &mut Map<String, Value>, key: &str, value: Value) {
    if map.get(key).is_none_or(Value::is_null) {
        map.insert(key.to_owned(), value);
    }
}

/// A map inside a map.
fn inner<'m>(map: &'m mut Map<String, Value>, key: &str) -> Option<&'m mut Map<String, Value>> {
    map.get_mut(key)?.as_object_mut()
}

/// The maps of a list inside a map.
fn items<'m>(map: &'m mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'m mut Map<String, Value>> {
    map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// A text inside a map.
fn text<'m>(map: &'m Map<String, Value>, key: &str) -> &'m str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;

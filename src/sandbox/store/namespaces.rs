//! What a namespace on its way out says of itself.
//!
//! As `pkg/controller/namespace/deletion/status_condition_utils.go` has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::object::Object;

/// The conditions of a namespace that holds what is left; `plural` names a resource with its group.
pub(super) fn conditions(
    namespace: &Object,
    left: &[Arc<Object>],
    plural: impl Fn(&Object) -> String,
    time: &str,
) -> Value {
    let mut resources: BTreeMap<String, usize> = BTreeMap::new();
    let mut finalizers: BTreeMap<String, usize> = BTreeMap::new();
    for object in left {
        *resources.entry(plural(object)).or_default() += 1;
        let held_by = object.get(&["metadata", "finalizers"]).and_then(Value::as_array);
        for finalizer in held_by.into_iter().flatten().filter_map(Value::as_str) {
            *finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }
    let counted = |counts: &BTreeMap<String, usize>, verb: &str| {
        let parts = counts.iter().map(|(name, count)| format!("{name} {verb} {count} resource instances"));
        parts.collect::<Vec<_>>().join(", ")
    };
    let remaining = format!("Some resources are remaining: {}", counted(&resources, "has"));
    let held =
        format!("Some content in the namespace has finalizers remaining: {}", counted(&finalizers, "in"));
    let held = if finalizers.is_empty() {
        ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    } else {
        ("True", "SomeFinalizersRemain", held.as_str())
    };
    let before = namespace.get(&["status", "conditions"]).and_then(Value::as_array);
    let condition = |kind: &str, (status, reason, message): (&str, &str, &str)| {
        let same = before.into_iter().flatten().find(|c| c["type"] == kind && c["status"] == status);
        let since = same.and_then(|condition| condition["lastTransitionTime"].as_str()).unwrap_or(time);
        json!({
            "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
        })
    };
    let deleted = "All content successfully deleted, may be waiting on finalization";
    json!([
        condition(
            "NamespaceDeletionDiscoveryFailure",
            ("False", "ResourcesDiscovered", "All resources successfully discovered"),
        ),
        condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            ("False", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        condition("NamespaceDeletionContentFailure", ("False", "ContentDeleted", deleted)),
        condition("NamespaceContentRemaining", ("True", "SomeResourcesRemain", &remaining)),
        condition("NamespaceFinalizersRemaining", held),
    ])
}

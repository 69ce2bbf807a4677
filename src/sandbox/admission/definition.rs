//! The status of a CustomResourceDefinition.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::object::Object;

/// The status that a definition has beside the others: names accepted and established, or not.
pub(in crate::sandbox) fn definition_status(
    definition: &Object,
    others: &[Arc<Object>],
    time: &str,
) -> Value {
    let names = definition.get(&["spec", "names"]).cloned().unwrap_or_default();
    let in_group: Vec<&Arc<Object>> = others
        .iter()
        .filter(|other| other.get(&["spec", "group"]) == definition.get(&["spec", "group"]))
        .collect();
    let is_taken = |key: &str| {
        in_group.iter().any(|other| {
            let accepted = other.get(&["status", "acceptedNames", key]);
            accepted.is_some() && accepted == names.get(key)
        })
    };
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        let before = definition.get(&["status", "conditions"]).and_then(Value::as_array);
        let same = before.into_iter().flatten().find(|c| c["type"] == kind && c["status"] == status);
        let since = same.and_then(|c| c["lastTransitionTime"].as_str()).unwrap_or(time);
        json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since})
    };
    // Each name for itself, and the last conflict is the one that is told (apiextensions' naming controller).
    let mut accepted = json!({"kind": "", "plural": ""});
    let mut conflict = None;
    for (key, reason) in [
        ("plural", "PluralConflict"),
        ("singular", "SingularConflict"),
        ("kind", "KindConflict"),
        ("listKind", "ListKindConflict"),
    ] {
        match names.get(key) {
            Some(name) if is_taken(key) => conflict = Some((reason, format!("{name} is already in use"))),
            Some(name) => accepted[key] = name.clone(),
            None => {}
        }
    }
    let (conditions, accepted) = match conflict {
        None => (
            json!([
                condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
                condition(
                    "Established",
                    "True",
                    "InitialNamesAccepted",
                    "the initial names have been accepted"
                ),
            ]),
            names,
        ),
        Some((reason, message)) => (
            json!([
                condition("NamesAccepted", "False", reason, &message),
                condition("Established", "False", "NotAccepted", "not all names are accepted"),
            ]),
            accepted,
        ),
    };
    let mut stored: Vec<Value> = match definition.get(&["status", "storedVersions"]) {
        Some(Value::Array(versions)) => versions.clone(),
        _ => Vec::new(),
    };
    let versions = definition.get(&["spec", "versions"]).and_then(Value::as_array);
    for version in versions.into_iter().flatten() {
        let name = version.get("name").cloned().unwrap_or_default();
        if version.get("storage").and_then(Value::as_bool) == Some(true) && !stored.contains(&name) {
            stored.push(name);
        }
    }
    json!({"acceptedNames": accepted, "conditions": conditions, "storedVersions": stored})
}

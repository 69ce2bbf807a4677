//! Whether what was deleted is gone, and what keeps it.

use serde_json::Value;

use super::Condition;
use crate::object::{Object, ObjectRef};
use crate::plan::{Lookup, Sighting, Unmet};
use crate::topology::ClusterName;

/// How many objects that stay are told of.
const TOLD: usize = 5;

/// What of the targets is still there; none where all are gone.
pub fn still_there(targets: &[(ClusterName, ObjectRef)], live: &impl Lookup) -> Option<Unmet> {
    let left: Vec<&Object> = targets
        .iter()
        .filter_map(|(cluster, object)| match live.object(cluster, object) {
            Sighting::Found(found) => Some(found),
            Sighting::Absent | Sighting::Unread => None,
        })
        .collect();
    let first = left.first()?.reference();
    let what = match left.len() {
        1 => format!("{first} to be gone"),
        more => format!("{first} and {} more to be gone", more - 1),
    };
    Some(Unmet { what, facts: left.iter().take(TOLD).flat_map(|object| keepers(object)).collect() })
}

/// What keeps an object that is to go.
fn keepers(object: &Object) -> Vec<String> {
    let name = object.reference();
    if !object.is_being_deleted() {
        return vec![format!("{name} is not being deleted: somebody made it anew")];
    }
    let mut facts = Vec::new();
    let finalizers = object.get(&["metadata", "finalizers"]).and_then(Value::as_array);
    let names: Vec<&str> = finalizers.into_iter().flatten().filter_map(Value::as_str).collect();
    if !names.is_empty() {
        facts.push(format!("{name} has finalizers {}", names.join(", ")));
    }
    // A namespace and a definition say in their conditions what is left in them.
    let tells = |condition: &Condition<'_>| match object.kind() {
        "Namespace" => condition.status == "True",
        "CustomResourceDefinition" => condition.kind == "Terminating" && condition.status == "True",
        _ => false,
    };
    let conditions = Condition::all(object).filter(tells);
    facts.extend(conditions.map(|condition| format!("{name}: {}: {}", condition.reason, condition.message)));
    facts
}

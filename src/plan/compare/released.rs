//! What an object keeps when we let go of it.
//!
//! Where others install from now on what we made, that is all of it but our label, and no apply will do: one that
//! asks for nothing, of a manager that holds a single label, takes every label that nobody else holds
//! (`prune` in structured-merge-diff takes the map and puts back what others own). So our name and our label go in
//! one patch. Where it was there before:
//!
//! An apply that asks for nothing takes away whatever only we still hold. For labels and annotations
//! that is right: we added them. But values that we set in place of somebody else's (a ConfigMap's
//! data, a webhook's rules) are all that is left of those, and without them the object would be broken.
//! So we give them up first, by a write of `metadata.managedFields`, and they stay as they are. The
//! same goes for an annotation without which servers refuse the object.

use serde_json::Value;

use super::renamed::is_ours;
use crate::object::{FieldPath, FieldSet, ManagedEntry, Object, PathElement};

/// The annotation that a token Secret must have (`ValidateSecret` in
/// `pkg/apis/core/validation/validation.go`, Kubernetes 1.35).
const ACCOUNT: &str = "kubernetes.io/service-account.name";

/// What `metadata.managedFields` of a live object becomes when we give up all but its labels and
/// annotations, and of those what it must have; none where there is nothing else to give up.
pub fn given_up(live: &Object) -> Option<Value> {
    let needed = needed(live);
    let mut gave_up = false;
    let mut kept = Vec::new();
    for value in live.get(&["metadata", "managedFields"])?.as_array()? {
        let Some(mut entry) = ManagedEntry::from_value(value).filter(is_ours) else {
            kept.push(value.clone());
            continue;
        };
        let added = additions(&entry.fields).difference(&needed);
        gave_up |= added != entry.fields;
        entry.fields = added;
        if !entry.fields.is_empty() {
            kept.push(entry.to_value());
        }
    }
    if kept.is_empty() {
        kept.push(nobody());
    }
    gave_up.then_some(Value::Array(kept))
}

/// What `metadata.managedFields` of a live object becomes when we hold nothing of it any more; none where we do not.
pub fn without_us(live: &Object) -> Option<Value> {
    let entries = live.get(&["metadata", "managedFields"])?.as_array()?;
    let is_theirs = |value: &&Value| !ManagedEntry::from_value(value).is_some_and(|entry| is_ours(&entry));
    let mut kept: Vec<Value> = entries.iter().filter(is_theirs).cloned().collect();
    if kept.len() == entries.len() {
        return None;
    }
    if kept.is_empty() {
        kept.push(nobody());
    }
    Some(Value::Array(kept))
}

/// An entry of nobody's. An empty list would ask the server to forget every manager there is; this does not.
fn nobody() -> Value {
    Value::Object(serde_json::Map::new())
}

/// The labels and annotations among some fields.
fn additions(fields: &FieldSet) -> FieldSet {
    let of_metadata = |name| {
        let path = FieldPath(vec![PathElement::field("metadata"), PathElement::field(name)]);
        fields.within(&path)
    };
    of_metadata("labels").union(&of_metadata("annotations"))
}

/// The annotations without which a server refuses the object.
fn needed(live: &Object) -> FieldSet {
    let mut needed = FieldSet::default();
    if live.kind() == "Secret" && live.text(&["type"]) == Some("kubernetes.io/service-account-token") {
        needed.insert(&FieldPath(["metadata", "annotations", ACCOUNT].map(PathElement::field).to_vec()));
    }
    needed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_but_labels_and_annotations_is_given_up() {
        let theirs = json!({
            "manager": "helm", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:theirs": {}}},
        });
        let live = |fields: Value| {
            Object::from_value(json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "values", "namespace": "istio-system", "managedFields": [
                    {
                        "manager": "stolos", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
                        "fieldsV1": fields,
                    },
                    theirs,
                ]},
            }))
            .expect("an object")
        };
        let labels = json!({"f:metadata": {"f:labels": {"f:app": {}}}});
        let all = json!({"f:data": {"f:ours": {}}, "f:metadata": {"f:labels": {"f:app": {}}}});
        let managers = given_up(&live(all)).expect("data is given up");
        assert_eq!(managers[0]["fieldsV1"], labels);
        assert_eq!(managers[1], theirs);
        assert_eq!(given_up(&live(labels.clone())), None);
        assert_eq!(without_us(&live(labels)), Some(json!([theirs])));
        let managers = given_up(&live(json!({"f:data": {"f:ours": {}}}))).expect("all is given up");
        assert_eq!(managers, json!([theirs]));
    }
}

//! The live fields that a change hangs on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ownership::{MANAGER, Ownership, leaves, value_at};
use super::settle::belongs_to_controller;
use crate::object::{FieldPath, FieldSet, Object, kinds};

/// The live fields that a change hangs on: those asked for, those that are ours, and items that were renamed; each
/// with its value and whoever holds it.
///
/// What controllers own is not among them, nor is what others added, nor when anybody wrote it.
pub(in crate::plan) fn compared<'l>(
    desired: Option<&Object>,
    renamed: &[FieldPath],
    live: &'l Object,
) -> BTreeMap<FieldPath, (Option<&'l Value>, Vec<String>)> {
    let ownership = Ownership::of(live);
    let asked = desired.map(|desired| {
        let known = kinds::find(&desired.reference().group, desired.kind());
        let shape = known.map_or_else(kinds::custom_shape, |kind| kind.shape);
        FieldSet::of_map(desired.as_map(), shape).without_identity()
    });
    let sets = asked.iter().chain(&ownership.ours);
    let paths: BTreeSet<FieldPath> = sets.flat_map(leaves).chain(renamed.iter().cloned()).collect();
    let compared = paths.into_iter().filter(|path| !belongs_to_controller(live.kind(), path));
    compared
        .map(|path| {
            let ours = ownership.is_ours(&path).then(|| MANAGER.to_owned());
            let others: BTreeSet<String> = ownership.holders(&path).map(str::to_owned).collect();
            let holders = ours.into_iter().chain(others).collect();
            let value = value_at(live, &path);
            (path, (value, holders))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_webhook_hangs_on_what_is_asked_for_and_not_on_what_istiod_writes() {
        let entry = |manager: &str, operation: &str, fields: Value| {
            json!({
                "manager": manager, "operation": operation, "apiVersion": "admissionregistration.k8s.io/v1",
                "time": "2026-11-20T10:00:00Z", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:webhooks": {"k:{\"name\":\"a\"}": fields}},
            })
        };
        let webhook = |bundle: &str| {
            Object::from_value(json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "v", "managedFields": [
                    entry("stolos", "Apply", json!({".": {}, "f:name": {}, "f:failurePolicy": {}, "f:sideEffects": {}})),
                    entry("pilot-discovery", "Update", json!({"f:clientConfig": {"f:caBundle": {}}})),
                ]},
                "webhooks": [{
                    "name": "a", "clientConfig": {"caBundle": bundle}, "failurePolicy": "Ignore", "sideEffects": "None",
                }],
            }))
            .expect("an object")
        };
        let live = webhook("eA==");
        let found: Vec<(String, Option<&Value>, Vec<String>)> = compared(Some(&webhook("eQ==")), &[], &live)
            .into_iter()
            .map(|(path, (value, holders))| (path.to_string(), value, holders))
            .collect();
        let ours = vec!["stolos".to_owned()];
        assert_eq!(
            found,
            [
                ("webhooks[name=a].name".to_owned(), Some(&json!("a")), ours.clone()),
                ("webhooks[name=a].sideEffects".to_owned(), Some(&json!("None")), ours),
            ]
        );
    }
}

//! Fields that a client-side applier set, and that become ours alone.
//!
//! `kubectl apply` and Helm 3 work out by themselves what to change and send an update, so to a server they hold for
//! ever whatever they once set. An apply of ours that asks for the same value only holds it beside them, and when the
//! topology no longer asks for it, it would stay. So what is adopted is taken from such tools for good, by a write of
//! `metadata.managedFields` as client-go's `csaupgrade` does it. What they set and we do not ask for stays theirs.

use serde_json::Value;

use super::ownership::MANAGER;
use super::renamed::{handed_over, is_ours};
use crate::object::fields::Operation;
use crate::object::{FieldPath, FieldSet, ManagedEntry, Object, kinds, managed_fields};
use crate::plan::Migration;

/// Who writes for a person from outside of the cluster, beside everything that begins with `kubectl-`.
/// `before-first-apply` is whoever wrote before the server knew of managers.
const CLIENTS: [&str; 5] = ["before-first-apply", "helm", "istio-operator", "istioctl", "kubectl"];

/// How many fields of a desired object each client-side applier holds, in the order of their names.
pub(super) fn migrations(desired: &Object, live: &Object) -> Vec<Migration> {
    let asked = asked(desired);
    let mut found: Vec<Migration> = Vec::new();
    for entry in managed_fields(live).iter().filter(|entry| is_migrated(entry, desired)) {
        let fields = entry.fields.intersection(&asked).len();
        match found.iter_mut().find(|migration| migration.manager == entry.manager) {
            Some(migration) => migration.fields += fields,
            None => found.push(Migration { manager: entry.manager.clone(), fields }),
        }
    }
    found.retain(|migration| migration.fields > 0);
    found.sort_by(|a, b| a.manager.cmp(&b.manager));
    found
}

/// What `metadata.managedFields` of a live object becomes when the fields of a desired one are taken from client-side
/// appliers; none where they hold none.
pub fn migrated(live: &Object, desired: &Object) -> Option<Value> {
    let asked = asked(desired);
    let mut taken = FieldSet::default();
    let mut since = None;
    let mut kept = Vec::new();
    for value in live.get(&["metadata", "managedFields"])?.as_array()? {
        let Some(mut entry) = ManagedEntry::from_value(value).filter(|entry| is_migrated(entry, desired))
        else {
            kept.push(value.clone());
            continue;
        };
        let theirs = entry.fields.intersection(&asked);
        if theirs.is_empty() {
            kept.push(value.clone());
            continue;
        }
        entry.fields = without_empty(&entry.fields.difference(&theirs), &theirs);
        taken.extend(&theirs);
        since = since.max(entry.time.clone());
        if !entry.fields.is_empty() {
            kept.push(entry.to_value());
        }
    }
    let same_version = |entry: &ManagedEntry| !is_ours(entry) || entry.api_version == desired.api_version();
    if taken.is_empty() || !managed_fields(live).iter().all(same_version) {
        return None;
    }
    Some(handed_over(kept, taken, since, desired.api_version()))
}

/// The fields that an object asks for.
fn asked(desired: &Object) -> FieldSet {
    let known = kinds::find(&desired.reference().group, desired.kind());
    let shape = known.map_or_else(kinds::custom_shape, |kind| kind.shape);
    FieldSet::of_map(desired.as_map(), shape).without_identity()
}

/// Whether an entry is that of a client-side applier. Sets of paths are those of one version.
fn is_migrated(entry: &ManagedEntry, desired: &Object) -> bool {
    let is_client = CLIENTS.contains(&entry.manager.as_str()) || entry.manager.starts_with("kubectl-");
    is_client
        && entry.manager != MANAGER
        && entry.operation == Operation::Update
        && entry.subresource.is_empty()
        && entry.api_version == desired.api_version()
}

/// A set without the maps and lists of which all was taken: who holds but those would seem to hold all in them.
fn without_empty(rest: &FieldSet, taken: &FieldSet) -> FieldSet {
    let mut rest = rest.clone();
    for path in taken.paths() {
        for length in (1..path.0.len()).rev() {
            let holder = FieldPath(path.0[..length].to_vec());
            if rest.within(&holder).len() == 1 && rest.contains(&holder) {
                let mut only = FieldSet::default();
                only.insert(&holder);
                rest = rest.difference(&only);
            }
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({
            "manager": manager, "operation": operation, "apiVersion": "v1", "time": "2026-11-20T10:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    }

    fn live(managers: &[Value]) -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "values", "namespace": "istio-system", "managedFields": managers},
        }))
        .expect("an object")
    }

    fn desired() -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "values", "namespace": "istio-system", "labels": {"app": "istiod"}},
            "data": {"ours": "1"},
        }))
        .expect("an object")
    }

    #[test]
    fn what_is_asked_for_is_taken_from_client_side_appliers_and_the_rest_left() {
        let applied = json!({
            "f:data": {".": {}, "f:ours": {}, "f:theirs": {}},
            "f:metadata": {
                "f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}},
                "f:labels": {".": {}, "f:app": {}},
            },
        });
        let controller = entry("some-controller", "Update", json!({"f:data": {"f:ours": {}}}));
        let other = entry("argocd", "Apply", json!({"f:data": {"f:ours": {}}}));
        let before =
            live(&[entry("kubectl-client-side-apply", "Update", applied), controller.clone(), other.clone()]);
        assert_eq!(
            migrations(&desired(), &before),
            [Migration { manager: "kubectl-client-side-apply".to_owned(), fields: 2 }]
        );
        let left = json!({
            "f:data": {".": {}, "f:theirs": {}},
            "f:metadata": {
                "f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}},
            },
        });
        let taken = json!({"f:data": {"f:ours": {}}, "f:metadata": {"f:labels": {"f:app": {}}}});
        let expected = json!([
            entry("kubectl-client-side-apply", "Update", left),
            controller,
            other,
            entry("stolos", "Apply", taken),
        ]);
        let after = migrated(&before, &desired()).expect("fields are taken");
        assert_eq!(after, expected);
        let again = live(after.as_array().expect("a list"));
        assert_eq!((migrations(&desired(), &again), migrated(&again, &desired())), (Vec::new(), None));
    }

    #[test]
    fn who_holds_nothing_else_is_no_manager_any_more() {
        let fields = json!({"f:data": {".": {}, "f:ours": {}}});
        let before = live(&[entry("helm", "Update", fields)]);
        let after = migrated(&before, &desired()).expect("fields are taken");
        assert_eq!(after, json!([entry("stolos", "Apply", json!({"f:data": {"f:ours": {}}}))]));
    }
}

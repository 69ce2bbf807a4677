//! One object against another.

use serde_json::json;

use super::*;

/// A Deployment that asks for 2048Mi and a field of its pod, as a chart writes it.
fn asked() -> Object {
    deployment(json!({"requests": {"memory": "2048Mi"}}), json!({"fieldPath": "metadata.name"}), json!([]))
}

/// The same as a server keeps it for whoever sent it.
fn kept_for(manager: &str, operation: &str) -> Object {
    let managed = json!([{
        "manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {
            ".": {}, "f:name": {}, "f:resources": {"f:requests": {"f:memory": {}}},
            "f:env": {"k:{\"name\":\"POD\"}": {".": {}, "f:name": {}, "f:valueFrom": {"f:fieldRef": {}}}},
        }}}}}},
    }]);
    let field = json!({"apiVersion": "v1", "fieldPath": "metadata.name"});
    deployment(json!({"requests": {"memory": "2Gi"}}), field, managed)
}

fn deployment(resources: Value, field: Value, managed: Value) -> Object {
    Object::from_value(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "managedFields": managed},
        "spec": {"template": {"spec": {"containers": [{
            "name": "c", "resources": resources, "env": [{"name": "POD", "valueFrom": {"fieldRef": field}}],
        }]}}},
    }))
    .unwrap()
}

/// What is done to an object that was there before, once the server has said that it stays as it is.
fn adoption(live: &Object, conflicts: Conflicts) -> Result<Change, Failure> {
    let (cluster, desired) = (ClusterName::from("c1"), asked());
    let mut dry_runs = DryRuns::default();
    let candidate = crate::plan::Candidate { cluster: cluster.clone(), object: desired.clone(), conflicts };
    dry_runs.insert(candidate, DryRun::Merged(live.clone()));
    let comparison = Comparison {
        cluster: &cluster,
        desired: &desired,
        digest: "x",
        live: Some(live),
        lasting: Lasting::Stays,
        recorded: None,
        conflicts,
        unread: &BTreeSet::new(),
        dry_runs: &dry_runs,
    };
    comparison.change()
}

#[test]
fn the_same_in_other_words_is_taken_from_those_who_do_not_apply() {
    let change = adoption(&kept_for("kubectl-client-side-apply", "Update"), Conflicts::Refuse).unwrap();
    assert_eq!((change.action, change.fields, change.conflicts), (Action::Adopt, vec![], Conflicts::Force));
}

#[test]
fn the_same_in_other_words_is_a_conflict_with_a_tool_that_applies() {
    let failure = adoption(&kept_for("helm", "Apply"), Conflicts::Refuse).unwrap_err();
    assert_eq!(
        failure.facts,
        [
            "spec.template.spec.containers[name=c].env[name=POD].valueFrom.fieldRef is applied by helm",
            "spec.template.spec.containers[name=c].resources.requests.memory is applied by helm",
        ]
    );
}

#[test]
fn whoever_forces_conflicts_forces_those_too_that_show_no_difference() {
    let change = adoption(&kept_for("helm", "Apply"), Conflicts::Force).unwrap();
    assert_eq!((change.action, change.fields, change.conflicts), (Action::Adopt, vec![], Conflicts::Force));
}

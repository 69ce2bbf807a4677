use serde_json::{Value, json};

use super::*;
use crate::object::kinds;

fn object(value: Value) -> Object {
    Object::from_value(value).expect("a test writes whole objects")
}

fn claimed(value: Value) -> Value {
    let object = object(value);
    let reference = object.reference();
    let kind = kinds::find(&reference.group, &reference.kind).expect("a test uses known kinds");
    FieldSet::of_object(&object, kind).to_fields_v1()
}

#[test]
fn a_deployment_claims_what_kubernetes_says_it_does() {
    let fields = claimed(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n", "labels": {"app": "d"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]},
            },
        },
    }));
    assert_eq!(
        fields,
        json!({
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {
                "f:replicas": {},
                "f:selector": {},
                "f:template": {
                    "f:metadata": {"f:labels": {"f:app": {}}},
                    "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {
                        ".": {}, "f:name": {}, "f:image": {},
                        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
                    }}},
                },
            },
        })
    );
}

#[test]
fn a_custom_resource_claims_the_maps_within_its_spec() {
    let object = object(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": {"name": "g"},
        "spec": {"selector": {"istio": "eastwestgateway"}, "servers": [{"hosts": ["*"]}]},
    }));
    let kind = kinds::find("networking.istio.io", "Gateway").expect("it is in the table");
    assert_eq!(
        FieldSet::of_object(&object, kind).to_fields_v1(),
        json!({"f:spec": {"f:selector": {".": {}, "f:istio": {}}, "f:servers": {}}})
    );
}

#[test]
fn empty_maps_and_nulls_are_leaves() {
    let fields = claimed(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "annotations": {}}, "data": null,
    }));
    assert_eq!(fields, json!({"f:metadata": {"f:annotations": {}}, "f:data": {}}));
}

#[test]
fn entries_of_managed_fields_survive_the_round() {
    let entry = json!({
        "manager": "stolos", "operation": "Apply", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}, "f:a": {}}}, "subresource": "status",
    });
    let live = object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "managedFields": [entry.clone()]},
    }));
    let entries: Vec<Value> = managed_fields(&live).iter().map(ManagedEntry::to_value).collect();
    assert_eq!(entries, [entry]);
}

mod laws {
    use proptest::prelude::*;

    use super::super::*;

    fn sets() -> impl Strategy<Value = FieldSet> {
        let path = proptest::collection::vec(0_u8..3, 1..4);
        proptest::collection::vec(path, 0..8).prop_map(|paths| {
            let mut set = FieldSet::default();
            for path in paths {
                set.insert(&FieldPath(path.iter().map(|n| PathElement::field(n.to_string())).collect()));
            }
            set
        })
    }

    proptest! {
        #[test]
        fn sets_behave_as_sets_of_paths(a in sets(), b in sets()) {
            let paths = |set: &FieldSet| set.paths().into_iter().collect::<BTreeSet<_>>();
            prop_assert_eq!(paths(&a.union(&b)), &paths(&a) | &paths(&b));
            prop_assert_eq!(paths(&a.intersection(&b)), &paths(&a) & &paths(&b));
            prop_assert_eq!(paths(&a.difference(&b)), &paths(&a) - &paths(&b));
            prop_assert_eq!(a.len(), paths(&a).len());
            for path in paths(&a) { prop_assert!(a.contains(&path)); }
        }

        #[test]
        fn sets_survive_the_round_through_fields_v1(a in sets()) {
            prop_assert_eq!(FieldSet::from_fields_v1(&a.to_fields_v1()).map(|b| b.paths()), Ok(a.paths()));
        }
    }
}

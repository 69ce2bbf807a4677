use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::compile::{Installer, MeshFacts, RootFacts};
use crate::object::Object;
use crate::topology::IstioVersion;

fn mesh() -> MeshFacts {
    MeshFacts {
        id: "mesh1".to_owned(),
        namespace: "istio-system".to_owned(),
        trust_domain: "cluster.local".to_owned(),
        version: IstioVersion::NEWEST,
        installer: Installer::Stolos,
        charts: "embedded charts".to_owned(),
        networks: 2,
        root: RootFacts::Istiod,
    }
}

fn one_entry() -> Inventory {
    let object = ObjectRef {
        group: "apps".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "istiod".to_owned(),
    };
    let entry = InventoryEntry {
        uid: Some("u1".to_owned()),
        origin: Origin::Created,
        unit: "cluster1/control-plane".parse().unwrap(),
        digest: "d1".to_owned(),
    };
    Inventory {
        cluster_uid: "k1".to_owned(),
        members: vec!["cluster1".to_owned(), "cluster2".to_owned()],
        entries: BTreeMap::from([(object, entry)]),
        plans: Vec::new(),
    }
}

#[test]
fn an_inventory_is_an_applyset_parent() {
    assert_eq!(
        one_entry().to_object(&mesh()).into_value(),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "stolos-mesh1", "namespace": "istio-system",
                // printf 'stolos-mesh1.istio-system.ConfigMap.' | openssl dgst -sha256 -binary | basenc --base64url
                "labels": {"applyset.kubernetes.io/id": "applyset-S_y92KgT_RY6M_GMJrDngmhnHglkYpl_7RtHXvvMfCM-v1"},
                "annotations": {
                    "applyset.kubernetes.io/tooling": "stolos/v0.1.0",
                    "applyset.kubernetes.io/contains-group-kinds": "Deployment.apps",
                    "applyset.kubernetes.io/additional-namespaces": "",
                },
            },
            "data": {
                "cluster": r#"{"format":1,"members":["cluster1","cluster2"],"uid":"k1"}"#,
                "unit.control-plane": r#"["apps","Deployment","istio-system","istiod","u1","created","d1"]"#,
            },
        })
    );
}

#[test]
fn a_broken_inventory_is_never_an_empty_one() {
    let whole = one_entry().to_object(&mesh()).into_value();
    let read = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = whole.clone();
        change(&mut value);
        Inventory::from_object(&Object::from_value(value).unwrap(), &"cluster1".into())
            .map(|inventory| inventory.entries.len())
            .map_err(|fault| fault.to_string())
    };
    let fault = |text: &str| Err(text.to_owned());
    assert_eq!(read(&|_| {}), Ok(1));
    assert_eq!(read(&|v| v["data"] = json!(null)), fault(r#"data["cluster"]: it is missing"#));
    assert_eq!(read(&|v| v["data"]["cluster"] = json!("{")), fault(r#"data["cluster"]: it is no JSON"#));
    assert_eq!(
        read(&|v| v["data"]["unit.control-plane"] = json!("[1]")),
        fault(
            r#"data["unit.control-plane"]: a line is not group, kind, namespace, name, uid, origin, digest"#
        )
    );
    assert_eq!(read(&|v| v["data"]["notes"] = json!("")), fault(r#"data["notes"]: it names no unit"#));
    assert_eq!(
        read(&|v| v["data"]["cluster"] = json!(r#"{"format":2}"#)),
        fault("it is of format 2, which a later Stolos writes")
    );
    assert_eq!(
        read(&|v| v["metadata"]["annotations"]["applyset.kubernetes.io/tooling"] = json!("kubectl/v1.33.0")),
        fault("it belongs to kubectl/v1.33.0")
    );
}

#[test]
fn a_digest_knows_a_secret_from_another_and_does_not_hold_it() {
    let secret = |text: &str| {
        let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": text}});
        digest(&Object::from_value(value).unwrap())
    };
    assert_eq!(secret("hunter2"), secret("hunter2"));
    assert_ne!(secret("hunter2"), secret("hunter3"));
}

#[test]
fn an_inventory_remembers_the_latest_saved_plans_and_each_once() {
    let mut inventory = one_entry();
    let ids: Vec<String> = (0..25).map(|number| format!("plan-{number}")).collect();
    for id in ids.iter().chain([&ids[24]]) {
        inventory.use_plan(id);
    }
    assert_eq!(inventory.plans, ids[5..]);
    let written = inventory.to_object(&mesh());
    assert_eq!(written.get(&["data", "plans"]), Some(&json!(ids[5..].join("\n"))));
}

fn entries() -> impl Strategy<Value = BTreeMap<ObjectRef, InventoryEntry>> {
    let object = ("[a-z.]{0,6}", "[A-Z][a-z]{1,6}", proptest::option::of("[a-z]{1,6}"), "\\PC{1,6}");
    let entry = (proptest::option::of("[a-f0-9]{4}"), any::<bool>(), 0_usize..3, "[a-f0-9]{8}");
    proptest::collection::btree_map(object, entry, 0..12).prop_map(|map| {
        map.into_iter()
            .map(|((group, kind, namespace, name), (uid, created, unit, digest))| {
                let origin = if created { Origin::Created } else { Origin::Adopted };
                let units = ["cluster1/base", "cluster1/remote-secret-west", "cluster1/app-namespaces"];
                let unit = units[unit].parse().unwrap();
                (ObjectRef { group, kind, namespace, name }, InventoryEntry { uid, origin, unit, digest })
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn an_inventory_survives_the_round(
        entries in entries(),
        members in proptest::collection::vec("[a-z0-9-]{1,8}", 0..5),
        plans in proptest::collection::vec("[a-f0-9]{32}", 0..5),
    ) {
        let inventory = Inventory { cluster_uid: "k1".to_owned(), members, entries, plans };
        let read = Inventory::from_object(&inventory.to_object(&mesh()), &"cluster1".into());
        prop_assert_eq!(read, Ok(inventory));
    }
}

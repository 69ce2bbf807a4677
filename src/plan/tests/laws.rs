//! What holds whatever is asked for and whatever is live.

use proptest::prelude::*;

use super::*;
use crate::object::{Object, ObjectRef};

/// A custom resource with whatever in it.
fn resources() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|value| json!(value)),
        any::<i32>().prop_map(|value| json!(value)),
        "[a-z0-9 ]{1,6}".prop_map(|value| json!(value)),
    ];
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|items| json!(items)),
            proptest::collection::btree_map("[a-d]", inner, 1..4).prop_map(|map| json!(map)),
        ]
    });
    proptest::collection::btree_map("[a-d]", tree, 1..4).prop_map(|map| json!(map))
}

fn resource(spec: &serde_json::Value) -> Object {
    Object::from_value(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway",
        "metadata": {"name": "g", "namespace": "n", "labels": {"a": "b"}}, "spec": spec,
    }))
    .unwrap()
}

fn action(desired: &Object, live: &Object, recorded: &Object) -> Action {
    let entry = InventoryEntry {
        uid: live.uid().map(str::to_owned),
        origin: Origin::Created,
        unit: "c1/expose-services".parse().unwrap(),
        digest: digest(recorded),
    };
    let comparison = Comparison {
        cluster: &"c1".into(),
        desired,
        digest: &digest(desired),
        live: Some(live),
        lasting: Lasting::Stays,
        recorded: Some(&entry),
        conflicts: Conflicts::Refuse,
        unread: &BTreeSet::new(),
        dry_runs: &DryRuns::default(),
    };
    comparison.change().unwrap().action
}

proptest! {
    #[test]
    fn what_was_applied_is_no_change(spec in resources()) {
        let desired = resource(&json!(spec));
        let live = world::applied(&desired, None, "u");
        prop_assert_eq!(action(&desired, &live, &desired), Action::NoOp);
    }

    #[test]
    fn a_changed_topology_is_a_change_unless_it_asks_for_the_same(old in resources(), new in resources()) {
        let (old, new) = (resource(&json!(old)), resource(&json!(new)));
        let live = world::applied(&old, None, "u");
        let expected = if old == new { Action::NoOp } else { Action::Update };
        prop_assert_eq!(action(&new, &live, &old), expected);
    }

    #[test]
    fn what_others_add_is_no_change(spec in resources(), more in "[e-h]", value in any::<i32>()) {
        let desired = resource(&json!(spec));
        let mut live = world::applied(&desired, None, "u").into_value();
        live["spec"][more] = json!(value);
        live["status"] = json!({"seen": value});
        let live = Object::from_value(live).unwrap();
        prop_assert_eq!(action(&desired, &live, &desired), Action::NoOp);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_goes_that_the_inventory_does_not_name(seed in any::<u64>(), unread in 0_usize..3) {
        let (desired, mut world) = multi_network();
        let mut bits = seed;
        for name in ["cluster1", "cluster2"] {
            let cluster = world.cluster(name);
            let mut strays: Vec<Object> = Vec::new();
            for (reference, object) in &cluster.objects {
                bits = bits.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1;
                if bits % 3 == 0 {
                    cluster.inventory.as_mut().unwrap().entries.remove(reference);
                }
                let mut stray = object.clone().into_value();
                stray["metadata"]["name"] = json!(format!("stray-{}", reference.name));
                strays.push(Object::from_value(stray).unwrap());
            }
            cluster.objects.extend(strays.into_iter().map(|stray| (stray.reference(), stray)));
        }
        let named = |world: &mut World, name: &str| -> BTreeSet<ObjectRef> {
            world.cluster(name).inventory.as_ref().unwrap().entries.keys().cloned().collect()
        };
        let inventories = ["cluster1", "cluster2"].map(|name| (name, named(&mut world, name)));
        if let Some((gone, _)) = inventories.get(unread) {
            world.unreachable(gone);
        }
        let smaller = super::desired(&example(MULTI_NETWORK).replace("namespaces:\n  sample: { injection: enabled }", ""));
        let inputs = Inputs::at(world::now());
        for plan in [destroy(&desired, &world.live, &inputs), diff(&smaller, &world.live, &inputs)].into_iter().flatten() {
            for step in &plan.steps {
                let goes = |change: &&Change| matches!(change.action, Action::Delete | Action::Release | Action::Keep);
                for change in step.changes.iter().filter(goes) {
                    let (_, named) = inventories.iter().find(|(name, _)| *name == step.unit.cluster.as_str()).unwrap();
                    prop_assert!(named.contains(&change.object), "{}", change.object);
                    prop_assert!(!plan.unknown.contains_key(&step.unit.cluster));
                }
            }
        }
    }
}

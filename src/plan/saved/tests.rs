use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::compile::Desired;
use crate::object::{Object, ObjectRef};
use crate::plan::tests::world::{World, desired, example, now, with_charts};
use crate::plan::{Inputs, destroy};

fn multi_network() -> (Desired, World) {
    let desired = desired(&example("primary-remote-multi-network.yaml"));
    let mut world = World::new(&desired);
    world.apply(&desired);
    (desired, world)
}

fn saved(mode: Mode, plan: &Plan, world: &World) -> SavedPlan {
    SavedPlan {
        stolos: VERSION.to_owned(),
        id: "7f".to_owned(),
        made: now().to_string(),
        salt: "sa1t".to_owned(),
        mode,
        conflicts: Conflicts::Refuse,
        reach: SavedReach::default(),
        topology: SavedTopology {
            path: "mesh.yaml".to_owned(),
            sources: vec![SavedSource { name: "mesh.yaml".to_owned(), text: "version: 1\n".to_owned() }],
            files: BTreeMap::new(),
        },
        binding: Binding::of(plan, &world.live, "sa1t"),
        view: SavedView { text: "t\n".to_owned(), markdown: "# m\n".to_owned(), json: "{}\n".to_owned() },
    }
}

fn planned(mode: Mode, desired: &Desired, world: &World) -> Plan {
    match mode {
        Mode::Apply => world.plan(desired),
        Mode::Destroy => destroy(desired, &world.live, &Inputs::at(now())),
    }
    .expect("a plan")
}

/// What is stale about a plan after something happened.
fn stale_after(
    mode: Mode,
    desired: &Desired,
    world: &World,
    happens: impl FnOnce(&mut World),
) -> Vec<String> {
    let saved = saved(mode, &planned(mode, desired, world), world);
    let mut later = world.copy();
    happens(&mut later);
    stale(&saved, &planned(mode, desired, &later), &later.live)
}

/// The same with every object of the charts.
fn with_all_objects() -> (Desired, World) {
    let desired = with_charts(&example("primary-remote-multi-network.yaml"));
    let mut world = World::new(&desired);
    world.apply(&desired);
    (desired, world)
}

/// A mesh that is to be taken down, so that every object is one that the plan changes, and is known to hold nothing
/// of others.
fn to_be_destroyed() -> (Desired, World) {
    let (desired, mut world) = with_all_objects();
    for name in ["cluster1", "cluster2"] {
        let cluster = world.cluster(name);
        let holders: Vec<ObjectRef> = cluster.objects.keys().cloned().collect();
        cluster.contents = holders.into_iter().map(|holder| (holder, Vec::new())).collect();
    }
    (desired, world)
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_plan_is_not_stale_where_nothing_happened() {
    let (desired, world) = to_be_destroyed();
    let plan = planned(Mode::Destroy, &desired, &world);
    assert!(plan.counts()[&Action::Delete] > 20);
    assert_eq!(stale_after(Mode::Destroy, &desired, &world, |_| ()), NOTHING);
    assert_eq!(stale_after(Mode::Apply, &desired, &world, |_| ()), NOTHING);
}

#[test]
fn what_controllers_and_servers_write_makes_no_plan_stale() {
    let (desired, world) = to_be_destroyed();
    let after = |happens: &dyn Fn(&mut World)| stale_after(Mode::Destroy, &desired, &world, happens);
    let deployment = "Deployment istio-system/istio-eastwestgateway";
    assert_eq!(
        after(&|world| world.edit("cluster1", deployment, "kube-controller-manager", |deployment| {
            deployment["status"]["readyReplicas"] = json!(0);
            deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
        })),
        NOTHING
    );
    let webhook = "MutatingWebhookConfiguration istio-sidecar-injector";
    assert_eq!(
        after(&|world| world.edit("cluster1", webhook, "pilot-discovery", |webhook| {
            webhook["webhooks"][0]["clientConfig"]["caBundle"] = json!("bmV3");
        })),
        NOTHING
    );
    let written = |world: &mut World| {
        for object in world.cluster("cluster1").objects.values_mut() {
            let mut value = object.clone().into_value();
            value["metadata"]["resourceVersion"] = json!("99");
            for entry in value["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
                entry["time"] = json!("2026-11-20T11:59:59Z");
            }
            *object = Object::from_value(value).expect("an object");
        }
    };
    assert_eq!(after(&written), NOTHING);
    let label = |world: &mut World| {
        world.edit("cluster1", "Service istio-system/istiod", "kubectl-label", |service| {
            service["metadata"]["labels"]["team"] = json!("platform");
        });
    };
    assert_eq!(after(&label), NOTHING);
}

#[test]
fn a_change_of_what_was_compared_makes_a_plan_stale_and_is_named() {
    let (desired, world) = to_be_destroyed();
    let after = |happens: &dyn Fn(&mut World)| stale_after(Mode::Destroy, &desired, &world, happens);
    let service = "Service istio-system/istiod";
    assert_eq!(
        after(&|world| world.edit("cluster2", service, "kubectl-edit", |service| {
            service["spec"]["ports"][1]["targetPort"] = json!(1);
        })),
        [
            "cluster2: Service istio-system/istiod: spec.ports[port=443,protocol=TCP].targetPort has another value"
        ]
    );
    let applied_too = |world: &mut World| {
        world.edit("cluster2", service, "kubectl-edit", |_| ());
        let cluster = world.cluster("cluster2");
        let object = cluster.objects.values_mut().find(|object| object.reference().to_string() == service);
        let object = object.expect("it is there");
        let mut value = object.clone().into_value();
        value["metadata"]["managedFields"].as_array_mut().expect("a list").push(json!({
            "manager": "argocd", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:app": {}}}},
        }));
        *object = Object::from_value(value).expect("an object");
    };
    assert_eq!(
        after(&applied_too),
        ["cluster2: Service istio-system/istiod: metadata.labels.app is held by stolos, argocd"]
    );
    assert_eq!(
        after(&|world| world.remove("cluster2", service)),
        ["cluster2: Service istio-system/istiod is gone"]
    );
    assert_eq!(
        after(&|world| world.edit("cluster2", service, "kubectl-create", |service| {
            service["metadata"]["uid"] = json!("another");
        })),
        ["cluster2: Service istio-system/istiod was deleted and made anew"]
    );
    let note = |world: &mut World| {
        let note = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "note", "namespace": "istio-system", "uid": "n"}});
        let contents = &mut world.cluster("cluster1").contents;
        let (_, held) = contents
            .iter_mut()
            .find(|(holder, _)| holder.kind == "Namespace" && holder.name == "istio-system")
            .expect("a namespace");
        held.push(Object::from_value(note).expect("an object"));
    };
    assert_eq!(
        after(&note),
        [
            "cluster1: Namespace istio-system: to keep instead of to delete: is kept: it holds 1 object of others: \
          ConfigMap istio-system/note"
        ]
    );
}

#[test]
fn what_the_plan_left_alone_must_still_be_as_it_should() {
    let (desired, world) = with_all_objects();
    let after = |happens: &dyn Fn(&mut World)| stale_after(Mode::Apply, &desired, &world, happens);
    assert_eq!(
        after(&|world| world.edit(
            "cluster1",
            "ServiceAccount istio-system/istiod",
            "kubectl-edit",
            |account| {
                account["metadata"]["labels"]["app"] = json!("pilot");
            }
        )),
        ["cluster1: ServiceAccount istio-system/istiod was changed: metadata.labels.app"]
    );
    assert_eq!(
        after(&|world| world.remove("cluster2", "Service istio-system/istiod")),
        ["cluster2: Service istio-system/istiod is gone"]
    );
    let empty = World::new(&desired);
    let namespace = |world: &mut World| {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "istio-system", "uid": "n"}});
        let namespace = Object::from_value(namespace).expect("an object");
        world.cluster("cluster1").objects.insert(namespace.reference(), namespace);
    };
    assert_eq!(
        stale_after(Mode::Apply, &desired, &empty, namespace),
        ["cluster1: Namespace istio-system exists by now"]
    );
}

#[test]
fn another_apply_in_between_makes_a_plan_stale_though_every_object_is_the_same() {
    let (desired, world) = multi_network();
    let note = |plans: &'static [&'static str], members: &'static [&'static str]| {
        move |world: &mut World| {
            let inventory = world.cluster("cluster1").inventory.as_mut().expect("an inventory");
            inventory.plans.extend(plans.iter().map(|id| (*id).to_owned()));
            inventory.members.extend(members.iter().map(|name| (*name).to_owned()));
        }
    };
    assert_eq!(stale_after(Mode::Apply, &desired, &world, note(&["another"], &[])), NOTHING);
    assert_eq!(
        stale_after(Mode::Apply, &desired, &world, note(&[], &["cluster1"])),
        ["cluster1: another apply has written the inventory since"]
    );
}

#[test]
fn another_cluster_and_one_that_cannot_be_read_any_more_make_a_plan_stale() {
    let desired = desired(&example("primary-remote-multi-network.yaml").replace("generate", "istiod"));
    let world = World::new(&desired);
    let after = |happens: &dyn Fn(&mut World)| stale_after(Mode::Apply, &desired, &world, happens);
    assert_eq!(
        after(&|world| world.cluster("cluster2").uid = "another".to_owned()),
        ["cluster2: another cluster than the plan was made for"]
    );
    assert_eq!(
        after(&|world| world.unreachable("cluster2")),
        ["cluster2 cannot be read now: cluster2: no answer"]
    );
}

/// The status of the Service of cluster1's gateway.
fn address(world: &mut World, ingress: &Value) {
    world.edit(
        "cluster1",
        "Service istio-system/istio-eastwestgateway",
        "cloud-controller-manager",
        |service| {
            service["status"]["loadBalancer"]["ingress"] = ingress.clone();
        },
    );
}

#[test]
fn a_value_that_comes_about_is_what_the_plan_waited_for_and_another_one_is_not() {
    let (desired, mut world) = multi_network();
    world.remove("cluster2", "Service istio-system/istiod");
    let other = stale_after(Mode::Apply, &desired, &world, |world| {
        address(world, &json!([{"ip": "203.0.113.77"}]));
    });
    assert!(other.contains(&"cluster1/eastwest-gateway.address is another now".to_owned()), "{other:#?}");
    address(&mut world, &json!([]));
    let plan = planned(Mode::Apply, &desired, &world);
    assert!(plan.steps.iter().any(|step| !step.open.is_empty()));
    let known = stale_after(Mode::Apply, &desired, &world, |world| {
        address(world, &json!([{"ip": "203.0.113.1"}]));
    });
    assert_eq!(known, NOTHING);
}

#[test]
fn a_plan_is_used_once_any_inventory_names_it() {
    let (desired, mut world) = multi_network();
    let plan = saved(Mode::Apply, &planned(Mode::Apply, &desired, &world), &world);
    assert_eq!(used(&plan, &world.live), None);
    world.cluster("cluster2").inventory.as_mut().expect("an inventory").use_plan("7f");
    let refused = used(&plan, &world.live).expect("it is used");
    assert_eq!((refused.code.name, refused.facts), ("plan-used", vec!["recorded in cluster2".to_owned()]));
}

#[test]
fn no_value_can_be_found_in_what_a_plan_is_bound_to() {
    let (desired, world) = to_be_destroyed();
    let text = saved(Mode::Destroy, &planned(Mode::Destroy, &desired, &world), &world).to_text();
    for value in ["t0ken", "dDBrZW4", "PRIVATE KEY", "203.0.113.1", "kube-system-cluster1"] {
        assert!(!text.contains(value), "{value}");
    }
    // Nor by trying: the seal of a known value is another for every plan, and another in every cluster.
    let seal = |salt: &str, uid: &str| seal::Sealer::new(salt, uid).seal_text("hunter2");
    assert_ne!(seal("a", "u"), seal("b", "u"));
    assert_ne!(seal("a", "u"), seal("a", "v"));
    assert_ne!(seal("ab", "c"), seal("a", "bc"));
    assert_eq!(seal("a", "u"), seal("a", "u"));
}

fn small() -> SavedPlan {
    let (desired, world) = multi_network();
    saved(Mode::Apply, &planned(Mode::Apply, &desired, &world), &world)
}

/// The document after a change that is covered by a checksum of its own.
fn changed(plan: &SavedPlan, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut document: Value = serde_json::from_str(&plan.to_text()).expect("JSON");
    change(&mut document);
    document["checksum"] = json!(file::checksum(&document["plan"]));
    document.to_string().into_bytes()
}

fn refused(bytes: &[u8]) -> Result<(), (&'static str, String)> {
    match read("m.plan", bytes) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(("", String::new())),
        Err(failure) => Err((failure.code.name, failure.message)),
    }
}

#[test]
fn a_file_gives_the_plan_back_in_whatever_layout() {
    let plan = small();
    assert_eq!(read("m.plan", plan.to_text().as_bytes()), Ok(Some(plan.clone())));
    assert_eq!(read("m.plan", &changed(&plan, |_| ())), Ok(Some(plan.clone())));
    let with_mark = [b"\xef\xbb\xbf", plan.to_text().as_bytes()].concat();
    assert_eq!(read("m.plan", &with_mark), Ok(Some(plan)));
}

#[test]
fn every_file_that_may_not_be_applied_says_why() {
    let plan = small();
    let told = |code, message: &str| Err((code, message.to_owned()));
    let text = plan.to_text();
    assert_eq!(
        refused(&text.as_bytes()[..text.len() / 2]),
        told("plan-truncated", "m.plan is a saved plan that ends in the middle")
    );
    assert_eq!(
        refused(text.replacen("\"plan\"", "plan", 1).as_bytes()),
        told("plan-unreadable", "m.plan begins as a saved plan and is no JSON")
    );
    assert_eq!(
        refused(text.replace("\"apply\"", "\"destroy\"").as_bytes()),
        told("plan-edited", "m.plan is not what was saved: its checksum is another")
    );
    assert_eq!(
        refused(&changed(&plan, |document| document["plan"]["stolos"] = json!("0.0.9"))),
        told("plan-of-another-version", &format!("m.plan was saved by Stolos 0.0.9, and this is {VERSION}"))
    );
    assert_eq!(
        refused(&changed(&plan, |document| document["schema"] = json!("stolos.planfile/v2"))),
        told("plan-format-newer", "m.plan is of schema stolos.planfile/v2, which a later Stolos writes")
    );
    assert_eq!(
        refused(br#"{"schema": "stolos.plan/v1", "steps": []}"#),
        told("plan-format-other", "m.plan is of schema stolos.plan/v1, which is not that of a saved plan")
    );
    let (code, message) =
        refused(&changed(&plan, |document| document["plan"]["mode"] = json!(1))).expect_err("refused");
    assert_eq!(code, "plan-unreadable");
    assert!(message.starts_with("m.plan is no plan that this Stolos saved: "), "{message}");
}

#[test]
fn what_is_no_document_of_ours_is_no_plan() {
    for bytes in
        [&b""[..], b"version: 1\n", b"{version: 1}", b"{\"schema\": \"other/v1\"}", b"[]", b"{\xff", b"{"]
    {
        assert_eq!(read("m.plan", bytes), Ok(None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_byte_of_a_file_can_be_another_without_being_noticed(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        thread_local! {
            static PLAN: (SavedPlan, Vec<u8>) = {
                let plan = small();
                let text = plan.to_text().into_bytes();
                (plan, text)
            };
        }
        PLAN.with(|(plan, text)| {
            let mut bytes = text.clone();
            bytes[at.index(text.len())] = byte;
            if let Ok(Some(found)) = read("m.plan", &bytes) {
                assert_eq!(&found, plan);
            }
            let _ = read("m.plan", &bytes[..at.index(text.len())]);
        });
    }
}

mod charts;
mod dry_runs;
mod laws;
mod others;
mod removals;
mod roots;
mod waves;
pub(crate) mod world;

use std::collections::BTreeSet;

use serde_json::json;

use self::world::{World, desired, example, with_charts};
use super::*;
use crate::compile::{Desired, Hole};
use crate::topology::ClusterName;

const MULTI_NETWORK: &str = "primary-remote-multi-network.yaml";

/// Every change that is not a no-op: `cluster1/base create CustomResourceDefinition x`.
fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &plan.steps {
        for change in step.changes.iter().filter(|change| change.action != Action::NoOp) {
            lines.push(format!("{} {} {}", step.unit, change.action.as_str(), change.object));
            for field in &change.fields {
                lines.push(format!("  {}: {:?} -> {:?}", field.path, field.before, field.after));
            }
            lines.extend(change.note.iter().map(|note| format!("  {note}")));
        }
        if let Some(unmet) = &step.unmet {
            lines.push(format!("{} waits for {}", step.unit, unmet.what));
        }
    }
    lines
}

fn codes(result: Result<Plan, Vec<crate::diagnostic::Failure>>) -> Vec<&'static str> {
    result.err().into_iter().flatten().map(|failure| failure.code.name).collect()
}

#[test]
fn what_was_applied_is_no_change_in_every_example() {
    for name in [MULTI_NETWORK, "primary-remote.yaml", "multi-primary-multi-network.yaml", "mixed.yaml"] {
        let desired = with_charts(&example(name));
        let mut world = World::new(&desired);
        world.apply(&desired);
        let plan = world.plan(&desired).unwrap();
        assert_eq!(lines(&plan), Vec::<String>::new(), "{name}");
        assert!(plan.is_empty());
        assert!(plan.steps.iter().all(|step| step.open.is_empty()), "{name}");
    }
}

fn multi_network() -> (Desired, World) {
    let desired = desired(&example(MULTI_NETWORK));
    let mut world = World::new(&desired);
    world.apply(&desired);
    (desired, world)
}

#[test]
fn a_first_plan_creates_and_says_what_is_known_only_later() {
    let desired = desired(&example(MULTI_NETWORK));
    let plan = World::new(&desired).plan(&desired).unwrap();
    assert_eq!(plan.counts().keys().copied().collect::<Vec<_>>(), [Action::Create]);
    assert_eq!(plan.root, RootOutlook::New { keeper: "cluster1".into() });
    let open: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| !step.open.is_empty())
        .map(|step| {
            let holes: Vec<String> = step.open.iter().map(Hole::to_string).collect();
            format!("{}: {}", step.unit, holes.join(" "))
        })
        .collect();
    assert_eq!(
        open,
        [
            "cluster1/trust: cluster1/trust.root-cert cluster1/trust.root-key cluster1/trust.ca-cert \
             cluster1/trust.ca-key cluster1/trust.cert-chain",
            "cluster1/control-plane: cluster1/trust.root-digest",
            "cluster2/control-plane: cluster1/eastwest-gateway.address",
            "cluster1/remote-secret-cluster2: cluster2/reader-credential.token cluster2/reader-credential.ca",
        ]
    );
}

#[test]
fn a_changed_field_shows_itself_and_nothing_else() {
    let (_, world) = multi_network();
    let text = example(MULTI_NETWORK).replace(
        "cluster1: { network: network1, role: primary }",
        "cluster1: { network: network1, role: primary, eastWestGateway: { replicas: 3 } }",
    );
    let plan = world.plan(&desired(&text)).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "cluster1/eastwest-gateway update Deployment istio-system/istio-eastwestgateway",
            "  spec.replicas: None -> Some(Value(Number(3)))",
            "cluster1/eastwest-gateway waits for Deployment istio-system/istio-eastwestgateway to be available",
        ][..2]
    );
    let changed: Vec<&Cause> = plan.steps.iter().flat_map(Step::writes).map(|change| &change.cause).collect();
    assert_eq!(changed, [&Cause::Topology]);
}

#[test]
fn an_edit_by_hand_is_drift_and_says_by_whom() {
    let (desired, mut world) = multi_network();
    world.edit("cluster2", "Service istio-system/istiod", "kubectl-edit", |service| {
        service["spec"]["ports"][0]["name"] = json!("wrong");
    });
    let plan = world.plan(&desired).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "cluster2/control-plane update Service istio-system/istiod",
            "  spec.ports[port=15012,protocol=TCP].name: Some(Value(String(\"wrong\"))) -> Some(Value(String(\"tcp-istiod\")))",
        ]
    );
    let change = plan.steps.iter().flat_map(Step::writes).next().unwrap();
    let author = Author { manager: "kubectl-edit".to_owned(), time: Some("2026-11-20T10:30:00Z".to_owned()) };
    assert_eq!(change.cause, Cause::Drift(Some(author)));
    assert_eq!(change.conflicts, Conflicts::Force);
}

#[test]
fn a_field_that_somebody_added_is_not_ours() {
    let (desired, mut world) = multi_network();
    world.edit("cluster1", "Service istio-system/istiod", "kubectl-edit", |service| {
        service["metadata"]["labels"]["team"] = json!("mesh");
        service["spec"]["sessionAffinity"] = json!("None");
    });
    assert_eq!(lines(&world.plan(&desired).unwrap()), Vec::<String>::new());
}

#[test]
fn a_field_of_the_same_value_in_other_hands_is_taken_back() {
    let (desired, mut world) = multi_network();
    world.edit("cluster1", "Service istio-system/istiod", "kubectl-edit", |service| {
        service["spec"]["selector"] = json!({"app": "other"});
    });
    world.edit("cluster1", "Service istio-system/istiod", "kubectl-edit", |service| {
        service["spec"]["selector"] = json!({"app": "istiod"});
    });
    assert_eq!(
        lines(&world.plan(&desired).unwrap()),
        [
            "cluster1/control-plane update Service istio-system/istiod",
            "  takes over 1 field from kubectl-edit",
        ]
    );
}

#[test]
fn a_deleted_object_comes_back_as_drift() {
    let (desired, mut world) = multi_network();
    world.remove("cluster1", "ConfigMap istio-system/istio");
    let plan = world.plan(&desired).unwrap();
    assert_eq!(
        lines(&plan),
        ["cluster1/control-plane create ConfigMap istio-system/istio", "  was deleted since the last apply",]
    );
    assert_eq!(plan.steps.iter().flat_map(Step::writes).next().unwrap().cause, Cause::Drift(None));
}

#[test]
fn another_address_reaches_the_remote_as_a_changed_value() {
    let (desired, mut world) = multi_network();
    world.edit("cluster1", "Service istio-system/istio-eastwestgateway", "cloud", |service| {
        service["status"]["loadBalancer"]["ingress"] = json!([{"ip": "203.0.113.99"}]);
    });
    let plan = world.plan(&desired).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "cluster2/control-plane update EndpointSlice istio-system/istiod",
            "  endpoints: Some(Value(Array [Object {\"addresses\": Array [String(\"203.0.113.1\")]}])) -> \
             Some(Value(Array [Object {\"addresses\": Array [String(\"203.0.113.99\")]}]))",
        ]
    );
    let change = plan.steps.iter().flat_map(Step::writes).next().unwrap();
    assert_eq!((&change.cause, change.moves_istiod()), (&Cause::Value, true));
    assert!(plan.waves.is_empty(), "whoever is connected stays so");
}

#[test]
fn an_address_that_is_in_use_stays_while_it_is_reported_wherever_it_stands() {
    let (desired, mut world) = multi_network();
    let report = |world: &mut World, addresses: &[&str]| {
        let points: Vec<_> = addresses.iter().map(|ip| json!({"ip": ip})).collect();
        world.edit("cluster1", "Service istio-system/istio-eastwestgateway", "cloud", |service| {
            service["status"]["loadBalancer"]["ingress"] = json!(points);
        });
    };
    report(&mut world, &["203.0.113.99", "2001:db8::1", "203.0.113.1"]);
    assert_eq!(lines(&world.plan(&desired).unwrap()), Vec::<String>::new());
    report(&mut world, &["2001:db8::1", "203.0.113.99"]);
    let plan = world.plan(&desired).unwrap();
    assert_eq!(lines(&plan)[0], "cluster2/control-plane update EndpointSlice istio-system/istiod");
    assert!(lines(&plan)[1].ends_with("[String(\"203.0.113.99\")]}]))"), "{:?}", lines(&plan));
}

#[test]
fn a_hostname_where_a_remote_needs_an_address_is_refused() {
    let (desired, mut world) = multi_network();
    world.edit("cluster1", "Service istio-system/istio-eastwestgateway", "cloud", |service| {
        service["status"]["loadBalancer"]["ingress"] = json!([{"hostname": "lb.example.com"}]);
    });
    assert_eq!(codes(world.plan(&desired)), ["control-plane-address-hostname"]);
}

#[test]
fn a_field_that_another_tool_applies_is_a_conflict_until_it_is_forced() {
    let (desired, mut world) = multi_network();
    world.apply_as("cluster2", "Service istio-system/istiod", "argocd", |service| {
        service["spec"]["ports"][0]["name"] = json!("wrong");
    });
    assert_eq!(codes(world.plan(&desired)), ["field-conflict"]);
    let inputs = Inputs { conflicts: Conflicts::Force, ..Inputs::at(world::now()) };
    let plan = diff(&desired, &world.live, &inputs).unwrap();
    assert_eq!(plan.steps.iter().flat_map(Step::writes).count(), 1);
}

#[test]
fn what_is_there_already_is_adopted_and_only_released_again() {
    let desired = desired(&example(MULTI_NETWORK));
    let mut world = World::new(&desired);
    let namespace = crate::object::Object::from_value(json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system", "uid": "there-before"},
    }))
    .unwrap();
    world.cluster("cluster1").objects.insert(namespace.reference(), namespace);
    let plan = world.plan(&desired).unwrap();
    let change = &plan.steps[0].changes[0];
    assert_eq!((change.action, change.origin), (Action::Adopt, Origin::Adopted));
    world.apply(&desired);
    assert!(world.plan(&desired).unwrap().is_empty());

    let plan = destroy(&desired, &world.live, &Inputs::at(world::now())).unwrap();
    let released: Vec<String> = lines(&plan)
        .into_iter()
        .filter(|line| line.contains("release") && line.contains("cluster1"))
        .collect();
    assert_eq!(
        released,
        [
            "cluster1/app-namespaces release Namespace sample",
            "cluster1/namespace release Namespace istio-system",
        ]
    );
}

#[test]
fn a_fixed_field_makes_an_object_anew_if_it_is_ours() {
    let (_, world) = multi_network();
    let mut changed = desired(&example(MULTI_NETWORK));
    for unit in changed.units.iter_mut().filter(|unit| unit.unit.to_string() == "cluster1/control-plane") {
        for object in unit.content.objects.iter_mut().filter(|object| object.kind() == "Deployment") {
            object.as_map_mut()["spec"]["selector"]["matchLabels"]["app"] = json!("pilot");
        }
    }
    let plan = world.plan(&changed).unwrap();
    let change = plan.steps.iter().flat_map(Step::writes).next().unwrap();
    assert_eq!(change.action, Action::Replace);
    assert_eq!(change.note.as_deref(), Some("spec.selector cannot be changed"));
    assert!(change.restarts());
}

#[test]
fn an_object_of_another_set_is_refused() {
    let (desired, mut world) = multi_network();
    world.edit("cluster1", "Service istio-system/istiod", "kubectl", |service| {
        service["metadata"]["labels"]["applyset.kubernetes.io/part-of"] = json!("applyset-other-v1");
    });
    assert_eq!(codes(world.plan(&desired)), ["object-of-another-apply-set"]);
}

mod inventories {
    use super::*;

    #[test]
    fn a_cluster_that_is_no_longer_named_is_never_deleted() {
        let (_, world) = multi_network();
        let text = example(MULTI_NETWORK)
            .replace("  cluster2: { network: network2, role: remote, primaries: [cluster1] }\n", "")
            .replace("  network2: {}\n", "");
        let alone = desired(&text);
        assert_eq!(codes(world.plan(&alone)), ["cluster-vanished"]);
        assert_eq!(codes(destroy(&alone, &world.live, &Inputs::at(world::now()))), ["cluster-vanished"]);
    }

    #[test]
    fn a_context_that_moved_is_refused() {
        let (desired, mut world) = multi_network();
        world.cluster("cluster2").uid = "another".to_owned();
        assert_eq!(codes(world.plan(&desired)), ["context-moved"]);
    }

    #[test]
    fn what_is_no_longer_asked_for_is_pruned_after_all_else_and_only_if_it_is_still_ours() {
        let (_, mut world) = multi_network();
        let text = example(MULTI_NETWORK).replace("namespaces:\n  sample: { injection: enabled }", "");
        let text = text.replace(
            "cluster2: { network: network2, role: remote, primaries: [cluster1] }",
            "cluster2: { network: network1, role: remote, primaries: [cluster1] }",
        );
        let one_network = desired(&text.replace("  network2: {}\n", ""));
        let plan = world.plan(&one_network).unwrap();
        let gone: Vec<String> = lines(&plan)
            .into_iter()
            .filter(|line| [" delete ", " release ", " keep "].iter().any(|action| line.contains(action)))
            .collect();
        assert_eq!(
            gone,
            [
                "cluster1/app-namespaces release Namespace sample",
                "cluster2/app-namespaces release Namespace sample",
                "cluster1/expose-services delete Gateway istio-system/cross-network-gateway",
                "cluster2/eastwest-gateway delete Deployment istio-system/istio-eastwestgateway",
                "cluster2/eastwest-gateway delete Service istio-system/istio-eastwestgateway",
            ]
        );
        world.edit("cluster2", "Deployment istio-system/istio-eastwestgateway", "kubectl", |deployment| {
            deployment["metadata"]["uid"] = json!("made-anew");
        });
        world.edit("cluster2", "Service istio-system/istio-eastwestgateway", "kubectl", |service| {
            service["metadata"]["labels"] = json!({});
        });
        let plan = world.plan(&one_network).unwrap();
        let kept: Vec<String> = lines(&plan).into_iter().filter(|line| line.contains(" keep ")).collect();
        assert_eq!(
            kept,
            [
                "cluster2/eastwest-gateway keep Deployment istio-system/istio-eastwestgateway",
                "cluster2/eastwest-gateway keep Service istio-system/istio-eastwestgateway",
            ]
        );
    }

    #[test]
    fn an_object_of_others_in_a_namespace_keeps_it() {
        let (desired, mut world) = multi_network();
        let namespace = |name: &str| crate::object::ObjectRef {
            group: String::new(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: name.to_owned(),
        };
        let reads = content_reads(&desired, &world.live, Mode::Destroy);
        let asked: Vec<String> =
            reads[&ClusterName::from("cluster1")].iter().map(|read| read.holder.to_string()).collect();
        assert_eq!(
            asked,
            ["Namespace istio-system", "CustomResourceDefinition gateways.networking.istio.io"]
        );

        let fate = |world: &World| {
            let plan = destroy(&desired, &world.live, &Inputs::at(world::now())).unwrap();
            let step = plan.steps.iter().find(|step| step.unit.to_string() == "cluster1/namespace").unwrap();
            (step.changes[0].action, step.changes[0].note.clone())
        };
        assert_eq!(fate(&world), (Action::Keep, Some("is kept: what it holds is not known".to_owned())));
        let why = "list pods: the server answered 503: try later".to_owned();
        world.cluster("cluster1").unseen.insert(namespace("istio-system"), why);
        let said = "is kept: what it holds is not known: list pods: the server answered 503: try later";
        assert_eq!(fate(&world), (Action::Keep, Some(said.to_owned())));

        // A definition that nobody could look into keeps the namespace of the inventory that names it,
        // unless it goes already.
        let gateways = crate::object::ObjectRef {
            group: "apiextensions.k8s.io".to_owned(),
            kind: "CustomResourceDefinition".to_owned(),
            namespace: None,
            name: "gateways.networking.istio.io".to_owned(),
        };
        let unseen = std::mem::take(&mut world.cluster("cluster1").unseen);
        world.cluster("cluster1").unseen.insert(gateways.clone(), "no answer".to_owned());
        world.cluster("cluster1").contents.insert(namespace("istio-system"), Vec::new());
        let named =
            "is kept: the inventory in it still names CustomResourceDefinition gateways.networking.istio.io";
        assert_eq!(fate(&world), (Action::Keep, Some(named.to_owned())));
        let live = world.cluster("cluster1").objects.get_mut(&gateways).unwrap();
        live.as_map_mut()["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(fate(&world), (Action::Delete, None));
        let live = world.cluster("cluster1").objects.get_mut(&gateways).unwrap();
        live.as_map_mut()["metadata"].as_object_mut().unwrap().remove("deletionTimestamp");
        world.cluster("cluster1").unseen = unseen;

        let object = |value: serde_json::Value| crate::object::Object::from_value(value).unwrap();
        let uid = |world: &mut World, named: &str| {
            let objects = &world.cluster("cluster1").objects;
            let found = objects.values().find(|object| object.reference().to_string() == named);
            found.and_then(crate::object::Object::uid).unwrap().to_owned()
        };
        let deployment = uid(&mut world, "Deployment istio-system/istiod");
        let made = vec![
            object(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", "namespace": "istio-system"}}),
            ),
            object(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stolos-mesh1", "namespace": "istio-system"}}),
            ),
            object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": "istiod-1-2", "namespace": "istio-system", "ownerReferences": [{"uid": "rs"}]}})),
            object(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {
                "name": "istiod-1", "namespace": "istio-system", "uid": "rs", "ownerReferences": [{"uid": deployment}]}})),
            object(
                json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "istiod", "namespace": "istio-system"}}),
            ),
        ];
        world.cluster("cluster1").contents.insert(namespace("istio-system"), made.clone());
        assert_eq!(fate(&world), (Action::Delete, None));

        let mut more = made;
        more.push(object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": "istio-system"}})));
        world.cluster("cluster1").contents.insert(namespace("istio-system"), more);
        assert_eq!(
            fate(&world),
            (Action::Keep, Some("is kept: it holds 1 object of others: Secret istio-system/mine".to_owned()))
        );
    }

    #[test]
    fn a_destroy_goes_backwards() {
        let (desired, world) = multi_network();
        let plan = destroy(&desired, &world.live, &Inputs::at(world::now())).unwrap();
        let position = |unit: &str| plan.steps.iter().position(|step| step.unit.to_string() == unit).unwrap();
        for step in &plan.steps {
            for first in &step.after {
                assert!(
                    position(&first.to_string()) < position(&step.unit.to_string()),
                    "{first} {}",
                    step.unit
                );
            }
        }
        assert!(position("cluster1/remote-secret-cluster2") < position("cluster2/control-plane"));
        assert!(position("cluster1/eastwest-gateway") < position("cluster1/control-plane"));
        assert!(
            plan.counts()
                .keys()
                .all(|action| matches!(action, Action::Delete | Action::Release | Action::Keep))
        );
    }
}

mod trust {
    use super::*;

    #[test]
    fn a_lost_root_stops_the_plan() {
        let (desired, mut world) = multi_network();
        world.remove("cluster1", "Secret istio-system/stolos-root");
        assert_eq!(codes(world.plan(&desired)), ["root-lost"]);
    }

    #[test]
    fn a_root_whose_key_somebody_broke_stops_the_plan() {
        let (desired, mut world) = multi_network();
        let other = crate::trust::Root::generate("mesh1", world::now()).unwrap();
        for (key, code) in
            [("bm8ga2V5", "root-key-unreadable"), (&base64(other.key().expose()), "root-key-mismatch")]
        {
            world.edit("cluster1", "Secret istio-system/stolos-root", "kubectl-patch", |secret| {
                secret["data"]["root-key.pem"] = key.into();
            });
            assert_eq!(codes(world.plan(&desired)), [code]);
        }
    }

    fn base64(text: &str) -> String {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    #[test]
    fn no_root_is_made_while_a_primary_is_out_of_sight() {
        let desired = desired(&example("multi-primary-multi-network.yaml"));
        let mut world = World::new(&desired);
        let first = desired.clusters.keys().next().unwrap().clone();
        world.unreachable(first.as_str());
        assert_eq!(codes(world.plan(&desired)), ["cluster-unreachable"]);
    }

    #[test]
    fn certificates_that_are_there_do_while_the_keeper_is_out_of_sight() {
        let desired = desired(&example("multi-primary-multi-network.yaml"));
        let mut world = World::new(&desired);
        world.apply(&desired);
        let keeper = desired.clusters.keys().next().unwrap().clone();
        world.unreachable(keeper.as_str());
        let plan = world.plan(&desired).unwrap();
        assert_eq!(plan.steps.iter().flat_map(Step::writes).count(), 0, "{:?}", lines(&plan));
        assert!(plan.is_incomplete());
    }

    #[test]
    fn a_root_stays_where_it_is_when_the_topology_would_choose_another_keeper() {
        let text = example("multi-primary-multi-network.yaml");
        let desired = desired(&text);
        let names: Vec<ClusterName> = desired.clusters.keys().cloned().collect();
        let mut world = World::new(&desired);
        world.apply(&desired);
        let moved = super::desired(&text.replace(
            "trust: { root: generate }",
            &format!("trust: {{ root: {{ generate: {{ in: {} }} }} }}", names[1]),
        ));
        assert_eq!(moved.mesh.root, crate::compile::RootFacts::Generated { keeper: names[1].clone() });
        let plan = world.plan(&moved).unwrap();
        assert_eq!(lines(&plan), Vec::<String>::new());
    }

    #[test]
    fn a_certificate_that_is_gone_is_issued_anew_and_says_from_which_root() {
        let (desired, mut world) = multi_network();
        world.edit("cluster1", "Secret istio-system/cacerts", "kubectl", |secret| {
            secret["data"].as_object_mut().unwrap().remove("ca-key.pem");
        });
        let plan = world.plan(&desired).unwrap();
        let step = plan.steps.iter().find(|step| step.unit.to_string() == "cluster1/trust").unwrap();
        let change = step.writes().next().unwrap();
        assert_eq!(change.note.as_deref(), Some("the live one lacks ca-key.pem"));
        assert!(
            matches!(&plan.root, RootOutlook::Known { keeper: Some(keeper), .. } if keeper.as_str() == "cluster1")
        );
        let after: BTreeSet<bool> =
            change.fields.iter().map(|field| matches!(field.after, Some(Shown::Later(_)))).collect();
        assert_eq!(after, BTreeSet::from([true]));
    }
}

mod unknown {
    use super::*;

    #[test]
    fn what_waits_for_an_unknown_cluster_is_held_back_and_nothing_is_taken_for_gone() {
        let (desired, mut world) = multi_network();
        world.unreachable("cluster1");
        let plan = world.plan(&desired).unwrap();
        assert_eq!(plan.steps.iter().flat_map(Step::writes).count(), 0, "{:?}", lines(&plan));
        assert!(plan.is_incomplete());
        let held: Vec<String> = plan
            .steps
            .iter()
            .filter(|step| !step.held_by.is_empty())
            .map(|step| step.unit.to_string())
            .collect();
        assert_eq!(
            held,
            [
                "cluster2/control-plane",
                "cluster2/reader-credential",
                "cluster2/eastwest-gateway",
                "cluster2/app-namespaces",
            ]
        );
    }

    #[test]
    fn an_unknown_cluster_never_yields_a_delete() {
        let (desired, world) = multi_network();
        for gone in ["cluster1", "cluster2"] {
            let mut world = world.copy();
            world.unreachable(gone);
            for plan in [
                world.plan(&desired).unwrap(),
                destroy(&desired, &world.live, &Inputs::at(world::now())).unwrap(),
            ] {
                assert!(plan.steps.iter().all(|step| step.unit.cluster.as_str() != gone));
            }
        }
    }
}

#[test]
fn no_secret_is_in_a_plan_that_shows_one_changing() {
    let (desired, mut world) = multi_network();
    world.edit("cluster1", "Secret istio-system/istio-remote-secret-cluster2", "kubectl", |secret| {
        secret["data"]["cluster2"] = json!("aHVudGVyMg==");
    });
    let plan = world.plan(&desired).unwrap();
    let text = format!("{plan:?}");
    for secret in ["t0ken", "dDBrZW4", "hunter2", "aHVudGVyMg", "PRIVATE KEY"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(
        lines(&plan)[0],
        "cluster1/remote-secret-cluster2 update Secret istio-system/istio-remote-secret-cluster2"
    );
}

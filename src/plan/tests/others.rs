//! Releases that others install: what is waited for, what is handed over, and what is ours all the same.

use super::*;
use crate::plan::tests::removals::before;

const FILE: &str = "external-multi-network.yaml";

fn external() -> String {
    example(FILE)
}

fn embedded() -> String {
    external().replace("charts: external", "charts: embedded")
}

/// A mesh that Stolos installed.
fn installed() -> World {
    let desired = with_charts(&embedded());
    let mut world = World::new(&desired);
    world.apply(&desired);
    world
}

/// Each action with how many objects of which units it befalls.
fn fates(plan: &Plan) -> BTreeSet<String> {
    let words = |step: &Step| -> Vec<String> {
        step.changes
            .iter()
            .filter(|change| change.action != Action::NoOp)
            .map(|change| format!("{} {}", step.id(), change.action.as_str()))
            .collect()
    };
    plan.steps.iter().flat_map(words).collect()
}

fn set(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

const HANDED_OVER: [&str; 6] = [
    "cluster1/base leftovers hand-over",
    "cluster1/control-plane leftovers hand-over",
    "cluster1/eastwest-gateway leftovers hand-over",
    "cluster2/base leftovers hand-over",
    "cluster2/control-plane leftovers hand-over",
    "cluster2/eastwest-gateway leftovers hand-over",
];

#[test]
fn what_stolos_installed_is_handed_over_first_and_the_wait_for_its_owner_comes_after() {
    let world = installed();
    let plan = world.plan(&with_charts(&external())).unwrap();
    assert_eq!(fates(&plan), set(&HANDED_OVER));
    for step in plan.steps.iter().filter(|step| step.hands_over()) {
        assert_eq!((step.stage, step.after.as_slice()), (1, &[][..]), "{}", step.id());
        let unit = StepId::from(step.unit.clone());
        assert!(before(&plan, &unit).contains(&step.id()), "{unit}");
        assert!(step.changes.iter().all(|change| !change.restarts() && !change.cuts_traffic()));
    }
    assert_eq!(plan.waves, Vec::<BTreeSet<ClusterName>>::new());
}

#[test]
fn nothing_is_looked_into_for_what_is_not_deleted() {
    let world = installed();
    let desired = with_charts(&external());
    assert_eq!(content_reads(&desired, &world.live, Mode::Apply), std::collections::BTreeMap::new());
    let reads = content_reads(&desired, &world.live, Mode::Destroy);
    let kinds: BTreeSet<&str> = reads.values().flatten().map(|read| read.holder.kind.as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(["Namespace"]));
}

#[test]
fn what_is_ours_beside_a_release_still_goes_when_it_is_no_longer_asked_for() {
    let world = installed();
    let permissive = external().replace(", mtls: strict", "");
    let plan = world.plan(&with_charts(&permissive)).unwrap();
    let mut expected = set(&HANDED_OVER);
    expected.insert("cluster1/control-plane leftovers delete".to_owned());
    assert_eq!(fates(&plan), expected);
    let deleted: Vec<String> = plan
        .steps
        .iter()
        .flat_map(|step| &step.changes)
        .filter(|change| change.action == Action::Delete)
        .map(|change| change.object.to_string())
        .collect();
    assert_eq!(deleted, ["PeerAuthentication istio-system/default"]);
}

#[test]
fn a_gateway_that_is_asked_for_no_more_is_its_owners_to_delete() {
    let world = installed();
    let without = external()
        .replace(
            "eastWestGateway: { addresses: [203.0.113.7] }",
            "controlPlane: { expose: none, address: 203.0.113.7 }\n    eastWestGateway: false",
        )
        .replace("eastWestGateway: { addresses: [203.0.113.9] }", "eastWestGateway: false");
    let plan = world.plan(&with_charts(&without)).unwrap();
    let gateways: BTreeSet<String> =
        fates(&plan).into_iter().filter(|fate| fate.contains("gateway")).collect();
    // The unit itself is gone, so its removal is all there is of it.
    assert_eq!(
        gateways,
        set(&["cluster1/eastwest-gateway hand-over", "cluster2/eastwest-gateway hand-over"])
    );
    assert!(plan.steps.iter().filter(|step| step.hands_over()).all(|step| step.stage == 1));
}

#[test]
fn a_destroy_whose_file_says_external_by_now_deletes_nothing_of_the_releases() {
    let world = installed();
    let plan = destroy(&with_charts(&external()), &world.live, &Inputs::at(world::now())).unwrap();
    let of_releases: BTreeSet<String> = fates(&plan)
        .into_iter()
        .filter(|fate| {
            ["base", "control-plane", "eastwest-gateway"]
                .iter()
                .any(|kind| fate.contains(&format!("/{kind} ")))
        })
        .collect();
    assert_eq!(
        of_releases,
        set(&[
            "cluster1/base hand-over",
            "cluster1/control-plane delete",
            "cluster1/control-plane hand-over",
            "cluster1/eastwest-gateway hand-over",
            "cluster2/base hand-over",
            "cluster2/control-plane hand-over",
            "cluster2/eastwest-gateway hand-over",
        ])
    );
}

#[test]
fn what_its_owner_made_anew_or_took_is_no_concern_any_more() {
    let mut world = installed();
    // Deleted and made anew by its owner; and one of which our label and name are gone, as after a hand-over.
    world.edit("cluster1", "Deployment istio-system/istiod", "helm", |istiod| {
        istiod["metadata"]["uid"] = json!("another");
        istiod["metadata"]["labels"].as_object_mut().unwrap().remove(crate::compile::PART_OF);
        istiod["metadata"]["managedFields"] = json!([]);
    });
    let objects = &mut world.cluster("cluster1").objects;
    let istiod = objects.keys().find(|object| object.kind == "Deployment" && object.name == "istiod");
    let istiod = istiod.unwrap().clone();
    objects.get_mut(&istiod).unwrap().set_managed_fields(json!([]));
    let plan = world.plan(&with_charts(&external())).unwrap();
    let named = plan.steps.iter().flat_map(|step| &step.changes).filter(|change| change.object == istiod);
    assert_eq!(named.count(), 0);
}

#[test]
fn what_its_owner_has_not_installed_is_waited_for_and_nothing_of_it_is_made() {
    let desired = with_charts(&external());
    let plan = World::new(&desired).plan(&desired).unwrap();
    let waits: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| step.others_install())
        .map(|step| format!("{}: {}", step.unit, step.unmet.as_ref().unwrap().what))
        .collect();
    assert_eq!(
        waits,
        [
            "cluster1/base: others to install release istio-base",
            "cluster2/base: others to install release istio-base",
            "cluster1/control-plane: others to install release istiod",
            "cluster1/eastwest-gateway: others to install release istio-eastwestgateway",
            "cluster2/control-plane: others to install release istiod",
            "cluster2/eastwest-gateway: others to install release istio-eastwestgateway",
        ]
    );
    let made: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| step.others_install())
        .flat_map(|step| &step.changes)
        .map(|change| change.object.to_string())
        .collect();
    assert_eq!(made, ["PeerAuthentication istio-system/default"]);
    assert!(
        plan.steps.iter().all(|step| step.unit.kind != crate::graph::UnitKind::Base || step.open.is_empty())
    );
}

#[test]
fn another_root_makes_the_plan_wait_until_its_owner_restarts_istiod() {
    use base64::Engine;
    let mut world = installed();
    let desired = with_charts(&external());
    let lacks = |world: &World| {
        let plan = world.plan(&desired).unwrap();
        let step = plan.step(&"cluster1/control-plane".parse().unwrap()).unwrap();
        step.unmet.clone().map(|unmet| (unmet.what, unmet.facts))
    };
    let publish = |world: &mut World, root: &str| {
        world.edit("cluster1", "ConfigMap istio-system/istio-ca-root-cert", "pilot-discovery", |published| {
            published["data"] = json!({"root-cert.pem": root});
        });
    };
    let cacerts =
        world.cluster("cluster1").objects.values().find(|object| object.name() == "cacerts").unwrap();
    let encoded = cacerts.text(&["data", "root-cert.pem"]).unwrap().to_owned();
    let root = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    let root = String::from_utf8(root).unwrap();
    let other = crate::trust::Root::generate("other", world::now()).unwrap();
    let restart = "kubectl --context cluster1 -n istio-system rollout restart deployment/istiod";

    publish(&mut world, &root);
    assert_eq!(lacks(&world), None);
    publish(&mut world, other.certificate().pem());
    assert!(lacks(&world).unwrap().1[0].ends_with(restart));
    // Somebody deleted the certificate. Issued anew by the same root it is no concern of an istiod that has it.
    world.remove("cluster1", "Secret istio-system/cacerts");
    assert_eq!(
        lacks(&world),
        Some((
            "release istiod, which others install, to start anew with the root of trust".to_owned(),
            vec![format!("istiod reads its root once, when it starts; after the step before: {restart}")],
        ))
    );
    publish(&mut world, &root);
    assert_eq!(lacks(&world), None);
    // Where no istiod ever started there is nothing to restart.
    publish(&mut world, other.certificate().pem());
    world.remove("cluster1", "ConfigMap istio-system/istio-ca-root-cert");
    assert_eq!(lacks(&world), None);
}

//! What goes, and when: after what replaces it stands and whoever leaned on it has moved.

use super::*;

/// The steps that something is done in, in the order of the plan: `3 cluster1/control-plane: delete Service a/b`.
fn order(plan: &Plan) -> Vec<String> {
    let words = |step: &Step| -> Vec<String> {
        step.writes().map(|change| format!("{} {}", change.action.as_str(), change.object)).collect()
    };
    let busy = plan.steps.iter().filter(|step| !step.is_done());
    busy.map(|step| format!("{}: {}", step.id(), words(step).join(", "))).collect()
}

/// Everything that a step waits for, at whatever distance.
pub(super) fn before(plan: &Plan, id: &StepId) -> BTreeSet<StepId> {
    let mut before = BTreeSet::new();
    let mut open = vec![id.clone()];
    while let Some(next) = open.pop() {
        let step = plan.steps.iter().find(|step| step.id() == next);
        let first = step.into_iter().flat_map(|step| &step.after).cloned();
        open.extend(first.filter(|first| before.insert(first.clone())));
    }
    before
}

fn id(text: &str) -> StepId {
    text.parse().unwrap()
}

/// The way to istiod moves from the east-west gateway to a load balancer of its own.
fn exposed_elsewhere() -> (World, Desired) {
    let (_, world) = multi_network();
    let text = example(MULTI_NETWORK).replace(
        "cluster1: { network: network1, role: primary }",
        "cluster1: { network: network1, role: primary, controlPlane: { expose: loadBalancer } }",
    );
    (world, desired(&text))
}

#[test]
fn the_old_way_to_istiod_stays_until_every_remote_took_the_new_one() {
    let (world, moved) = exposed_elsewhere();
    let plan = world.plan(&moved).unwrap();
    assert_eq!(
        order(&plan),
        [
            "cluster1/expose-control-plane: create Service istio-system/istiod-external",
            "cluster2/control-plane: update EndpointSlice istio-system/istiod",
            "cluster1/expose-control-plane leftovers: delete Gateway istio-system/istiod-gateway, \
             delete VirtualService istio-system/istiod-vs",
        ]
    );
    let waits_for = before(&plan, &id("cluster1/expose-control-plane leftovers"));
    assert!(waits_for.contains(&id("cluster2/control-plane")), "{waits_for:?}");
    assert_eq!(plan.step(&"cluster1/expose-control-plane".parse().unwrap()).unwrap().part, Part::Unit);
}

#[test]
fn nothing_goes_while_a_cluster_that_may_lean_on_it_is_out_of_sight() {
    let (mut world, moved) = exposed_elsewhere();
    world.unreachable("cluster2");
    let plan = world.plan(&moved).unwrap();
    let held: Vec<String> =
        plan.steps.iter().filter(|step| !step.held_by.is_empty()).map(|step| step.id().to_string()).collect();
    assert!(held.contains(&"cluster1/expose-control-plane leftovers".to_owned()), "{held:?}");
    assert!(!held.contains(&"cluster1/expose-control-plane".to_owned()), "{held:?}");
}

#[test]
fn another_id_is_known_everywhere_before_the_old_one_is_forgotten() {
    let (_, world) = multi_network();
    let renamed = desired(&example(MULTI_NETWORK).replace(
        "cluster2: { network: network2, role: remote, primaries: [cluster1] }",
        "cluster2: { id: west, network: network2, role: remote, primaries: [cluster1] }",
    ));
    let plan = world.plan(&renamed).unwrap();
    let order = order(&plan);
    let place = |start: &str| order.iter().position(|line| line.starts_with(start));
    assert!(place("cluster1/remote-secret-cluster2: create Secret").is_some(), "{order:?}");
    assert_eq!(
        order.last().map(String::as_str),
        Some(
            "cluster1/remote-secret-cluster2 leftovers: delete Secret istio-system/istio-remote-secret-cluster2"
        )
    );
    let waits_for = before(&plan, &id("cluster1/remote-secret-cluster2 leftovers"));
    assert!(waits_for.contains(&id("cluster1/remote-secret-cluster2")), "{waits_for:?}");
}

#[test]
fn credentials_go_before_what_they_lead_to_in_other_clusters() {
    let text = example("multi-primary-multi-network.yaml");
    let desired = desired(&text);
    let mut world = World::new(&desired);
    world.apply(&desired);
    // cluster2 gives up its control plane: nobody reads cluster1 from there any more.
    let shared = super::desired(&text.replace(
        "cluster2: { network: network2, role: primary }",
        "cluster2: { network: network2, role: remote, primaries: [cluster1] }",
    ));
    let plan = world.plan(&shared).unwrap();
    let gone: Vec<StepId> = plan.steps.iter().filter(|step| step.desired.is_none()).map(Step::id).collect();
    let position =
        |text: &str| gone.iter().position(|step| *step == id(text)).unwrap_or_else(|| panic!("{gone:?}"));
    let secret = position("cluster2/remote-secret-cluster1");
    assert!(secret < position("cluster1/reader-credential"));
    assert!(
        before(&plan, &id("cluster1/reader-credential")).contains(&id("cluster2/remote-secret-cluster1"))
    );
    // Its own istiod serves until cluster1's does: the gateway of cluster2 has its new control plane by then.
    let istiod = before(&plan, &id("cluster2/control-plane leftovers"));
    assert!(istiod.contains(&id("cluster2/control-plane")), "{istiod:?}");
}

#[test]
fn every_removal_waits_for_every_step_that_writes() {
    let (world, moved) = exposed_elsewhere();
    let plan = world.plan(&moved).unwrap();
    let (gone, stays): (Vec<&Step>, Vec<&Step>) = plan.steps.iter().partition(|step| step.desired.is_none());
    assert_eq!(gone.len(), 1);
    for removal in gone {
        let waits_for = before(&plan, &removal.id());
        for step in stays.iter().filter(|step| !step.is_done()) {
            assert!(waits_for.contains(&step.id()), "{} before {}", step.id(), removal.id());
        }
    }
}

//! Another root of trust: istiod starts anew with it, in waves; a new certificate of the same root restarts nothing.

use super::removals::before;
use super::waves::waves;
use super::*;
use crate::trust::Root;

const PRIMARIES: &str = "multi-primary-multi-network.yaml";

fn applied(text: &str) -> World {
    let desired = desired(text);
    let mut world = World::new(&desired);
    world.apply(&desired);
    world
}

fn with_root(text: &str, root: &str) -> Desired {
    desired(&text.replace("trust: { root: generate }", &format!("trust: {{ root: {root} }}")))
}

fn replaced(plan: &Plan) -> Vec<String> {
    plan.replaced_roots().into_iter().map(ToString::to_string).collect()
}

/// One primary alone, which may sign for itself.
fn alone() -> String {
    "version: 1\nmesh: { id: mesh1 }\nistio: { version: 1.30.3, charts: embedded }\n\
     trust: { root: generate }\nnetworks: { network1: {} }\nclusters:\n  \
     cluster1: { network: network1, role: primary }\n"
        .to_owned()
}

#[test]
fn a_root_from_files_in_the_place_of_a_generated_one_restarts_istiod_cluster_after_cluster() {
    let world = applied(&example(PRIMARIES));
    let files = with_root(&example(PRIMARIES), "{ certificate: root.pem, key: root.key }");
    let other = Root::generate("other", world::now()).unwrap();
    let inputs =
        Inputs { root_certificate: Some(other.certificate().pem().to_owned()), ..Inputs::at(world::now()) };
    let plan = diff(&files, &world.live, &inputs).unwrap();
    assert_eq!(replaced(&plan), ["cluster1", "cluster2"]);
    assert_eq!(
        waves(&plan),
        ["1 cluster1/control-plane", "1 cluster1/trust", "2 cluster2/control-plane", "2 cluster2/trust"]
    );
    let restart = plan.step(&"cluster2/control-plane".parse().unwrap()).unwrap().writes().next().unwrap();
    let digest = Shown::Value(crate::trust::root_digest(other.certificate().pem()).into());
    assert_eq!(restart.fields.len(), 1, "{:?}", restart.fields);
    assert_eq!(restart.fields[0].after, Some(digest), "known before anything is issued");
    // The root that was generated is forgotten last.
    let kept = before(&plan, &"cluster1/trust leftovers".parse().unwrap());
    assert!(kept.contains(&"cluster2/control-plane".parse().unwrap()), "{kept:?}");
}

#[test]
fn another_certificate_of_the_same_root_is_taken_by_a_running_istiod() {
    let desired = desired(&example(PRIMARIES));
    let mut world = applied(&example(PRIMARIES));
    world.edit("cluster1", "Secret istio-system/cacerts", "kubectl", |secret| {
        secret["data"].as_object_mut().unwrap().remove("ca-key.pem");
    });
    let plan = world.plan(&desired).unwrap();
    let changed: Vec<String> =
        plan.steps.iter().flat_map(Step::writes).map(|c| c.object.to_string()).collect();
    assert_eq!(changed, ["Secret istio-system/cacerts"]);
    assert_eq!((waves(&plan), replaced(&plan)), (vec![], vec![]));
}

#[test]
fn certificates_that_somebody_deleted_come_back_and_restart_nothing() {
    let desired = desired(&example(PRIMARIES));
    let mut world = applied(&example(PRIMARIES));
    world.remove("cluster1", "Secret istio-system/cacerts");
    let plan = world.plan(&desired).unwrap();
    assert_eq!((waves(&plan), replaced(&plan)), (vec![], vec![]));
    assert_eq!(plan.steps.iter().flat_map(Step::writes).count(), 1);
}

#[test]
fn an_istiod_that_signed_for_itself_starts_anew_with_its_first_certificate() {
    let world = applied(&alone().replace("root: generate", "root: istiod"));
    let plan = world.plan(&desired(&alone())).unwrap();
    assert_eq!(replaced(&plan), ["cluster1"]);
    assert_eq!(waves(&plan), ["1 cluster1/control-plane"]);
}

#[test]
fn an_istiod_that_is_to_sign_for_itself_starts_when_its_certificate_is_gone() {
    let world = applied(&alone());
    let plan = world.plan(&with_root(&alone(), "istiod")).unwrap();
    let order: Vec<String> =
        plan.steps.iter().filter(|step| !step.is_done()).map(|step| step.id().to_string()).collect();
    assert_eq!(order, ["cluster1/trust", "cluster1/control-plane"]);
    let istiod = before(&plan, &"cluster1/control-plane".parse().unwrap());
    assert!(istiod.contains(&"cluster1/trust".parse().unwrap()));
    assert_eq!(replaced(&plan), ["cluster1"]);
}

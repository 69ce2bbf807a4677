//! What a dry run says of an object, and what the plan makes of it.

use super::*;

#[test]
fn a_difference_that_the_server_makes_vanish_is_none() {
    let (_, world) = multi_network();
    let mut changed = desired(&example(MULTI_NETWORK));
    for unit in changed.units.iter_mut().filter(|unit| unit.unit.to_string() == "cluster1/control-plane") {
        for object in unit.content.objects.iter_mut().filter(|object| object.kind() == "ConfigMap") {
            object.as_map_mut()["data"]["dropped"] = json!("by the server");
        }
    }
    let mut inputs = Inputs::at(world::now());
    let plan = diff(&changed, &world.live, &inputs).unwrap();
    let mut candidates = plan.candidates(&inputs.dry_runs);
    assert_eq!(candidates.len(), 1);
    let candidate = candidates.remove(0);
    let live = world.live.cluster(&"cluster1".into()).unwrap();
    let merged = live.objects[&candidate.object.reference()].clone();
    inputs.dry_runs.insert(candidate, DryRun::Merged(merged));
    let plan = diff(&changed, &world.live, &inputs).unwrap();
    assert!(plan.is_empty(), "{:?}", lines(&plan));
    assert_eq!(plan.candidates(&inputs.dry_runs), []);
}

#[test]
fn what_the_server_would_refuse_fails_the_plan() {
    let (desired, mut world) = multi_network();
    world.edit("cluster1", "ConfigMap istio-system/istio", "kubectl", |map| map["data"]["mesh"] = json!("x"));
    let mut inputs = Inputs::at(world::now());
    let plan = diff(&desired, &world.live, &inputs).unwrap();
    let candidate = plan.candidates(&inputs.dry_runs).remove(0);
    inputs.dry_runs.insert(candidate, DryRun::Conflict(vec!["argocd holds it".to_owned()]));
    assert_eq!(codes(diff(&desired, &world.live, &inputs)), ["field-conflict"]);
}

#[test]
fn a_refusal_names_its_step_and_what_to_do() {
    let (desired, mut world) = multi_network();
    world.edit("cluster1", "ConfigMap istio-system/istio", "kubectl", |map| map["data"]["mesh"] = json!("x"));
    let mut inputs = Inputs::at(world::now());
    let plan = diff(&desired, &world.live, &inputs).unwrap();
    let candidate = plan.candidates(&inputs.dry_runs).remove(0);
    let refused = crate::diagnostic::Failure::new(&crate::plan::codes::FIELD_CONFLICT, "cluster1: refused");
    inputs.dry_runs.insert(candidate, DryRun::Refused(refused));
    let failures = diff(&desired, &world.live, &inputs).unwrap_err();
    let told: Vec<_> = failures.iter().map(|failure| (failure.facts.as_slice(), &failure.help)).collect();
    let help = "mend the field that it names: in the topology if the value comes from there, in the \
                live object if somebody added it there; then plan again";
    assert_eq!(told, [(["in step cluster1/control-plane".to_owned()].as_slice(), &Some(help.to_owned()))]);
}

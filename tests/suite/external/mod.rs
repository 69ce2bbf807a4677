//! `istio.charts: external`: releases that others install, with the values that Stolos prints.
//!
//! The owner is a test here, with the field manager of Argo CD; on API servers also `helm` itself.

mod hand_over;
mod installed;
mod printed_values;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stolos::compile::{Desired, PART_OF};
use stolos::object::{Object, ObjectRef, managed_fields};
use stolos::plan::{Action, Conflicts, Mode, Unmet};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::meshes::{Meshes, desired, text, topology_text, writes};
use crate::support::owner::{OWNER, Owner, printed, theirs};
use crate::support::tapped::differences;

on_both_back_ends!(
    an_apply_waits_for_what_others_install_and_names_what_is_wrong_with_it,
    what_stolos_installed_is_handed_over_whole_and_nothing_of_it_is_deleted,
    a_destroy_leaves_the_releases_to_their_owner,
    the_way_back_adopts_and_steals_nothing,
    an_istiod_that_started_before_its_certificate_is_told_of,
);

const FILE: &str = "external-multi-network.yaml";

fn external() -> Desired {
    desired(FILE, &topology_text(FILE))
}

/// The same mesh, installed by Stolos.
fn embedded() -> Desired {
    desired(FILE, &topology_text(FILE).replace("charts: external", "charts: embedded"))
}

/// An object without what tells who wrote it and when.
fn content(object: &Object) -> Value {
    let mut value = object.as_value().clone();
    value.as_object_mut().expect("a map").remove("status");
    let metadata = value["metadata"].as_object_mut().expect("a map");
    for name in ["managedFields", "resourceVersion", "generation"] {
        metadata.remove(name);
    }
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.remove(PART_OF);
        if labels.is_empty() {
            metadata.remove("labels");
        }
    }
    value
}

fn is_ours(object: &Object) -> bool {
    object.label(PART_OF).is_some() || managed_fields(object).iter().any(|entry| entry.manager == "stolos")
}

/// What is read of each object.
async fn contents(meshes: &Meshes, objects: &[(String, ObjectRef)]) -> BTreeMap<String, String> {
    let mut contents = BTreeMap::new();
    for (cluster, object) in objects {
        let live = meshes.live(cluster, object).await;
        let value = live.as_ref().map_or(Value::Null, content);
        contents.insert(format!("{cluster} {object}"), format!("{value:#}"));
    }
    contents
}

async fn an_apply_waits_for_what_others_install_and_names_what_is_wrong_with_it(on: BackEnd) {
    let meshes = Meshes::on(on, "external-waits", external()).await;
    let (owner, printed) = (Owner::with_embedded(), printed(&meshes.desired));
    // What an owner gets wrong, and what the apply says of it.
    let mut wrong = printed.clone();
    let primary = wrong.get_mut("cluster1/control-plane").expect("values");
    primary["global"]["multiCluster"]["clusterName"] = json!("Kubernetes");
    primary["global"]["network"] = json!("elsewhere");
    primary["global"]["tag"] = json!("1.29.6");
    primary["global"].as_object_mut().expect("a map").remove("externalIstiod");
    primary["global"].as_object_mut().expect("a map").remove("meshNetworks");
    primary["meshConfig"]["trustDomain"] = json!("other.example");
    let remote = wrong.get_mut("cluster2/control-plane").expect("values");
    remote["global"]["remotePilotAddress"] = json!("203.0.113.99");
    remote["istiodRemote"]["injectionPath"] = json!("/inject");
    let gateway = wrong.get_mut("cluster1/eastwest-gateway").expect("values");
    gateway["networkGateway"] = json!("network2");
    let expected = BTreeMap::from([
        (
            "cluster1/control-plane".to_owned(),
            vec![
                "Deployment istio-system/istiod: its chart is of 1.29.6, wanted 1.30.3: istio.version",
                "Deployment istio-system/istiod: CLUSTER_ID is \"Kubernetes\", wanted \"cluster1\": value global.multiCluster.clusterName",
                "Deployment istio-system/istiod: EXTERNAL_ISTIOD is not set, wanted \"true\": value global.externalIstiod",
                "ConfigMap istio-system/istio: trustDomain in its mesh is \"other.example\", wanted \"cluster.local\": value meshConfig.trustDomain",
                "ConfigMap istio-system/istio: networks in its meshNetworks is {}, wanted {\"network1\":{\"endpoints\":[{\"fromRegistry\":\"cluster1\"}],\"gateways\":[{\"address\":\"203.0.113.7\",\"port\":15443}]},\"network2\":{\"endpoints\":[{\"fromRegistry\":\"cluster2\"}],\"gateways\":[{\"address\":\"203.0.113.9\",\"port\":15443}]}}: value global.meshNetworks",
                "ConfigMap istio-system/istio-sidecar-injector: global.network in its values is \"elsewhere\", wanted \"network1\": value global.network",
                "ConfigMap istio-system/istio-sidecar-injector: global.multiCluster.clusterName in its values is \"Kubernetes\", wanted \"cluster1\": value global.multiCluster.clusterName",
            ],
        ),
        (
            "cluster2/control-plane".to_owned(),
            vec![
                "EndpointSlice istio-system/istiod: leads to 203.0.113.99, wanted 203.0.113.7: value global.remotePilotAddress",
                "MutatingWebhookConfiguration istio-sidecar-injector: its webhooks ask at \"/inject\", wanted \"/inject/cluster/cluster2/net/network2\": value istiodRemote.injectionPath",
            ],
        ),
        (
            "cluster1/eastwest-gateway".to_owned(),
            vec![
                "Deployment istio-system/istio-eastwestgateway: ISTIO_META_REQUESTED_NETWORK_VIEW is \"network2\", wanted \"network1\": value networkGateway",
                "Service istio-system/istio-eastwestgateway: topology.istio.io/network is \"network2\", wanted \"network1\": value networkGateway",
            ],
        ),
    ]);
    let mut installed = BTreeSet::new();
    let mut mended: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut first: BTreeMap<String, Unmet> = BTreeMap::new();
    let plan = meshes.plan(Mode::Apply).await;
    let ran = owner.beside(&meshes, plan, |unit, unmet| {
        let name = unit.unit.to_string();
        if installed.insert(name.clone()) {
            first.insert(name.clone(), unmet.clone());
            return Some(wrong[&name].clone());
        }
        let is_wrong = |fact: &&String| fact.contains(", wanted ");
        let faults: Vec<String> = unmet.facts.iter().filter(is_wrong).cloned().collect();
        let is_whole = faults.len() == expected.get(&name).map_or(0, Vec::len);
        (is_whole && !faults.is_empty() && mended.insert(name.clone(), faults).is_none())
            .then(|| printed[&name].clone())
    });
    let ran = ran.await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let told: BTreeMap<String, Vec<&str>> = mended
        .iter()
        .map(|(name, facts)| (name.clone(), facts.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(
        first["cluster1/base"],
        Unmet {
            what: "others to install release istio-base".to_owned(),
            facts: vec!["its values: cluster1/base.yaml of `stolos compile --values`".to_owned()],
        }
    );
    // Clean, and nothing of the releases is ours.
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
    for (cluster, object) in theirs(&owner, &meshes.desired) {
        let live = meshes.live(&cluster, &object).await.expect("it is there");
        assert!(!is_ours(&live), "{cluster} {object}");
    }
    // And each thing that is wrong is seen by a plan too.
    let unit = meshes.desired.unit(&"cluster1/eastwest-gateway".parse().expect("a unit")).expect("there");
    owner.install(&meshes, unit, &wrong["cluster1/eastwest-gateway"]).await;
    let plan = meshes.plan(Mode::Apply).await;
    let step = plan.step(&unit.unit).expect("a step");
    let unmet = step.unmet.as_ref().expect("something is wrong");
    assert_eq!(unmet.what, "release istio-eastwestgateway, which others install, to be as the topology asks");
    assert_eq!(unmet.facts[..2], expected["cluster1/eastwest-gateway"][..]);
}

async fn what_stolos_installed_is_handed_over_whole_and_nothing_of_it_is_deleted(on: BackEnd) {
    let mut meshes = Meshes::applied_on(on, "external-handed-over", embedded()).await;
    let owner = Owner::with_embedded();
    let theirs = theirs(&owner, &meshes.desired);
    let before = contents(&meshes, &theirs).await;
    let all = meshes.everything().await;
    meshes.desired = external();
    let plan = meshes.plan(Mode::Apply).await;
    let actions: BTreeSet<&str> =
        plan.steps.iter().flat_map(|step| step.writes()).map(|change| change.action.as_str()).collect();
    assert_eq!(actions, BTreeSet::from(["hand-over"]), "{}", text(&plan));
    assert_eq!(plan.counts()[&Action::HandOver], theirs.len(), "{}", text(&plan));
    // It stands first: whoever installs waits for nobody.
    let order: Vec<String> =
        plan.steps.iter().filter(|step| !step.is_done()).map(|step| step.id().to_string()).collect();
    assert!(order.iter().all(|id| id.ends_with(" leftovers")), "{order:?}");
    let ran = meshes.run(plan).await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(differences(&before, &contents(&meshes, &theirs).await), Vec::<String>::new());
    assert_eq!(meshes.everything().await, all);
    for (cluster, object) in &theirs {
        let live = meshes.live(cluster, object).await.expect("it is there");
        assert!(!is_ours(&live), "{cluster} {object}");
    }
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
    // The way back, while nobody else has touched it: as it was, and again as it is to be.
    meshes.desired = embedded();
    let plan = meshes.plan(Mode::Apply).await;
    let actions: BTreeSet<&str> =
        plan.steps.iter().flat_map(|step| step.writes()).map(|change| change.action.as_str()).collect();
    assert_eq!(actions, BTreeSet::from(["adopt"]), "{}", text(&plan));
    assert!(meshes.run(plan).await.summary.is_complete());
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
    meshes.desired = external();
    assert!(meshes.apply().await.summary.is_complete());
    assert_eq!(differences(&before, &contents(&meshes, &theirs).await), Vec::<String>::new());
    // The owner takes it, with what it thinks is right, and still nothing is ours.
    for unit in meshes.desired.units.iter().filter(|unit| unit.content.release.is_some()) {
        owner.install(&meshes, unit, &printed(&meshes.desired)[&unit.unit.to_string()]).await;
    }
    assert!(meshes.apply().await.summary.is_complete());
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

async fn a_destroy_leaves_the_releases_to_their_owner(on: BackEnd) {
    let meshes = Meshes::on(on, "external-destroyed", external()).await;
    let owner = Owner::with_embedded();
    owner.comes(&meshes).await;
    let theirs = theirs(&owner, &meshes.desired);
    let before: BTreeMap<String, Option<String>> = {
        let mut uids = BTreeMap::new();
        for (cluster, object) in &theirs {
            let live = meshes.live(cluster, object).await.expect("it is there");
            uids.insert(format!("{cluster} {object}"), live.uid().map(str::to_owned));
        }
        uids
    };
    let plan = meshes.plan(Mode::Destroy).await;
    assert!(
        text(&plan).contains("and so do base, control planes and gateways, which others installed"),
        "{}",
        text(&plan)
    );
    let ran = meshes.run(plan).await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    for (cluster, object) in &theirs {
        let live = meshes.live(cluster, object).await.expect("it stays");
        assert_eq!(live.uid().map(str::to_owned), before[&format!("{cluster} {object}")], "{object}");
    }
    let left = meshes.applied_by_us().await;
    assert_eq!(left, ["cluster1 Namespace istio-system", "cluster2 Namespace istio-system"]);
    // A namespace that holds istiod of others is kept, and nobody's from then on.
    assert_eq!(writes(&meshes.plan(Mode::Destroy).await), Vec::<String>::new());
}

async fn the_way_back_adopts_and_steals_nothing(on: BackEnd) {
    let mut meshes = Meshes::on(on, "external-back", external()).await;
    let owner = Owner::with_embedded();
    owner.comes(&meshes).await;
    // The owner has its own idea of how many istiods there are.
    let unit = meshes.desired.unit(&"cluster1/control-plane".parse().expect("a unit")).expect("there");
    let mut values = printed(&meshes.desired)["cluster1/control-plane"].clone();
    values["pilot"] = json!({"autoscaleEnabled": false, "replicaCount": 2});
    owner.install(&meshes, unit, &values).await;
    assert!(meshes.apply().await.summary.is_complete(), "how many there are is no concern of ours");
    let text = topology_text(FILE).replace(
        "charts: external }",
        "charts: embedded, values: { istiod: { pilot: { autoscaleEnabled: false, replicaCount: 1 } } } }",
    );
    meshes.desired = desired(FILE, &text);
    let refused = meshes.try_plan(Mode::Apply, Conflicts::Refuse).await.expect_err("it is a conflict");
    let said: Vec<String> = refused
        .iter()
        .flat_map(|failure| failure.facts.iter().map(|fact| format!("{}: {fact}", failure.code.name)))
        .collect();
    assert!(said.contains(&format!("field-conflict: spec.replicas is applied by {OWNER}")), "{said:#?}");
    let plan = meshes.try_plan(Mode::Apply, Conflicts::Force).await.expect("a plan");
    let adopted: Vec<&str> = plan
        .steps
        .iter()
        .flat_map(|step| step.writes())
        .map(|change| change.action.as_str())
        .filter(|action| *action != "adopt")
        .collect();
    // The digest of the root's certificate restarts istiod, which is adopted for it.
    assert_eq!(adopted, Vec::<&str>::new());
    let ran = meshes.run(plan).await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

async fn an_istiod_that_started_before_its_certificate_is_told_of(on: BackEnd) {
    let meshes = Meshes::on(on, "external-early", external()).await;
    let owner = Owner::with_embedded();
    let printed = printed(&meshes.desired);
    let system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}});
    meshes.create("cluster1", system, "kubectl-create").await;
    for name in ["cluster1/base", "cluster1/control-plane"] {
        let unit = meshes.desired.unit(&name.parse().expect("a unit")).expect("there");
        owner.install(&meshes, unit, &printed[name]).await;
    }
    let root = ObjectRef {
        group: String::new(),
        kind: "ConfigMap".to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "istio-ca-root-cert".to_owned(),
    };
    // istiod has made a root of its own by the time that it publishes it.
    while meshes.live("cluster1", &root).await.is_none() {
        tokio::task::yield_now().await;
    }
    let plan = meshes.plan(Mode::Apply).await;
    let step = plan.step(&"cluster1/control-plane".parse().expect("a unit")).expect("a step");
    let restart = "kubectl --context cluster1 -n istio-system rollout restart deployment/istiod";
    let mut done = BTreeSet::new();
    let mut told = None;
    if let Some(unmet) = &step.unmet
        && unmet.what.contains("start anew")
    {
        assert_eq!(
            unmet.facts,
            [format!("istiod reads its root once, when it starts; after the step before: {restart}")]
        );
    }
    let ran = owner.beside(&meshes, plan, |unit, unmet| {
        let name = unit.unit.to_string();
        let early = ["cluster1/base", "cluster1/control-plane"].contains(&name.as_str());
        if !early && done.insert(name.clone()) {
            return Some(printed[&name].clone());
        }
        let fact = unmet.facts.iter().find(|fact| fact.contains("another root of trust"));
        if told.is_none() && fact.is_some() {
            told = fact.cloned();
            // A restart by the owner: another template of its pods.
            let mut values = printed[&name].clone();
            values["pilot"] = json!({"podAnnotations": {"restarted": "yes"}});
            return Some(values);
        }
        None
    });
    let ran = ran.await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(
        told.expect("it was told"),
        format!(
            "ConfigMap istio-system/istio-ca-root-cert holds another root of trust than Secret istio-system/cacerts, \
             so istiod started before that was there: {restart}"
        )
    );
}

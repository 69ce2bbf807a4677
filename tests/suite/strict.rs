//! The sandbox is strict: what istiod needs to serve a remote is needed here, and a wait that ends names it.

use std::sync::Arc;

use stolos::apply::StepOutcome;
use stolos::compile::{Desired, DesiredUnit};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::meshes::{Meshes, desired, topology_text};

on_both_back_ends!(
    without_the_remote_secret_the_wait_names_it,
    without_the_annotation_the_wait_names_it,
    without_external_istiod_the_wait_names_it
);

const SHARED: &str = "primary-remote-multi-network.yaml";

fn unit<'d>(desired: &'d mut Desired, name: &str) -> &'d mut DesiredUnit {
    desired.units.iter_mut().find(|unit| unit.unit.to_string() == name).expect("a unit of the topology")
}

/// Applies the shared control plane with one thing left out, and gives what the remote's wait says.
async fn without(on: BackEnd, test: &str, leave_out: impl FnOnce(&mut Desired)) -> (String, Vec<String>) {
    let mut desired = desired(SHARED, &topology_text(SHARED));
    leave_out(&mut desired);
    let mut meshes = Meshes::on(on, test, desired).await;
    meshes.options.timeout = on.short();
    let summary = meshes.apply().await.summary;
    let secret = "cluster1/remote-secret-cluster2".parse().expect("a unit");
    let StepOutcome::Failed(failure) = &summary.steps[&secret] else { panic!("{summary:#?}") };
    assert_eq!(failure.code.name, "wait-timeout");
    // The remote's gateway and its applications would be refused by the webhook: they are not even tried.
    let held: Vec<String> = summary.held_back_by(&secret).map(ToString::to_string).collect();
    assert_eq!(held, ["cluster2/eastwest-gateway", "cluster2/app-namespaces"]);
    (failure.message.clone(), failure.facts.clone())
}

fn waited(on: BackEnd) -> String {
    let seconds = on.short().as_secs();
    format!("cluster1/remote-secret-cluster2 waited {seconds}s for istiod of cluster1 to serve cluster2")
}

const NO_BUNDLE: &str =
    "MutatingWebhookConfiguration istio-sidecar-injector in cluster2: caBundle is empty in 4 of 4 webhooks";
const NO_ROOT: &str = "ConfigMap istio-system/istio-ca-root-cert does not exist in cluster2";
const SECRET: &str = "remote Secret istio-system/istio-remote-secret-cluster2 in cluster1";
const ANNOTATION: &str =
    "annotation topology.istio.io/controlPlaneClusters on Namespace istio-system in cluster2";
const EXTERNAL: &str = "EXTERNAL_ISTIOD=true on Deployment istio-system/istiod in cluster1";

async fn without_the_remote_secret_the_wait_names_it(on: BackEnd) {
    let (message, facts) = without(on, "strict-secret", |desired| {
        unit(desired, "cluster1/remote-secret-cluster2").content.objects.clear();
    })
    .await;
    assert_eq!(message, waited(on));
    let expected = [
        NO_BUNDLE.to_owned(),
        NO_ROOT.to_owned(),
        format!("MISSING: {SECRET}"),
        format!("there: {ANNOTATION}"),
        format!("there: {EXTERNAL}"),
    ];
    assert_eq!(facts, expected);
}

async fn without_the_annotation_the_wait_names_it(on: BackEnd) {
    let (message, facts) = without(on, "strict-annotation", |desired| {
        let namespace = &mut unit(desired, "cluster2/namespace").content.objects[0];
        namespace.as_map_mut()["metadata"].as_object_mut().expect("metadata").remove("annotations");
    })
    .await;
    assert_eq!(message, waited(on));
    let expected = [
        NO_BUNDLE.to_owned(),
        NO_ROOT.to_owned(),
        format!("there: {SECRET}"),
        format!("MISSING: {ANNOTATION}, naming cluster1 or *"),
        format!("there: {EXTERNAL}"),
    ];
    assert_eq!(facts, expected);
}

async fn without_external_istiod_the_wait_names_it(on: BackEnd) {
    let (message, facts) = without(on, "strict-external", |desired| {
        let release = unit(desired, "cluster1/control-plane").content.release.as_mut().expect("a release");
        let global = Arc::make_mut(&mut release.values)["global"].as_object_mut().expect("a map");
        assert!(global.remove("externalIstiod").is_some());
    })
    .await;
    assert_eq!(message, waited(on));
    let expected = [
        NO_BUNDLE.to_owned(),
        NO_ROOT.to_owned(),
        format!("there: {SECRET}"),
        format!("there: {ANNOTATION}"),
        format!("MISSING: {EXTERNAL}"),
    ];
    assert_eq!(facts, expected);
}

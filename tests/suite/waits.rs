//! What a step that waits in vain says, and when it gives up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stolos::apply::{Event, StepOutcome, Stop};
use stolos::diagnostic::Failure;
use stolos::object::Object;
use stolos::plan::Mode;
use stolos::sandbox::{ClusterStore, WriteOptions};
use tokio::sync::watch;

use crate::support::meshes::{Meshes, desired, topology_text};
use crate::support::scratch::scratch;

const SHARED: &str = "primary-remote-multi-network.yaml";
const UNIT: &str = "cluster1/control-plane";

/// Applies to clusters in which nothing happens by itself, does something to cluster1 as soon as istiod is
/// waited for, and gives how that wait failed. Every other step is left alone from then on.
async fn failure_when(meshes: &Meshes, then: impl Fn(&ClusterStore, &Object)) -> Failure {
    let store = Arc::clone(meshes.running.sandbox().cluster("cluster1").expect("a cluster"));
    let (stopper, stop) = watch::channel(Stop::Go);
    let plan = meshes.plan(Mode::Apply).await;
    let done = std::sync::atomic::AtomicBool::new(false);
    let ran = meshes.run_telling(plan, stop, |event| match event {
        Event::Waiting { step, .. }
            if step.to_string() == UNIT && !done.swap(true, std::sync::atomic::Ordering::Relaxed) =>
        {
            let istiod = store.find("apps", "Deployment", Some("istio-system"), "istiod");
            then(&store, &istiod.expect("istiod was made"));
        }
        Event::Failed { .. } => {
            stopper.send_replace(Stop::Finish);
        }
        _ => {}
    });
    let summary = ran.await.summary;
    let StepOutcome::Failed(failure) = &summary.steps[&UNIT.parse().expect("a step")] else {
        panic!("{summary:#?}");
    };
    failure.clone()
}

fn put(store: &ClusterStore, object: Value) -> Arc<Object> {
    let status = object["status"].clone();
    let object = Object::from_value(object).expect("an object");
    let reference = object.reference();
    let made = store.create(object, &WriteOptions::by("test")).expect("created").object;
    if !status.is_null() {
        store.patch_status(&reference, &json!({"status": status}), "test").expect("written");
    }
    made
}

fn owned_by(owner: &Object) -> Value {
    json!([{
        "apiVersion": owner.api_version(), "kind": owner.kind(), "name": owner.name(), "uid": owner.uid(),
        "controller": true,
    }])
}

fn warning(about: &Object, name: &str, reason: &str, message: &str, seconds_ago: i64) -> Value {
    let time = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds_ago);
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "istio-system"},
        "involvedObject": {"kind": about.kind(), "name": about.name(), "namespace": "istio-system", "uid": about.uid()},
        "type": "Warning", "reason": reason, "message": message, "count": 4,
        "lastTimestamp": time.to_string(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_does_not_come_says_what_keeps_its_pods_and_quotes_their_events() {
    let text = topology_text(SHARED) + "defaults: { timeouts: { control-plane: 1s } }\n";
    let meshes = Meshes::without_controllers(&scratch("waits-pods"), desired(SHARED, &text)).await;
    // The first run makes the Deployment, of which then comes what is told of in the second.
    failure_when(&meshes, |_, _| ()).await;
    let store = meshes.running.sandbox().cluster("cluster1").expect("a cluster");
    let istiod = store.find("apps", "Deployment", Some("istio-system"), "istiod").expect("istiod was made");
    trouble_of(store, &istiod);
    let failure = failure_when(&meshes, |_, _| ()).await;
    assert_eq!(failure.code.name, "wait-timeout");
    let facts: Vec<String> = failure
        .facts
        .iter()
        .map(|fact| {
            regex::Regex::new(r"last \d+[sm]\S* ago")
                .expect("valid")
                .replace(fact, "last Ns ago")
                .into_owned()
        })
        .collect();
    assert_eq!(
        facts,
        [
            "its controller has not seen the last change yet",
            "pod istiod-new-a: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.",
            "pod istiod-new-b: container discovery: CrashLoopBackOff, it last ended with Error, exit code 255, restarted 3 times",
            "BackOff (4 times, last Ns ago): Back-off restarting failed container discovery",
            "FailedCreate (4 times, last Ns ago): Error creating: exceeded quota: pods",
        ]
    );
}

/// What controllers leave of a Deployment whose pods do not come.
fn trouble_of(store: &ClusterStore, istiod: &Object) {
    let labels = istiod.get(&["spec", "selector", "matchLabels"]).expect("a selector").clone();
    let template = istiod.get(&["spec", "template"]).expect("a template").clone();
    let set = |name: &str, replicas: u32| {
        put(
            store,
            json!({
                "apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {"name": name, "namespace": "istio-system", "labels": labels, "ownerReferences": owned_by(istiod)},
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
            }),
        )
    };
    let (current, old) = (set("istiod-new", 2), set("istiod-old", 0));
    let pod = |name: &str, owner: &Object, status: Value| {
        put(
            store,
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "namespace": "istio-system", "labels": labels, "ownerReferences": owned_by(owner)},
                "spec": {"containers": [{"name": "discovery", "image": "pilot"}]}, "status": status,
            }),
        )
    };
    let unscheduled = json!({"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu."}]});
    let crashing = json!({"containerStatuses": [{
            "name": "discovery", "restartCount": 3, "ready": false, "image": "pilot", "imageID": "",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
            "lastState": {"terminated": {"reason": "Error", "exitCode": 255, "message": "hunter2"}}}]});
    let first = pod("istiod-new-a", &current, unscheduled);
    let second = pod("istiod-new-b", &current, crashing.clone());
    // Those of an earlier form are no reason.
    let third = pod("istiod-old-a", &old, crashing);
    for event in [
        warning(&first, "e1", "FailedScheduling", "0/3 nodes are available: 3 Insufficient cpu.", 20),
        warning(&second, "e2", "BackOff", "Back-off restarting failed container discovery", 10),
        warning(&current, "e3", "FailedCreate", "Error creating: exceeded quota: pods", 30),
        warning(&third, "e4", "Unhealthy", "Readiness probe failed", 5),
    ] {
        put(store, event);
    }
}

/// A Deployment that made no progress since a time.
fn failed_since(store: &ClusterStore, istiod: &Object, time: &str) {
    let status = json!({"status": {"observedGeneration": 1, "conditions": [{
        "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
        "message": "ReplicaSet \"istiod-new\" has timed out progressing.", "lastTransitionTime": time}]}});
    store.patch_status(&istiod.reference(), &status, "kube-controller-manager").expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_kubernetes_gives_up_meanwhile_is_not_waited_for_to_the_end() {
    let desired = desired(SHARED, &topology_text(SHARED));
    let mut meshes = Meshes::without_controllers(&scratch("waits-given-up"), desired).await;
    meshes.options.timeout = Duration::from_secs(3600);
    let failure = failure_when(&meshes, |store, istiod| {
        failed_since(store, istiod, "2026-01-01T00:00:00Z");
    })
    .await;
    assert_eq!(failure.code.name, "deployment-failed");
    assert_eq!(
        (failure.message.as_str(), failure.facts.as_slice()),
        (
            "cluster1/control-plane waited for Deployment istio-system/istiod to be available and Kubernetes \
             counts it as failed",
            [
                "0 of 1 replicas are of the newest form, 0 are available".to_owned(),
                "Progressing is False: ProgressDeadlineExceeded: ReplicaSet \"istiod-new\" has timed out \
                 progressing."
                    .to_owned(),
            ]
            .as_slice()
        )
    );
    // The next run may have mended it: what was so before is waited for.
    meshes.options.timeout = Duration::from_secs(1);
    let again = failure_when(&meshes, |_, _| ()).await;
    assert_eq!(again.code.name, "wait-timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_the_files_own_is_waited_for_whatever_kubernetes_thinks_of_it() {
    let text = topology_text(SHARED) + "defaults: { timeouts: { control-plane: 2s } }\n";
    let meshes = Meshes::without_controllers(&scratch("waits-patient"), desired(SHARED, &text)).await;
    let start = Instant::now();
    let failure = failure_when(&meshes, |store, istiod| {
        failed_since(store, istiod, "2026-01-01T00:00:00Z");
    })
    .await;
    assert_eq!(failure.code.name, "wait-timeout");
    assert!(start.elapsed() >= Duration::from_secs(2));
}

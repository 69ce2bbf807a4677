//! What a step that waits in vain says, and when it gives up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stolos::apply::{Event, StepOutcome, Stop};
use stolos::cluster::{Cluster, ClusterError, Fault, Limits, Transport};
use stolos::diagnostic::Failure;
use stolos::object::Object;
use stolos::plan::Mode;
use stolos::sandbox::controllers::{Controllers, Member};
use stolos::sandbox::{ClusterStore, WriteOptions};
use tokio::sync::watch;

use crate::support::meshes::{Meshes, desired, folder, topology_text};
use crate::support::tap::{Deed, Tap};

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
    let meshes = Meshes::without_controllers(&folder("waits-pods"), desired(SHARED, &text)).await;
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
    let mut meshes = Meshes::without_controllers(&folder("waits-given-up"), desired).await;
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
    let meshes = Meshes::without_controllers(&folder("waits-patient"), desired(SHARED, &text)).await;
    let start = Instant::now();
    let failure = failure_when(&meshes, |store, istiod| {
        failed_since(store, istiod, "2026-01-01T00:00:00Z");
    })
    .await;
    assert_eq!(failure.code.name, "wait-timeout");
    assert!(start.elapsed() >= Duration::from_secs(2));
}

/// How the steps of remote secrets ended, and what was noted of them.
fn evidence(events: &[Event]) -> Vec<String> {
    let mut said: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Done { step, evidence: Some(evidence), .. } => Some(format!("{step}: {evidence:?}")),
            Event::Noted { step, note } => Some(format!("{step}: {note}")),
            _ => None,
        })
        .collect();
    said.sort();
    said
}

fn port_forwards(meshes: &Meshes, cluster: &str) -> u64 {
    let counts = meshes.running.request_counts(cluster);
    counts.iter().filter(|count| count.resource == "pods/portforward").map(|count| count.count).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn istiod_says_itself_that_it_uses_a_remote_secret_and_no_plan_asks_it() {
    let text = topology_text("multi-primary-multi-network.yaml");
    let meshes = Meshes::open(&folder("waits-synced"), desired("m.yaml", &text)).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(
        evidence(&ran.events),
        ["cluster1/remote-secret-cluster2: Synced", "cluster2/remote-secret-cluster1: Synced"]
    );
    for cluster in ["cluster1", "cluster2"] {
        assert!(port_forwards(&meshes, cluster) > 0, "{cluster}");
    }
    meshes.running.forget_requests();
    assert!(meshes.plan(Mode::Apply).await.is_empty());
    assert_eq!((port_forwards(&meshes, "cluster1"), port_forwards(&meshes, "cluster2")), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_istiod_cannot_read_is_told_in_istiods_words() {
    // We reach it, istiod does not: nobody in the sandbox is at that address.
    let text = topology_text("multi-primary-multi-network.yaml")
        .replace("cluster2: { ", "cluster2: { apiServer: 'https://192.0.2.7:6443', ");
    assert!(text.contains("192.0.2.7"));
    let text = text + "\ndefaults: { timeouts: { remote-secret: 1s } }\n";
    let meshes = Meshes::open(&folder("waits-unsynced"), desired("m.yaml", &text)).await;
    let summary = meshes.apply().await.summary;
    let StepOutcome::Failed(failure) =
        &summary.steps[&"cluster1/remote-secret-cluster2".parse().expect("a step")]
    else {
        panic!("{summary:#?}");
    };
    assert_eq!(
        failure.message,
        "cluster1/remote-secret-cluster2 waited 1s for istiod of cluster1 to say that cluster2 is synced"
    );
    let [fact] = failure.facts.as_slice() else { panic!("{:?}", failure.facts) };
    let (pod, words) = fact.split_once(' ').expect("words");
    assert!(pod.starts_with("istiod-"), "{fact}");
    assert_eq!(
        words,
        "says that cluster2 is in timeout: it cannot read the cluster's API with what Secret \
         istio-remote-secret-cluster2 holds, or could not in time"
    );
}

/// Looks after clusters as controllers do, but for what listens in their Pods: as without kubelets.
fn without_kubelets(meshes: &Meshes) -> tokio::task::JoinHandle<()> {
    let stores: Vec<Arc<ClusterStore>> = meshes.running.sandbox().clusters().to_vec();
    let members = stores.iter().map(|store| Member::new(Arc::clone(store) as _)).collect();
    let mut controllers = Controllers::new(members);
    let changed = Arc::new(tokio::sync::Notify::new());
    for store in &stores {
        let (mut revision, changed) = (store.subscribe(), Arc::clone(&changed));
        tokio::spawn(async move {
            while revision.changed().await.is_ok() {
                changed.notify_one();
            }
        });
    }
    tokio::spawn(async move {
        loop {
            controllers.settle();
            changed.notified().await;
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_istiod_that_cannot_be_asked_is_judged_by_its_effects_or_by_what_is_written() {
    let text = topology_text("mixed.yaml");
    let meshes = Meshes::without_controllers(&folder("waits-unasked"), desired("mixed.yaml", &text)).await;
    let controllers = without_kubelets(&meshes);
    let ran = meshes.apply().await;
    controllers.abort();
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let mut kinds = std::collections::BTreeSet::new();
    for line in evidence(&ran.events) {
        let (step, said) = line.split_once(": ").expect("a step");
        match said {
            "Effects" | "Written" => drop(kinds.insert(said.to_owned())),
            note => {
                let primary = step.split('/').next().expect("a cluster");
                let start = format!("istiod of {primary} cannot be asked whether it has synced: ask Pod ");
                assert!(note.starts_with(&start), "{note}");
                assert!(
                    note.ends_with("the server answered 500: error dialing backend: no kubelet"),
                    "{note}"
                );
            }
        }
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["Effects", "Written"]);
    for cluster in meshes.desired.clusters.keys() {
        assert!(port_forwards(&meshes, cluster.as_str()) <= 1, "{cluster} is asked once and never again");
    }
}

/// What asking a pod says where a server answers so.
async fn asked_of(reply: Deed) -> Fault {
    let server = Tap::scripted(vec![reply]).await;
    let limits =
        Limits { connect: Duration::from_millis(500), read: Duration::from_millis(500), ..Limits::default() };
    let transport = Transport::plain(server.url("west"), limits).expect("a URL");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "istiod-1", "namespace": "istio-system"}});
    let pod = Object::from_value(pod).expect("an object").reference();
    let error = Cluster::new("west".into(), "https://west", transport)
        .ask_pod(&pod, 15014, "/debug/clusterz")
        .await
        .expect_err("it is not forwarded");
    assert_eq!(
        server.requests(),
        ["GET /api/v1/namespaces/istio-system/pods/istiod-1/portforward?&ports=15014"],
        "it is not tried again"
    );
    error.fault
}

#[tokio::test]
async fn a_server_that_forwards_no_port_says_why() {
    let refusal = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "pods \"istiod-1\" is forbidden: User \"ci\" cannot create resource \"pods/portforward\""});
    assert_eq!(
        asked_of(Deed::Json(403, refusal)).await,
        Fault::Forbidden(
            "pods \"istiod-1\" is forbidden: User \"ci\" cannot create resource \"pods/portforward\""
                .to_owned()
        )
    );
    let gone = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound",
        "message": "pods \"istiod-1\" not found", "details": {"name": "istiod-1", "kind": "pods"}});
    assert_eq!(
        asked_of(Deed::Json(404, gone)).await,
        Fault::NotFound("pods \"istiod-1\" not found".to_owned())
    );
    assert_eq!(
        asked_of(Deed::Text(200, "ok")).await,
        Fault::Unreachable("failed to switch protocol: 200 OK".to_owned())
    );
    assert_eq!(asked_of(Deed::Silence).await, Fault::Silent("no answer within 0.5 s".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_listens_in_a_pod_is_asked_and_what_does_not_is_told() {
    let meshes = Meshes::open(&folder("waits-ask"), desired(SHARED, &topology_text(SHARED))).await;
    assert!(meshes.apply().await.summary.is_complete());
    let store = meshes.running.sandbox().cluster("cluster1").expect("a cluster");
    let pod_of = |app: &str| {
        let pods = store.list("", "Pod", Some("istio-system"));
        pods.iter().find(|pod| pod.label("app") == Some(app)).expect("a pod").reference()
    };
    let cluster = &meshes.clusters["cluster1"];
    let istiod = pod_of("istiod");
    assert_eq!(
        cluster.ask_pod(&istiod, 15014, "/debug/clusterz").await.expect("it answers"),
        json!([
            {"id": "cluster1", "secretName": "", "syncStatus": "synced"},
            {"id": "cluster2", "secretName": "istio-system/istio-remote-secret-cluster2", "syncStatus": "synced"},
        ])
    );
    let fault = |answer: Result<Value, ClusterError>| answer.expect_err("it does not").fault;
    assert_eq!(
        fault(cluster.ask_pod(&istiod, 15014, "/debug/nothing").await),
        Fault::Server { status: 404, message: "no reason given".to_owned() }
    );
    for (pod, port) in [(&istiod, 15010), (&pod_of("istio-eastwestgateway"), 15014)] {
        assert!(matches!(fault(cluster.ask_pod(pod, port, "/debug/clusterz").await), Fault::Unreachable(_)));
    }
}

//! What istiod says of the clusters that it reads, asked through an API server's port-forward: the done condition of
//! a remote secret, and what is said where it cannot be asked.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use stolos::apply::{Event, StepOutcome};
use stolos::cluster::{Cluster, ClusterError, Fault, Limits, Selection, Transport};
use stolos::diagnostic::Failure;
use stolos::object::{GroupKind, Object, ObjectRef};
use stolos::plan::Mode;
use stolos::sandbox::controllers::{Controllers, Member};
use stolos::sandbox::{ClusterStore, ProcessAnswer, Processes};
use stolos::view::progress::Progress;

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::meshes::{Meshes, Ran, desired, topology_text};
use crate::support::scratch::scratch;
use crate::support::servers::{Assets, Raw};
use crate::support::tap::{Deed, Tap};

on_both_back_ends!(
    istiod_says_itself_that_it_uses_a_remote_secret_and_no_plan_asks_it,
    a_primary_that_serves_a_remote_says_that_it_is_synced_in_one_line,
    a_cluster_that_istiod_cannot_read_is_told_in_istiods_words,
    a_remote_whose_primary_cannot_read_it_is_told_in_that_ones_words,
    an_istiod_that_has_not_synced_yet_is_asked_until_it_has,
    what_listens_in_a_pod_is_asked_and_what_does_not_is_told,
);

const SHARED: &str = "primary-remote-multi-network.yaml";
const PEERS: &str = "multi-primary-multi-network.yaml";
/// Where istiod's debug endpoints are.
const MONITORING: u16 = 15014;

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

/// What a person was told of the steps of remote secrets, without how far the run was and how long they took.
fn told(mut progress: Progress, ran: &Ran) -> Vec<String> {
    let lines = ran.events.iter().filter_map(|event| progress.take(event, Duration::ZERO));
    let lines = lines.filter(|line| line.contains("/remote-secret-"));
    let words = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let plain = words.map(|words| match words[0].as_str() {
        ".." => words[1..].join(" "),
        _ => {
            let from = words.iter().position(|word| word.contains("/remote-secret-")).expect("filtered so");
            words[from..words.len() - 1].join(" ")
        }
    });
    plain.collect()
}

/// A mesh whose istiods can be asked.
async fn askable(on: BackEnd, test: &str, text: &str) -> Meshes {
    Meshes::on(on, test, desired("mesh.yaml", text)).await
}

/// How a step failed.
fn failure(ran: &Ran, step: &str) -> Failure {
    let StepOutcome::Failed(failure) = &ran.summary.steps[&step.parse().expect("a step")] else {
        panic!("{:#?}", ran.summary);
    };
    failure.clone()
}

/// A topology whose cluster2 we reach, and istiod does not: nobody is at that address. Its own steps do not wait long.
fn unreadable(file: &str, on: BackEnd, unit: &str) -> String {
    let unread = "cluster2: { apiServer: 'https://192.0.2.7:6443', ";
    let text = topology_text(file).replace("cluster2: { ", unread);
    assert!(text.contains(unread));
    format!("{text}\ndefaults: {{ timeouts: {{ {unit}: {}s }} }}\n", on.short().as_secs())
}

async fn istiod_says_itself_that_it_uses_a_remote_secret_and_no_plan_asks_it(on: BackEnd) {
    let mut meshes = askable(on, "asked-synced", &topology_text(PEERS)).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(
        evidence(&ran.events),
        ["cluster1/remote-secret-cluster2: Synced", "cluster2/remote-secret-cluster1: Synced"]
    );
    meshes.running.forget();
    assert!(meshes.plan(Mode::Apply).await.is_empty());
    let forwards = |cluster| meshes.running.port_forwards(cluster);
    assert_eq!((forwards("cluster1"), forwards("cluster2")), (0, 0));
}

async fn a_primary_that_serves_a_remote_says_that_it_is_synced_in_one_line(on: BackEnd) {
    let meshes = askable(on, "asked-served", &topology_text(SHARED)).await;
    // Of real servers other tests have asked as well.
    let forwards = |cluster| meshes.running.port_forwards(cluster);
    let before = [forwards("cluster1"), forwards("cluster2")];
    let plan = meshes.plan(Mode::Apply).await;
    let progress = Progress::new(&plan, meshes.options.timeout);
    let ran = meshes.run(plan).await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(evidence(&ran.events), ["cluster1/remote-secret-cluster2: Synced"]);
    assert_eq!(told(progress, &ran), ["cluster1/remote-secret-cluster2 1 created, synced"]);
    // Its own API server, and nobody else's, leads to an istiod.
    assert!(forwards("cluster1") > before[0]);
    assert_eq!(forwards("cluster2"), before[1]);
}

async fn a_cluster_that_istiod_cannot_read_is_told_in_istiods_words(on: BackEnd) {
    let text = unreadable(PEERS, on, "remote-secret");
    let meshes = askable(on, "asked-unread", &text).await;
    let failure = failure(&meshes.apply().await, "cluster1/remote-secret-cluster2");
    let waited = on.short().as_secs();
    assert_eq!(
        failure.message,
        format!(
            "cluster1/remote-secret-cluster2 waited {waited}s for istiod of cluster1 to say that cluster2 is synced"
        )
    );
    let [fact] = failure.facts.as_slice() else { panic!("{:?}", failure.facts) };
    assert_in_timeout(fact);
}

/// It is what istiod says of cluster2, with the name of a Pod of its own.
fn assert_in_timeout(fact: &str) {
    let (pod, words) = fact.split_once(' ').expect("words");
    assert!(pod.starts_with("istiod-"), "{fact}");
    assert_eq!(
        words,
        "says that cluster2 is in timeout: it cannot read the cluster's API with what Secret \
         istio-remote-secret-cluster2 holds, or could not in time"
    );
}

async fn a_remote_whose_primary_cannot_read_it_is_told_in_that_ones_words(on: BackEnd) {
    let text = unreadable(SHARED, on, "remote-secret");
    let meshes = askable(on, "asked-remote-unread", &text).await;
    let failure = failure(&meshes.apply().await, "cluster1/remote-secret-cluster2");
    assert_eq!(failure.code.name, "wait-timeout");
    let waited = on.short().as_secs();
    assert_eq!(
        failure.message,
        format!("cluster1/remote-secret-cluster2 waited {waited}s for istiod of cluster1 to serve cluster2")
    );
    let fact = failure.facts.iter().find(|fact| fact.starts_with("istiod-"));
    assert_in_timeout(fact.unwrap_or_else(|| panic!("{:?}", failure.facts)));
}

/// An istiod that reads a cluster later than it serves it: it says so a number of times.
#[derive(Debug)]
struct Slow {
    asked: AtomicUsize,
    synced_from: usize,
}

impl Processes for Slow {
    fn get(&self, cluster: &str, _: &Object, port: u16, path: &str) -> Option<ProcessAnswer> {
        if port != MONITORING || path != "/debug/clusterz" {
            return (port == MONITORING).then(|| ProcessAnswer { status: 404, body: String::new() });
        }
        let status = match self.asked.fetch_add(1, Ordering::Relaxed) {
            earlier if earlier < self.synced_from => "syncing",
            _ => "synced",
        };
        let body = json!([
            {"id": cluster, "secretName": "", "syncStatus": "synced"},
            {"id": "cluster2", "secretName": "istio-system/istio-remote-secret-cluster2", "syncStatus": status},
        ]);
        Some(ProcessAnswer { status: 200, body: body.to_string() })
    }
}

async fn an_istiod_that_has_not_synced_yet_is_asked_until_it_has(on: BackEnd) {
    let mut meshes = askable(on, "asked-slow", &topology_text(SHARED)).await;
    let slow = Arc::new(Slow { asked: AtomicUsize::new(0), synced_from: 2 });
    let processes: Arc<dyn Processes> = Arc::<Slow>::clone(&slow);
    meshes.running.run("cluster1", Arc::downgrade(&processes));
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(evidence(&ran.events), ["cluster1/remote-secret-cluster2: Synced"]);
    assert_eq!(slow.asked.load(Ordering::Relaxed), 3);
    let waited: BTreeSet<String> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Waiting { unmet, .. } => unmet.facts.iter().find(|fact| fact.contains(" says that ")),
            _ => None,
        })
        .map(|fact| fact.split_once(' ').expect("words").1.to_owned())
        .collect();
    assert_eq!(waited, BTreeSet::from(["says that cluster2 is syncing".to_owned()]));

    // One that never has is waited for until the time of the step is over, and quoted.
    let never = Arc::new(Slow { asked: AtomicUsize::new(0), synced_from: usize::MAX });
    let processes: Arc<dyn Processes> = Arc::<Slow>::clone(&never);
    meshes.running.run("cluster1", Arc::downgrade(&processes));
    meshes.options.timeout = on.short();
    let secret = ObjectRef {
        group: String::new(),
        kind: "Secret".to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "istio-remote-secret-cluster2".to_owned(),
    };
    meshes.delete("cluster1", &secret).await;
    let failure = failure(&meshes.apply().await, "cluster1/remote-secret-cluster2");
    let waited = on.short().as_secs();
    assert_eq!(
        failure.message,
        format!(
            "cluster1/remote-secret-cluster2 waited {waited}s for istiod of cluster1 to say that cluster2 is synced"
        )
    );
    let facts: Vec<&str> = failure.facts.iter().filter_map(|fact| Some(fact.split_once(' ')?.1)).collect();
    assert_eq!(facts, ["says that cluster2 is syncing"]);
}

/// What was told, with one name for every Pod.
fn without_pods(told: &[String]) -> Vec<String> {
    let pod = regex::Regex::new("istiod-[a-z0-9]+-[a-z0-9]+").expect("valid");
    told.iter().map(|line| pod.replace_all(line, "POD").into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn an_istiod_whose_kubelet_is_gone_goes_by_effects_and_says_so() {
    let on = BackEnd::ApiServers;
    let meshes = askable(on, "asked-gone", &topology_text(SHARED)).await;
    let kubelet = meshes.running.server("cluster1").kubelet().expect("it was built");
    kubelet.kill();
    let plan = meshes.plan(Mode::Apply).await;
    let progress = Progress::new(&plan, meshes.options.timeout);
    let ran = meshes.run(plan).await;
    kubelet.start_again();
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let told = without_pods(&told(progress, &ran));
    let [note, done] = told.as_slice() else { panic!("{told:#?}") };
    let (start, end) = (
        "cluster1/remote-secret-cluster2 istiod of cluster1 cannot be asked whether it has synced: ask Pod \
         istio-system/POD for /debug/clusterz: the server answered 500: error dialing backend: ",
        format!("502 dial tcp {}: Connection refused (os error 111)", kubelet.address()),
    );
    assert!(note.starts_with(start) && note.contains(&end), "{note}");
    assert_eq!(done, "cluster1/remote-secret-cluster2 1 created, in effect");
}

/// Ports of a Pod forwarded by a `kubectl` that ends with this.
struct Forwarding {
    kubectl: Child,
    address: String,
    /// It says more, and would end if nobody could hear it.
    _told: BufReader<ChildStdout>,
}

impl Forwarding {
    /// To one port, from whatever port is free.
    fn to(meshes: &Meshes, cluster: &str, pod: &ObjectRef, port: u16) -> Self {
        let mut command = Command::new(Assets::get().kubectl);
        command.arg("--kubeconfig").arg(meshes.kubeconfig()).args(["--context", cluster, "port-forward"]);
        command.args(["--namespace", pod.namespace.as_deref().expect("a namespace"), &pod.name]);
        command.arg(format!(":{port}")).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut kubectl = command.spawn().expect("it starts");
        // `Forwarding from 127.0.0.1:36475 -> 15014`
        let mut line = String::new();
        let mut told = BufReader::new(kubectl.stdout.take().expect("it is piped"));
        told.read_line(&mut line).expect("a line");
        let address = line.split(' ').nth(2).unwrap_or_default().to_owned();
        Self { kubectl, address, _told: told }
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}

/// kubectl speaks SPDY within its WebSocket, which the API server unwraps for the kubelet; we speak WebSocket alone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn kubectl_is_told_the_same_through_the_same_kubelet() {
    let on = BackEnd::ApiServers;
    let meshes = askable(on, "asked-kubectl", &topology_text(SHARED)).await;
    assert!(meshes.apply().await.summary.is_complete());
    let cluster = &meshes.clusters["cluster1"];
    let pods = GroupKind { group: String::new(), kind: "Pod".to_owned() };
    let istiods = cluster.list(&pods, &Selection::labelled("app", "istiod")).await.expect("it answers");
    let istiod = istiods.objects[0].reference();
    let forwarding = tokio::task::block_in_place(|| Forwarding::to(&meshes, "cluster1", &istiod, MONITORING));
    let plain = Raw::plain(&format!("http://{}", forwarding.address));
    let told = plain.ask(Method::GET, "/debug/clusterz", "", &Value::Null).await;
    assert_eq!(told.code, 200, "{told:?}");
    assert_eq!(Ok(told.body), cluster.ask_pod(&istiod, MONITORING, "/debug/clusterz").await);
}

/// Somebody with all rights that an apply takes, but that to ports of Pods.
fn all_but_port_forward() -> Value {
    let all = |groups: Value, resources: Value| json!({"apiGroups": groups, "resources": resources, "verbs": ["*"]});
    let named = [
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apps",
        "autoscaling",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "networking.istio.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "security.istio.io",
        "telemetry.istio.io",
        "extensions.istio.io",
        "gateway.networking.k8s.io",
    ];
    let core =
        ["configmaps", "endpoints", "events", "namespaces", "pods", "secrets", "serviceaccounts", "services"];
    json!([all(json!(named), json!(["*"])), all(json!([""]), json!(core)), {"nonResourceURLs": ["*"], "verbs": ["get"]}])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn an_account_that_may_not_forward_ports_goes_by_effects_and_is_told_why() {
    const USER: &str = "pipeline";
    let on = BackEnd::ApiServers;
    let mut meshes = askable(on, "asked-forbidden", &topology_text(SHARED)).await;
    for cluster in ["cluster1", "cluster2"] {
        let group = "rbac.authorization.k8s.io";
        let version = "rbac.authorization.k8s.io/v1";
        let role = json!({"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": USER},
            "rules": all_but_port_forward()});
        let binding = json!({"apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": USER},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": USER},
            "subjects": [{"apiGroup": group, "kind": "User", "name": USER}]});
        meshes.create(cluster, role, "admin").await;
        meshes.create(cluster, binding, "admin").await;
    }
    meshes.clusters = meshes.clusters_as(USER).await;
    let start = Instant::now();
    // Authorizers learn of roles a moment later.
    while !meshes.plan(Mode::Apply).await.unknown.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30));
    }
    let plan = meshes.plan(Mode::Apply).await;
    let progress = Progress::new(&plan, meshes.options.timeout);
    let ran = meshes.run(plan).await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let told = without_pods(&told(progress, &ran));
    assert_eq!(
        told,
        [
            "cluster1/remote-secret-cluster2 istiod of cluster1 cannot be asked whether it has synced: ask Pod \
             istio-system/POD for /debug/clusterz: pods \"POD\" is forbidden: User \"pipeline\" cannot get \
             resource \"pods/portforward\" in API group \"\" in the namespace \"istio-system\"",
            "cluster1/remote-secret-cluster2 1 created, in effect",
        ]
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
    let meshes = Meshes::without_controllers(&scratch("asked-in-vain"), desired("mixed.yaml", &text)).await;
    let controllers = without_kubelets(&meshes);
    let ran = meshes.apply().await;
    controllers.abort();
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let mut kinds = BTreeSet::new();
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
        assert!(
            meshes.running.port_forwards(cluster.as_str()) <= 1,
            "{cluster} is asked once and never again"
        );
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

async fn what_listens_in_a_pod_is_asked_and_what_does_not_is_told(on: BackEnd) {
    let meshes = askable(on, "asked-pods", &topology_text(SHARED)).await;
    assert!(meshes.apply().await.summary.is_complete());
    let cluster = &meshes.clusters["cluster1"];
    let pods = GroupKind { group: String::new(), kind: "Pod".to_owned() };
    let pods = cluster.list(&pods, &Selection::default()).await.expect("it answers").objects;
    let pod_of =
        |app: &str| pods.iter().find(|pod| pod.label("app") == Some(app)).expect("a pod").reference();
    let istiod = pod_of("istiod");
    assert_eq!(
        cluster.ask_pod(&istiod, MONITORING, "/debug/clusterz").await.expect("it answers"),
        json!([
            {"id": "cluster1", "secretName": "", "syncStatus": "synced"},
            {"id": "cluster2", "secretName": "istio-system/istio-remote-secret-cluster2", "syncStatus": "synced"},
        ])
    );
    let fault = |answer: Result<Value, ClusterError>| answer.expect_err("it does not").fault;
    assert_eq!(
        fault(cluster.ask_pod(&istiod, MONITORING, "/debug/nothing").await),
        Fault::Server { status: 404, message: "no reason given".to_owned() }
    );
    for (pod, port) in [(&istiod, 15010), (&pod_of("istio-eastwestgateway"), MONITORING)] {
        let fault = fault(cluster.ask_pod(pod, port, "/debug/clusterz").await);
        assert!(matches!(fault, Fault::Unreachable(_)), "{fault:?}");
    }
    let none = ObjectRef { name: "istiod-none".to_owned(), ..istiod };
    assert_eq!(
        fault(cluster.ask_pod(&none, MONITORING, "/debug/clusterz").await),
        Fault::NotFound("pods \"istiod-none\" not found".to_owned())
    );
}

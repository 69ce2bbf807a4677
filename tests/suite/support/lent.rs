//! Real API servers that tests of meshes lend from one another, one after the other.
//!
//! Starting two clusters costs more than a whole scenario, so that a set goes
//! from test to test, and what a test left in a cluster is deleted before the
//! next one gets it; only one test has it at a time. A test that panicked keeps
//! its set until it has ended, so that the state it saw is in the logs, and the
//! next one starts anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use stolos::cluster::{Cluster, Contexts, Limits};
use stolos::object::ObjectRef;
use stolos::sandbox::Processes;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::dataplane::{Bare, DataPlane, Egress, Runtime, WayOut};
use super::found::{self, Found};
use super::scratch::of_this_run;
use super::servers::{Context, Raw, Request, Server, Servers, Settings, write_kubeconfig};

/// The set that waits for the next test.
static FREE: Mutex<Option<Set>> = Mutex::new(None);
static TURN: Semaphore = Semaphore::const_new(1);

/// How long it may take until a cluster is empty.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clusters of one test.
pub(crate) struct Lent {
    // Ends before the set goes to the next test, which gets its turn after that.
    plane: Option<DataPlane>,
    set: Option<Set>,
    /// Which server each cluster is.
    places: BTreeMap<String, usize>,
    /// How many of its requests do not count.
    forgotten: BTreeMap<String, usize>,
    /// Whether an API server was started again. Its controllers look for it once a minute, and then go on from what
    /// they saw before: the next test would find what they make of that.
    was_restarted: AtomicBool,
    _turn: SemaphorePermit<'static>,
}

struct Set {
    servers: Servers,
    places: Vec<Place>,
}

/// A server of a set, which is another cluster in each test.
struct Place {
    name: String,
    egress: Egress,
    runtime: Runtime,
    /// What it held before anybody touched it.
    fresh: BTreeSet<ObjectRef>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Used,
}

impl Lent {
    /// Empty clusters, in which nothing happens by itself but what kube-controller-manager does.
    pub(crate) async fn get(clusters: &[&str]) -> Self {
        let turn = TURN.acquire().await.expect("it is never closed");
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut set = match free.filter(|set| set.places.len() >= clusters.len()) {
            Some(set) => set,
            None => Set::start(clusters.len()).await,
        };
        let places = clusters.iter().enumerate().map(|(place, name)| ((*name).to_owned(), place));
        let places: BTreeMap<String, usize> = places.collect();
        for place in &mut set.places[..clusters.len()] {
            if place.state == State::Used {
                empty(&set.servers.raw(&place.name).await, &place.fresh).await;
            }
            place.state = State::Used;
        }
        let (set, forgotten) = (Some(set), BTreeMap::new());
        let was_restarted = AtomicBool::new(false);
        let lent = Self { plane: None, set, places, forgotten, was_restarted, _turn: turn };
        let contexts =
            lent.places.keys().map(|name| Context { name: name.clone(), ..lent.server(name).admin() });
        write_kubeconfig(&lent.kubeconfig(), &contexts.collect::<Vec<_>>());
        lent
    }

    /// The administrator's kubeconfig: a context for each cluster, called as it is.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.set().servers.folder().join("lent.kubeconfig")
    }

    /// The administrator's way to say anything to a cluster.
    pub(crate) async fn raw(&self, cluster: &str) -> Raw {
        Raw::context(&self.kubeconfig(), cluster).await
    }

    /// The API server of a cluster.
    pub(crate) fn server(&self, cluster: &str) -> &Server {
        self.set().servers.server(&self.place(cluster).name)
    }

    /// Starts the API server of a cluster again, and waits until it is ready. No other test gets this set.
    pub(crate) async fn restart(&self, cluster: &str) {
        self.was_restarted.store(true, Ordering::Relaxed);
        self.set().servers.restart(&self.place(cluster).name).await;
    }

    /// From now on clusters do what they do by themselves. `ids` has the ID of each in the mesh.
    pub(crate) async fn start_data_plane(&mut self, ids: &BTreeMap<String, String>) {
        let contexts = Contexts::read(&[self.kubeconfig()]).expect("a kubeconfig");
        let mut bare = Vec::new();
        for (name, id) in ids {
            let transport = contexts.open(name, Limits::default()).await.expect("a context");
            bare.push(Bare {
                name: name.clone(),
                id: id.clone(),
                server: self.server(name),
                way_out: WayOut::Egress(&self.place(name).egress),
                runtime: &self.place(name).runtime,
                cluster: Cluster::new(name.as_str().into(), self.server(name).url(), transport),
                raw: self.raw(name).await,
            });
        }
        self.plane = Some(DataPlane::start(bare));
    }

    /// From now on these listen in a cluster's Pods, as far as its data plane runs.
    pub(crate) fn run(&self, cluster: &str, processes: Weak<dyn Processes>) {
        self.plane.as_ref().expect("a data plane").run(cluster, processes);
    }

    /// From now on clusters do what kube-controller-manager does, and no more.
    pub(crate) fn stop_data_plane(&mut self) {
        self.plane = None;
    }

    /// Ends the data plane, and with it what is asked beside what a test asks; none of it counts so far.
    pub(crate) fn forget_requests(&mut self) {
        self.plane = None;
        let clusters = self.places.keys();
        let count = |name: &String| (name.clone(), self.all_requests(name).len());
        self.forgotten = clusters.map(count).collect();
    }

    /// What a cluster was asked since then.
    pub(crate) fn requests(&self, cluster: &str) -> Vec<Request> {
        self.all_requests(cluster).split_off(self.forgotten.get(cluster).copied().unwrap_or_default())
    }

    fn all_requests(&self, cluster: &str) -> Vec<Request> {
        self.set().servers.requests(&self.place(cluster).name)
    }

    fn set(&self) -> &Set {
        self.set.as_ref().expect("it is there until the end")
    }

    fn place(&self, cluster: &str) -> &Place {
        &self.set().places[self.places[cluster]]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.plane = None;
        let set = self.set.take();
        let may_go_on = !std::thread::panicking() && !*self.was_restarted.get_mut();
        if may_go_on && Servers::end_with_this_process() {
            *FREE.lock().unwrap_or_else(PoisonError::into_inner) = set;
        }
    }
}

impl Set {
    async fn start(count: usize) -> Self {
        let folder = of_this_run();
        let mut ways_out = Vec::new();
        let mut settings = Vec::new();
        for place in 0..count {
            let name = format!("server{}", place + 1);
            let (egress, runtime) = (Egress::open(folder, &name), Runtime::open(folder, &name));
            let pods = Some(runtime.socket().to_owned());
            settings.push(Settings { arguments: egress.arguments(), pods, ..Settings::nth(place, &name) });
            ways_out.push((name, egress, runtime));
        }
        let servers = Servers::start_with("meshes", settings).await;
        let mut places = Vec::new();
        for (name, egress, runtime) in ways_out {
            let found = found::all(&servers.raw(&name).await).await;
            let fresh = found.iter().map(Found::reference).collect();
            places.push(Place { name, egress, runtime, fresh, state: State::Fresh });
        }
        Self { servers, places }
    }
}

/// Deletes everything that was not there at first.
async fn empty(raw: &Raw, fresh: &BTreeSet<ObjectRef>) {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut found = found::all(raw).await;
        found.retain(|found| !fresh.contains(&found.reference()));
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "a cluster does not become empty: {found:#?}");
        delete(raw, &found).await;
    }
}

/// Deletes objects, whatever holds them: webhooks first, so that they keep nothing, and what is in a namespace
/// before it.
async fn delete(raw: &Raw, found: &[Found]) {
    let is_webhook = |found: &&Found| found.object.kind().ends_with("WebhookConfiguration");
    let is_holder = |found: &&Found| matches!(found.object.kind(), "Namespace" | "CustomResourceDefinition");
    let others = |found: &&Found| !is_webhook(found) && !is_holder(found);
    let json = "application/json";
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
    let ordered = [
        found.iter().filter(is_webhook).collect::<Vec<_>>(),
        found.iter().filter(others).collect(),
        found.iter().filter(is_holder).collect(),
    ];
    for found in ordered.into_iter().flatten() {
        if found.object.kind() != "CustomResourceDefinition"
            && found.object.get(&["metadata", "finalizers"]).is_some()
        {
            let free = json!({"metadata": {"finalizers": null}});
            raw.ask(Method::PATCH, &found.path, "application/merge-patch+json", &free).await;
        }
        raw.ask(Method::DELETE, &found.path, json, &options).await;
    }
    // Its own controller would wait for five seconds before it looks whether a namespace is empty.
    for namespace in found.iter().filter(|found| found.object.kind() == "Namespace") {
        let is_empty = !found.iter().any(|other| other.object.namespace() == Some(namespace.object.name()));
        if is_empty {
            let mut object = namespace.object.as_value().clone();
            object["spec"]["finalizers"] = json!([]);
            object["metadata"].as_object_mut().expect("metadata").remove("resourceVersion");
            let path = format!("{}/finalize", namespace.path);
            raw.ask(Method::PUT, &path, json, &Value::clone(&object)).await;
        }
    }
}

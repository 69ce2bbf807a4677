//! Real API servers that tests of meshes lend from one another, one after the other.
//!
//! Starting two clusters costs more than a whole scenario, so that a set goes
//! from test to test and is emptied in between; only one is in use at a time.
//! A test that panicked keeps its set, so that its logs can be read, and the
//! next one starts anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use stolos::object::ObjectRef;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::dataplane::{DataPlane, Egress};
use super::found::{self, Found};
use super::servers::{Raw, Servers, Settings};

/// The set that waits for the next test.
static FREE: Mutex<Option<Set>> = Mutex::new(None);
static TURN: Semaphore = Semaphore::const_new(1);

/// How long it may take until clusters are empty.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clusters of one test.
pub(crate) struct Lent {
    // Ends before the set goes to the next test, which gets its turn after that.
    plane: Option<DataPlane>,
    set: Option<Set>,
    _turn: SemaphorePermit<'static>,
}

struct Set {
    servers: Servers,
    ways_out: BTreeMap<String, Egress>,
    /// What its clusters held before anybody touched them.
    fresh: BTreeMap<String, BTreeSet<ObjectRef>>,
}

impl Lent {
    /// Empty clusters, in which nothing happens by itself but what kube-controller-manager does.
    pub(crate) async fn get(clusters: &[&str]) -> Self {
        let turn = TURN.acquire().await.expect("it is never closed");
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).take();
        let set = match free {
            Some(set) if set.ways_out.keys().eq(clusters) => {
                set.empty().await;
                set
            }
            other => {
                drop(other);
                Set::start(clusters).await
            }
        };
        Self { plane: None, set: Some(set), _turn: turn }
    }

    /// The servers.
    pub(crate) fn servers(&self) -> &Servers {
        &self.set().servers
    }

    /// From now on clusters do what they do by themselves. `ids` has the ID of each in the mesh.
    pub(crate) async fn start_data_plane(&mut self, ids: &BTreeMap<String, String>) {
        let plane = DataPlane::start(self.servers(), ids, &self.set().ways_out).await;
        self.plane = Some(plane);
    }

    fn set(&self) -> &Set {
        self.set.as_ref().expect("it is there until the end")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.plane = None;
        let set = self.set.take();
        if !std::thread::panicking() && Servers::end_with_this_process() {
            *FREE.lock().unwrap_or_else(PoisonError::into_inner) = set;
        }
    }
}

impl Set {
    async fn start(clusters: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let mut ways_out = BTreeMap::new();
        let mut settings = Vec::new();
        for (place, name) in clusters.iter().enumerate() {
            let egress = Egress::open(folder, name);
            settings.push(Settings { arguments: egress.arguments(), ..Settings::nth(place, name) });
            ways_out.insert((*name).to_owned(), egress);
        }
        let servers =
            Servers::start_with("meshes", settings).await.expect("a test asked whether they are there");
        let mut fresh = BTreeMap::new();
        for name in clusters {
            let found = found::all(&servers.raw(name).await).await;
            fresh.insert((*name).to_owned(), found.iter().map(Found::reference).collect());
        }
        Self { servers, ways_out, fresh }
    }

    /// Deletes everything that was not there at first.
    async fn empty(&self) {
        let end = Instant::now() + PATIENCE;
        for (cluster, fresh) in &self.fresh {
            let raw = self.servers.raw(cluster).await;
            loop {
                let mut found = found::all(&raw).await;
                found.retain(|found| !fresh.contains(&found.reference()));
                if found.is_empty() {
                    break;
                }
                assert!(Instant::now() < end, "{cluster} does not become empty: {found:#?}");
                delete(&raw, &found).await;
            }
        }
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

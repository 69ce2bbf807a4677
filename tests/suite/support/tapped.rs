//! A mesh whose clusters run in this process and outlive the commands that are run against it through a tap.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stolos::compile::{Desired, PART_OF, applyset_id};
use stolos::document::SourceId;
use stolos::document::yaml::{self, Limits, Schema};
use stolos::object::{Object, ObjectRef, managed_fields};
use stolos::plan::{Inventory, inventory_ref};
use stolos::sandbox::controllers::{self, Handle, Member};
use stolos::sandbox::{Clock, RunningSandbox, Sandbox, SandboxCluster, SystemClock};

use super::command::Ran;
use super::meshes::desired;
use super::tap::{Asked, Deed, Tap, Upstream};

/// How long one command may take before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// How long the clusters may go on by themselves after a command.
const SETTLING: Duration = Duration::from_secs(20);

/// A mesh behind a tap.
pub(crate) struct Tapped {
    pub(crate) folder: PathBuf,
    pub(crate) desired: Desired,
    pub(crate) running: RunningSandbox,
    pub(crate) tap: Tap,
    _controllers: Handle,
}

/// Every object of every cluster, by cluster and name, without what differs from run to run.
pub(crate) type State = BTreeMap<String, String>;

/// A topology whose clusters reach one another at addresses that do not change from run to run.
pub(crate) fn with_api_servers(text: &str) -> String {
    let node = yaml::parse_one(SourceId(0), text, Schema::Core, Limits::TOPOLOGY).into_result();
    let mut topology = node.expect("YAML").expect("a document").to_json();
    for (name, cluster) in topology["clusters"].as_object_mut().expect("clusters") {
        cluster["apiServer"] = json!(format!("https://{name}.sandbox.invalid:6443"));
    }
    topology.to_string()
}

impl Tapped {
    /// The clusters of a topology, empty.
    pub(crate) async fn new(folder: &Path, topology: &str) -> Self {
        Self::at(folder, topology, Arc::new(SystemClock)).await
    }

    /// The clusters of a topology as they stand in another folder.
    pub(crate) async fn copy(folder: &Path, topology: &str, of: &Path) -> Self {
        std::fs::create_dir_all(folder.join("clusters")).expect("a folder");
        for entry in std::fs::read_dir(of.join("clusters")).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let name = path.file_name().expect("a name");
                std::fs::copy(&path, folder.join("clusters").join(name)).expect("a copy");
            }
        }
        Self::new(folder, topology).await
    }

    /// The clusters of a topology, whose clocks are not this process's.
    pub(crate) async fn at(folder: &Path, topology: &str, clock: Arc<dyn Clock>) -> Self {
        let desired = desired("mesh.yaml", topology);
        let wanted: Vec<SandboxCluster> = desired
            .clusters
            .iter()
            .map(|(name, facts)| SandboxCluster { name: name.to_string(), id: facts.id.clone() })
            .collect();
        let sandbox = Sandbox::open(&folder.join("clusters"), &wanted, &clock).expect("a sandbox");
        let running = RunningSandbox::start(sandbox).await.expect("it answers");
        let members = running.sandbox().clusters().iter().map(|store| Member::new(Arc::clone(store) as _));
        let controllers = controllers::start(members.collect());
        let upstreams = running.endpoints().into_iter().map(|at| (at.cluster, Upstream::plain(&at.url)));
        let tap = Tap::new(upstreams.collect()).await;
        prepare(folder, topology, &tap);
        Self { folder: folder.to_owned(), desired, running, tap, _controllers: controllers }
    }

    /// Runs a verb on the mesh, each request as the script has it.
    pub(crate) async fn run(
        &self,
        arguments: &[&str],
        script: impl FnMut(&Asked) -> Deed + Send + 'static,
    ) -> Ran {
        run(&self.tap, &self.folder, arguments, script).await
    }

    /// Runs a verb whose requests all pass.
    pub(crate) async fn undisturbed(&self, arguments: &[&str]) -> Ran {
        self.run(arguments, |_| Deed::Pass).await
    }

    /// Everything, once the clusters have done what they do by themselves.
    pub(crate) async fn state(&self) -> State {
        // They have where nothing is written for a while.
        let revisions = || -> Vec<u64> {
            self.running.sandbox().clusters().iter().map(|store| store.revision()).collect()
        };
        let start = Instant::now();
        let mut before = revisions();
        let mut quiet = Instant::now();
        while quiet.elapsed() < Duration::from_millis(100) && start.elapsed() < SETTLING {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let now = revisions();
            if now != before {
                (before, quiet) = (now, Instant::now());
            }
        }
        self.objects().collect()
    }

    fn objects(&self) -> impl Iterator<Item = (String, String)> {
        let mut names: Vec<(String, String)> = Vec::new();
        let mut values: Vec<(String, Value)> = Vec::new();
        for store in self.running.sandbox().clusters() {
            for kind in store.resources() {
                // Made anew from time to time, under names of their own.
                if matches!(kind.kind.as_str(), "Event" | "Pod" | "ReplicaSet" | "Lease") {
                    continue;
                }
                for object in store.list(&kind.group, &kind.kind, None) {
                    let name = format!("{} {}", store.name(), object.reference());
                    if let Some(uid) = object.uid() {
                        names.push((uid.to_owned(), format!("<uid of {name}>")));
                    }
                    let points = object.get(&["status", "loadBalancer", "ingress"]).and_then(Value::as_array);
                    for point in points.into_iter().flatten() {
                        if let Some(ip) = point["ip"].as_str() {
                            names.push((ip.to_owned(), format!("<address of {name}>")));
                        }
                    }
                    values.push((name, object.as_value().clone()));
                }
            }
        }
        values.into_iter().map(move |(name, mut value)| {
            steady(&mut value, "");
            let mut text = serde_json::to_string_pretty(&value).expect("JSON");
            for (from, to) in &names {
                text = text.replace(from, to);
            }
            (name, text)
        })
    }

    /// What is wrong with the books.
    pub(crate) fn faults_in_the_books(&self) -> Vec<String> {
        let stores = self.running.sandbox().clusters().iter();
        let objects = stores.map(|store| {
            let kinds = store.resources();
            let of_kind = kinds.iter().flat_map(|kind| store.list(&kind.group, &kind.kind, None));
            (store.name().to_owned(), of_kind.map(|object| (*object).clone()).collect())
        });
        faults_in_the_books(&self.desired, &objects.collect())
    }
}

/// What is wrong with the books, given all objects of each cluster: an object of ours that is in no
/// inventory, an entry whose object is not there or is another, a second root.
pub(crate) fn faults_in_the_books(
    desired: &Desired,
    clusters: &BTreeMap<String, Vec<Object>>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let parent = inventory_ref(&desired.mesh);
    let id = applyset_id(&desired.mesh);
    let mut roots = 0;
    for (name, objects) in clusters {
        let live: BTreeMap<ObjectRef, &Object> =
            objects.iter().map(|object| (object.reference(), object)).collect();
        let entries = match live.get(&parent) {
            Some(object) => {
                Inventory::from_object(object, &name.as_str().into()).expect("an inventory").entries
            }
            None => BTreeMap::new(),
        };
        for (reference, object) in &live {
            roots += usize::from(reference.kind == "Secret" && reference.name == "stolos-root");
            // Kubernetes copies the labels of a Service to the EndpointSlices that it makes for it.
            let is_ours = managed_fields(object).iter().any(|entry| entry.manager == "stolos");
            if is_ours && object.label(PART_OF) == Some(&id) && !entries.contains_key(reference) {
                faults.push(format!("{name}: {reference} is in no inventory"));
            }
        }
        for (object, entry) in &entries {
            if live.get(object).and_then(|object| object.uid()) != entry.uid.as_deref() {
                faults.push(format!("{name}: the entry of {object} names another or none"));
            }
        }
    }
    if roots > 1 {
        faults.push(format!("{roots} roots"));
    }
    faults
}

/// Fills a folder with what a command needs to reach the clusters of a topology through a tap.
pub(crate) fn prepare(folder: &Path, topology: &str, tap: &Tap) {
    std::fs::write(folder.join("mesh.yaml"), topology).expect("a file");
    std::fs::write(folder.join("config"), kubeconfig(tap.urls())).expect("a file");
}

/// Runs a verb in a folder that [`prepare`] filled, each request as the script has it.
pub(crate) async fn run(
    tap: &Tap,
    folder: &Path,
    arguments: &[&str],
    script: impl FnMut(&Asked) -> Deed + Send + 'static,
) -> Ran {
    run_on(tap, folder, arguments, "mesh.yaml", script).await
}

/// The same on another file than the topology: a saved plan.
pub(crate) async fn run_on(
    tap: &Tap,
    folder: &Path,
    arguments: &[&str],
    path: &str,
    script: impl FnMut(&Asked) -> Deed + Send + 'static,
) -> Ran {
    tap.revive().await;
    tap.script(script);
    let child = Command::new(env!("CARGO_BIN_EXE_stolos"))
        .args(arguments)
        .args(["--kubeconfig", "config", path])
        .current_dir(folder)
        .env_clear()
        .env("COLUMNS", "100")
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the binary that this suite was built with");
    let stdout = reader(child.stdout.take().expect("piped"));
    let stderr = reader(child.stderr.take().expect("piped"));
    tap.may_kill(child);
    let start = Instant::now();
    let status = loop {
        if let Some(status) = tap.ended() {
            break status;
        }
        if start.elapsed() > PATIENCE {
            tap.kill();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    // What a dead client asked for is still done.
    tap.settled().await;
    let text = |reader: thread::JoinHandle<String>| reader.join().expect("UTF-8");
    let ran = Ran { stdout: text(stdout), stderr: text(stderr), code: status.code() };
    assert!(start.elapsed() < PATIENCE, "{arguments:?} hangs: {ran}");
    ran
}

/// What differs between two states, in words for a failed test.
pub(crate) fn differences(expected: &State, found: &State) -> Vec<String> {
    let mut lines = Vec::new();
    for name in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        match (expected.get(name), found.get(name)) {
            (Some(_), None) => lines.push(format!("- {name}")),
            (None, Some(_)) => lines.push(format!("+ {name}")),
            (Some(before), Some(after)) if before != after => {
                let diff = similar::TextDiff::from_lines(before, after);
                lines.push(format!("~ {name}\n{}", diff.unified_diff().context_radius(2)));
            }
            _ => {}
        }
    }
    lines
}

/// Values in which the checksum of the root stands, without it.
fn without_checksum(values: &str) -> String {
    let lines = values.lines().map(|line| match line.split_once("checksum/cacerts-root") {
        Some((before, _)) => format!("{before}checksum/cacerts-root <of the root>"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Takes out what differs from run to run: times, counters, allocated addresses and ports, minted bytes.
fn steady(value: &mut Value, key: &str) {
    match value {
        Value::Object(map) => {
            for counter in
                ["resourceVersion", "generation", "observedGeneration", "creationTimestamp", "time"]
            {
                map.remove(counter);
            }
            if map.get("kind").is_some_and(|kind| kind == "Secret") {
                for bytes in map.get_mut("data").and_then(Value::as_object_mut).into_iter().flatten() {
                    *bytes.1 = json!(bytes.1.as_str().is_some_and(|text| !text.is_empty()));
                }
            }
            map.iter_mut().for_each(|(key, value)| steady(value, key));
            // A server writes no empty list of them.
            map.retain(|key, value| {
                key != "managedFields" || value.as_array().is_none_or(|all| !all.is_empty())
            });
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| steady(item, key));
            // A server sorts them by their times. It remembers that something was there before the first
            // apply where all that was left of an object's managers was taken away first.
            if key == "managedFields" {
                items.retain(|entry| entry["manager"] != "before-first-apply");
                items.sort_by_key(|entry| {
                    format!("{}{}{}", entry["manager"], entry["operation"], entry["subresource"])
                });
            }
        }
        Value::String(text) => {
            // A root that is made has other bytes each time, and with it whatever is named after it.
            if key == "checksum/cacerts-root" {
                "<of the root>".clone_into(text);
            } else if text.contains("checksum/cacerts-root") {
                *text = without_checksum(text);
            } else if text.starts_with("ReplicaSet \"istiod-") {
                let (_, said) = text.rsplit_once('"').expect("it begins with one");
                *text = format!("ReplicaSet <of istiod>{said}");
            } else if text.parse::<jiff::Timestamp>().is_ok() {
                "<time>".clone_into(text);
            } else if text.contains("BEGIN CERTIFICATE") || key == "caBundle" && !text.is_empty() {
                "<certificates>".clone_into(text);
            } else if matches!(key, "clusterIP" | "clusterIPs") && text != "None" {
                "<cluster IP>".clone_into(text);
            }
        }
        Value::Number(_) if matches!(key, "nodePort" | "healthCheckNodePort") => *value = json!("<port>"),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A kubeconfig with a context for each cluster, by its plain URL.
pub(crate) fn kubeconfig(urls: &BTreeMap<String, String>) -> String {
    let clusters = urls.iter().map(|(name, url)| json!({"name": name, "cluster": {"server": url}}));
    let contexts = urls.keys().map(|name| json!({"name": name, "context": {"cluster": name, "user": "u"}}));
    json!({
        "apiVersion": "v1", "kind": "Config", "users": [{"name": "u", "user": {}}],
        "clusters": clusters.collect::<Vec<_>>(), "contexts": contexts.collect::<Vec<_>>(),
    })
    .to_string()
}

fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).expect("stolos prints UTF-8");
        text
    })
}

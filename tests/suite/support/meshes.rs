//! A topology on the clusters of a sandbox, through the library alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use stolos::apply::{self, Event, Job, Options, Stop, Summary};
use stolos::cluster::{Cluster, Limits, Transport, dry_runs, look_into, survey};
use stolos::compile::{self, Desired, PublicFiles};
use stolos::document::Sources;
use stolos::graph::Graph;
use stolos::object::{Object, ObjectRef, managed_fields};
use stolos::plan::{self, Inputs, Mode, Plan};
use stolos::sandbox::controllers::{self, Handle, Member};
use stolos::sandbox::{Clock, ClusterStore, RunningSandbox, Sandbox, SandboxCluster, SystemClock};
use stolos::topology::{self, ClusterName};
use tokio::sync::{mpsc, watch};

/// A mesh whose clusters run in this process.
pub(crate) struct Meshes {
    pub(crate) desired: Desired,
    pub(crate) running: RunningSandbox,
    pub(crate) clusters: BTreeMap<ClusterName, Cluster>,
    pub(crate) options: Options,
    controllers: Option<Handle>,
}

/// What came of a run, and what was said meanwhile.
pub(crate) struct Ran {
    pub(crate) summary: Summary,
    pub(crate) events: Vec<Event>,
}

/// What a topology asks for.
pub(crate) fn desired(name: &str, text: &str) -> Desired {
    let mut sources = Sources::default();
    let id = sources.add(name, text);
    let parsed = topology::parse(&sources, &[id]);
    assert_eq!(parsed.diagnostics, [], "{name}");
    let topology = parsed.topology.expect("a topology");
    let graph = Graph::of(&topology).expect("a graph");
    compile::compile(&topology, &graph, &PublicFiles::default()).expect("it compiles")
}

/// The text of a topology of the repository.
pub(crate) fn topology_text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies").join(file);
    std::fs::read_to_string(path).expect("a topology")
}

/// A folder for one test, empty.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Meshes {
    /// The clusters of a topology in a folder, with everything that clusters do by themselves.
    pub(crate) async fn open(folder: &Path, desired: Desired) -> Self {
        let mut meshes = Self::without_controllers(folder, desired).await;
        meshes.start_controllers();
        meshes
    }

    /// From now on things happen by themselves.
    pub(crate) fn start_controllers(&mut self) {
        let stores = self.running.sandbox().clusters().iter();
        let members = stores.map(|store| Member::new(Arc::<ClusterStore>::clone(store)));
        self.controllers = Some(controllers::start(members.collect()));
    }

    /// Reaches a cluster at another URL.
    pub(crate) fn reach(&mut self, cluster: &str, url: &str) {
        let transport = Transport::plain(url, Limits::default()).expect("a URL");
        self.clusters.insert(cluster.into(), Cluster::new(cluster.into(), url, transport));
    }

    /// Clusters in which nothing happens by itself.
    pub(crate) async fn without_controllers(folder: &Path, desired: Desired) -> Self {
        let wanted: Vec<SandboxCluster> = desired
            .clusters
            .iter()
            .map(|(name, facts)| SandboxCluster { name: name.to_string(), id: facts.id.clone() })
            .collect();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let sandbox = Sandbox::open(folder, &wanted, &clock).expect("a sandbox");
        let running = RunningSandbox::start(sandbox).await.expect("it answers");
        let clusters = running
            .endpoints()
            .into_iter()
            .map(|endpoint| {
                let name = ClusterName::from(endpoint.cluster.as_str());
                let transport = Transport::plain(&endpoint.url, Limits::default()).expect("a URL");
                let server = format!("https://{}.sandbox.invalid:6443", desired.clusters[&name].id);
                (name.clone(), Cluster::new(name, server, transport))
            })
            .collect();
        let options = Options { timeout: Duration::from_secs(30), ..Options::default() };
        Self { desired, running, clusters, options, controllers: None }
    }

    /// What it takes.
    pub(crate) async fn plan(&self, mode: Mode) -> Plan {
        let reads = plan::reads(&self.desired).expect("reads");
        let mut live = survey(&self.desired.mesh, &reads, &self.clusters).await;
        let contents = plan::content_reads(&self.desired, &live, mode);
        look_into(&mut live, contents, &self.clusters).await;
        let mut inputs = Inputs::at(Timestamp::now());
        loop {
            let plan = match mode {
                Mode::Apply => plan::diff(&self.desired, &live, &inputs),
                Mode::Destroy => plan::destroy(&self.desired, &live, &inputs),
            }
            .expect("a plan");
            let candidates = plan.candidates(&inputs.dry_runs);
            if candidates.is_empty() {
                return plan;
            }
            dry_runs(candidates, &self.clusters, &mut inputs.dry_runs).await;
        }
    }

    /// Runs a plan.
    pub(crate) async fn run(&self, plan: Plan) -> Ran {
        let (_stopper, stop) = watch::channel(Stop::Go);
        self.run_telling(plan, stop, |_| ()).await
    }

    /// Runs a plan that may be stopped, and tells of each event as it happens.
    pub(crate) async fn run_telling(
        &self,
        plan: Plan,
        stop: watch::Receiver<Stop>,
        tell: impl Fn(&Event),
    ) -> Ran {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let job = Job { plan, clusters: self.clusters.clone(), root: None, options: self.options };
        let mut events = Vec::new();
        let listen = async {
            while let Some(event) = receiver.recv().await {
                tell(&event);
                events.push(event);
            }
        };
        let (summary, ()) = tokio::join!(apply::run(job, sender, stop), listen);
        Ran { summary, events }
    }

    /// Runs a plan and drops it after so many events, as if the process had been killed.
    pub(crate) async fn run_until_cut(&self, plan: Plan, cut: usize) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (_stopper, stop) = watch::channel(Stop::Go);
        let job = Job { plan, clusters: self.clusters.clone(), root: None, options: self.options };
        let counted = async {
            for _ in 0..cut {
                if receiver.recv().await.is_none() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = counted => {}
            _ = apply::run(job, sender, stop) => {}
        }
    }

    /// Plans and runs.
    pub(crate) async fn apply(&self) -> Ran {
        let plan = self.plan(Mode::Apply).await;
        self.run(plan).await
    }

    /// Plans the way back and runs it.
    pub(crate) async fn destroy(&self) -> Ran {
        let plan = self.plan(Mode::Destroy).await;
        self.run(plan).await
    }

    /// A live object.
    pub(crate) async fn live(&self, cluster: &str, object: &ObjectRef) -> Option<Object> {
        self.clusters[&ClusterName::from(cluster)].get(object).await.expect("it answers")
    }

    /// Every object of every cluster, by cluster.
    pub(crate) fn everything(&self) -> Vec<String> {
        let mut names = Vec::new();
        for store in self.running.sandbox().clusters() {
            for kind in store.resources() {
                for object in store.list(&kind.group, &kind.kind, None) {
                    names.push(format!("{} {}", store.name(), object.reference()));
                }
            }
        }
        names.sort();
        names
    }
}

impl Meshes {
    /// The objects of which we still hold a field.
    pub(crate) fn applied_by_us(&self) -> Vec<String> {
        let mut names = Vec::new();
        for store in self.running.sandbox().clusters() {
            for kind in store.resources() {
                for object in store.list(&kind.group, &kind.kind, None) {
                    if managed_fields(&object).iter().any(|entry| entry.manager == "stolos") {
                        names.push(format!("{} {}", store.name(), object.reference()));
                    }
                }
            }
        }
        names
    }
}

/// The changes of a plan that write, one line each.
pub(crate) fn writes(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &plan.steps {
        for change in step.writes() {
            lines.push(format!("{} {} {}", step.unit, change.action.as_str(), change.object));
            lines.extend(change.fields.iter().map(|field| format!("  {}", field.path)));
        }
        if let Some(unmet) = &step.unmet {
            lines.push(format!("{} waits for {}", step.unit, unmet.what));
        }
    }
    lines
}

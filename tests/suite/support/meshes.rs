//! A topology on clusters of either back end, through the library alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use stolos::apply::{self, Event, Holder, Job, Leases, Options, Stop, Summary, Terms};
use stolos::chart::ChartSet;
use stolos::cluster::{Cluster, Contexts, Limits, Transport, dry_runs, greet, look_into, survey};
use stolos::compile::{self, Desired, PublicFiles, Values};
use stolos::diagnostic::Failure;
use stolos::document::Sources;
use stolos::graph::Graph;
use stolos::object::{Object, ObjectRef, kinds};
use stolos::plan::{self, Conflicts, Inputs, Live, Mode, Plan};
use stolos::sandbox::controllers::{self, Member};
use stolos::sandbox::{Clock, ClusterStore, RunningSandbox, Sandbox, SandboxCluster, SystemClock};
use stolos::topology::{self, ClusterName};
use stolos::view;
use stolos::view::diagnostics::{Colours, Look};
use tokio::sync::{mpsc, watch};

use super::back_end::{BackEnd, Running};
use super::found::{self, Found};
use super::lent::Lent;
use super::scratch::scratch;
use super::servers::Raw;

const JSON: &str = "application/json";

/// A mesh whose clusters are up.
pub(crate) struct Meshes {
    pub(crate) desired: Desired,
    pub(crate) running: Running,
    pub(crate) clusters: BTreeMap<ClusterName, Cluster>,
    pub(crate) options: Options,
    /// How its runs take leases.
    pub(crate) terms: Terms,
    /// The runs that count as processes that were killed.
    killed: Arc<Mutex<BTreeSet<String>>>,
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
    compile::compile(&topology, &graph, &PublicFiles::default(), &ChartSet::embedded()).expect("it compiles")
}

/// The text of a topology of the repository.
pub(crate) fn topology_text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies").join(file);
    std::fs::read_to_string(path).expect("a topology")
}

/// The API address that clusters of a mesh have for each other, the same on both back ends.
fn in_mesh(id: &str) -> String {
    format!("https://{id}.sandbox.invalid:6443")
}

impl Meshes {
    /// The clusters of a topology in a folder, with everything that clusters do by themselves.
    pub(crate) async fn open(folder: &Path, desired: Desired) -> Self {
        let mut meshes = Self::without_controllers(folder, desired).await;
        meshes.start_controllers().await;
        meshes
    }

    /// The same on a back end, for a test of this name.
    pub(crate) async fn on(back_end: BackEnd, test: &str, desired: Desired) -> Self {
        let mut meshes = Self::still_on(back_end, test, desired).await;
        meshes.start_controllers().await;
        meshes
    }

    /// The same, applied.
    pub(crate) async fn applied_on(back_end: BackEnd, test: &str, desired: Desired) -> Self {
        let meshes = Self::on(back_end, test, desired).await;
        let ran = meshes.apply().await;
        assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
        meshes
    }

    /// Clusters of a back end in which nothing happens by itself.
    pub(crate) async fn still_on(back_end: BackEnd, test: &str, desired: Desired) -> Self {
        match back_end {
            BackEnd::Sandbox => Self::without_controllers(&scratch(test), desired).await,
            BackEnd::ApiServers => Self::on_api_servers(desired).await,
        }
    }

    async fn on_api_servers(desired: Desired) -> Self {
        let names: Vec<&str> = desired.clusters.keys().map(ClusterName::as_str).collect();
        let lent = Lent::get(&names).await;
        let contexts = Contexts::read(&[lent.kubeconfig()]).expect("a kubeconfig");
        let mut clusters = BTreeMap::new();
        for (name, facts) in &desired.clusters {
            let transport = contexts.open(name.as_str(), Limits::default()).await.expect("a context");
            clusters.insert(name.clone(), Cluster::new(name.clone(), in_mesh(&facts.id), transport));
        }
        let options = Options { timeout: Duration::from_secs(60), ..Options::default() };
        Self::new(desired, Running::ApiServers(Box::new(lent)), clusters, options)
    }

    /// Doors to real API servers, the administrator being in the place of somebody else.
    pub(crate) async fn clusters_as(&self, user: &str) -> BTreeMap<ClusterName, Cluster> {
        let Running::ApiServers(lent) = &self.running else { panic!("a sandbox knows no users") };
        let text = std::fs::read_to_string(lent.kubeconfig()).expect("a kubeconfig");
        let mut config: Value = serde_json::from_str(&text).expect("it is written in JSON");
        for entry in config["users"].as_array_mut().expect("users") {
            entry["user"]["as"] = user.into();
        }
        let file = lent.kubeconfig().with_extension("as");
        std::fs::write(&file, config.to_string()).expect("a folder of this suite");
        let contexts = Contexts::read(&[file]).expect("a kubeconfig");
        let mut clusters = BTreeMap::new();
        for (name, facts) in &self.desired.clusters {
            let transport = contexts.open(name.as_str(), Limits::default()).await.expect("a context");
            clusters.insert(name.clone(), Cluster::new(name.clone(), in_mesh(&facts.id), transport));
        }
        clusters
    }

    /// Whether a cluster has a namespace.
    pub(crate) async fn live_namespace(&self, cluster: &ClusterName, name: &str) -> bool {
        let path = format!("/api/v1/namespaces/{name}");
        self.raw(cluster.as_str()).await.ask(Method::GET, &path, JSON, &Value::Null).await.code == 200
    }

    /// From now on things happen by themselves.
    pub(crate) async fn start_controllers(&mut self) {
        match &mut self.running {
            Running::Sandbox { sandbox, controllers } => {
                let stores = sandbox.sandbox().clusters().iter();
                let members = stores.map(|store| Member::new(Arc::<ClusterStore>::clone(store)));
                *controllers = Some(controllers::start(members.collect()));
            }
            Running::ApiServers(lent) => {
                let clusters = self.desired.clusters.iter();
                let ids = clusters.map(|(name, facts)| (name.to_string(), facts.id.clone()));
                lent.start_data_plane(&ids.collect()).await;
            }
        }
    }

    /// From now on nothing does, but for what kube-controller-manager does.
    pub(crate) fn stop_controllers(&mut self) {
        match &mut self.running {
            Running::Sandbox { controllers, .. } => *controllers = None,
            Running::ApiServers(lent) => lent.stop_data_plane(),
        }
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
                let server = in_mesh(&desired.clusters[&name].id);
                (name.clone(), Cluster::new(name, server, transport))
            })
            .collect();
        let options = Options { timeout: Duration::from_secs(30), ..Options::default() };
        let running = Running::Sandbox { sandbox: running, controllers: None };
        Self::new(desired, running, clusters, options)
    }

    fn new(
        desired: Desired,
        running: Running,
        clusters: BTreeMap<ClusterName, Cluster>,
        options: Options,
    ) -> Self {
        let killed: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let known = Arc::clone(&killed);
        let has_ended = Arc::new(move |run: &str| known.lock().expect("no panic while held").contains(run));
        let terms = Terms { has_ended, ..Terms::default() };
        Self { desired, running, clusters, options, terms, killed }
    }

    /// What it takes.
    pub(crate) async fn plan(&self, mode: Mode) -> Plan {
        self.try_plan(mode, Conflicts::Refuse).await.expect("a plan")
    }

    /// What it takes, or what keeps the plan from being made.
    pub(crate) async fn try_plan(&self, mode: Mode, conflicts: Conflicts) -> Result<Plan, Vec<Failure>> {
        let live = self.read(mode).await;
        let mut inputs = Inputs { conflicts, ..Inputs::at(Timestamp::now()) };
        loop {
            let plan = self.diff(mode, &live, &inputs)?;
            let candidates = plan.candidates(&inputs.dry_runs);
            if candidates.is_empty() {
                return Ok(plan);
            }
            dry_runs(candidates, &self.clusters, &mut inputs.dry_runs).await;
        }
    }

    /// What it takes as far as it can be told without dry runs.
    pub(crate) async fn estimate(&self) -> Plan {
        let live = self.read(Mode::Apply).await;
        self.diff(Mode::Apply, &live, &Inputs::at(Timestamp::now())).expect("a plan")
    }

    /// What is read for a plan.
    pub(crate) async fn read(&self, mode: Mode) -> Live {
        let reads = plan::reads(&self.desired).expect("reads");
        let mut live = survey(&self.desired.mesh, &reads, greet(&self.clusters).await).await;
        let contents = plan::content_reads(&self.desired, &live, mode);
        look_into(&mut live, contents, &self.clusters).await;
        live
    }

    fn diff(&self, mode: Mode, live: &Live, inputs: &Inputs) -> Result<Plan, Vec<Failure>> {
        match mode {
            Mode::Apply => plan::diff(&self.desired, live, inputs),
            Mode::Destroy => plan::destroy(&self.desired, live, inputs),
        }
    }

    /// The leases of a run, and by what it is known to have been killed.
    pub(crate) fn leases(&self) -> (Arc<Leases>, String) {
        static RUNS: AtomicUsize = AtomicUsize::new(1);
        let run = format!("run-{}", RUNS.fetch_add(1, Ordering::Relaxed));
        let holder = Holder {
            who: "test@here".to_owned(),
            pid: 1,
            command: "stolos apply mesh.yaml".to_owned(),
            run: run.clone(),
            process: Some(run.clone()),
        };
        (Arc::new(Leases::new(holder, self.terms.clone())), run)
    }

    /// A run that is over counts as a process that was killed from now on.
    pub(crate) fn killed(&self, run: String) {
        self.killed.lock().expect("no panic while held").insert(run);
    }

    /// All that a run of a plan takes, and by what it is known to have been killed.
    pub(crate) fn job(&self, plan: Plan) -> (Job, String) {
        let (leases, run) = self.leases();
        let clusters = self.clusters.clone();
        (Job { plan, clusters, root: None, options: self.options, saved: None, leases }, run)
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
        let (job, _) = self.job(plan);
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
        let (job, killed) = self.job(plan);
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
        self.killed(killed);
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

    /// Everything that the topology asks for, by cluster, in the order of its units.
    pub(crate) fn objects(&self) -> Vec<(ClusterName, Object)> {
        let of = |unit: &compile::DesiredUnit| {
            let objects = unit.objects(&self.desired.mesh, &Values::default()).expect("it renders");
            let name = unit.unit.cluster.clone();
            objects.into_iter().map(move |object| (name.clone(), object)).collect::<Vec<_>>()
        };
        self.desired.units.iter().flat_map(of).collect()
    }

    /// Every object of every cluster, by cluster.
    pub(crate) async fn everything(&self) -> Vec<String> {
        self.named(|_| true).await
    }

    /// The objects of which we still hold a field.
    pub(crate) async fn applied_by_us(&self) -> Vec<String> {
        self.named(Found::is_applied_by_us).await
    }

    async fn named(&self, wanted: impl Fn(&Found) -> bool) -> Vec<String> {
        let mut names = Vec::new();
        for name in self.clusters.keys() {
            let found = found::all(&self.raw(name.as_str()).await).await;
            let wanted = found.iter().filter(|found| wanted(found));
            names.extend(wanted.map(|found| format!("{name} {}", found.reference())));
        }
        names.sort();
        names
    }

    /// The administrator's way to say anything to a cluster.
    pub(crate) async fn raw(&self, cluster: &str) -> Raw {
        match &self.running {
            Running::Sandbox { sandbox, .. } => {
                let endpoints = sandbox.endpoints();
                let endpoint = endpoints.iter().find(|endpoint| endpoint.cluster == cluster);
                Raw::plain(&endpoint.expect("a cluster of the mesh").url)
            }
            Running::ApiServers(lent) => lent.raw(cluster).await,
        }
    }

    /// The administrator's kubeconfig of real API servers.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        match &self.running {
            Running::Sandbox { .. } => panic!("this can be asked of real API servers only"),
            Running::ApiServers(lent) => lent.kubeconfig(),
        }
    }

    /// Somebody creates an object.
    pub(crate) async fn create(&self, cluster: &str, object: Value, manager: &str) -> ObjectRef {
        let reference = Object::from_value(object.clone()).expect("an object").reference();
        let path = format!("{}?fieldManager={manager}", collection(&reference));
        let answer = self.raw(cluster).await.ask(Method::POST, &path, JSON, &object).await;
        assert_eq!(answer.code, 201, "{reference}: {answer:?}");
        reference
    }

    /// Somebody sends a JSON patch for an object, as `kubectl patch --type=json` does.
    pub(crate) async fn patch(&self, cluster: &str, object: &ObjectRef, operations: Value, manager: &str) {
        let path = format!("{}/{}?fieldManager={manager}", collection(object), object.name);
        let patch = "application/json-patch+json";
        let answer = self.raw(cluster).await.ask(Method::PATCH, &path, patch, &operations).await;
        assert_eq!(answer.code, 200, "{object}: {answer:?}");
    }

    /// Some controller merges a patch into the status of an object.
    pub(crate) async fn patch_status(&self, cluster: &str, object: &ObjectRef, patch: Value, manager: &str) {
        let path = format!("{}/{}/status?fieldManager={manager}", collection(object), object.name);
        let merge = "application/merge-patch+json";
        let answer = self.raw(cluster).await.ask(Method::PATCH, &path, merge, &patch).await;
        assert_eq!(answer.code, 200, "{object}: {answer:?}");
    }

    /// Somebody applies an object on the server's side, whoever holds its fields.
    pub(crate) async fn apply_by(&self, cluster: &str, object: Value, manager: &str) -> ObjectRef {
        let reference = Object::from_value(object.clone()).expect("an object").reference();
        let query = format!("fieldManager={manager}&force=true");
        let path = format!("{}/{}?{query}", collection(&reference), reference.name);
        let apply = "application/apply-patch+yaml";
        let answer = self.raw(cluster).await.ask(Method::PATCH, &path, apply, &object).await;
        assert!(matches!(answer.code, 200 | 201), "{reference}: {answer:?}");
        reference
    }

    /// Somebody deletes an object.
    pub(crate) async fn delete(&self, cluster: &str, object: &ObjectRef) {
        let path = format!("{}/{}", collection(object), object.name);
        let answer = self.raw(cluster).await.ask(Method::DELETE, &path, "", &Value::Null).await;
        assert_eq!(answer.code, 200, "{object}: {answer:?}");
    }
}

/// The path of the objects of a kind, beside one of them.
pub(crate) fn collection(object: &ObjectRef) -> String {
    let info = kinds::find(&object.group, &object.kind).expect("a kind of the table");
    let base = match info.group {
        "" => format!("/api/{}", info.version()),
        group => format!("/apis/{group}/{}", info.version()),
    };
    match &object.namespace {
        Some(namespace) => format!("{base}/namespaces/{namespace}/{}", info.plural),
        None => format!("{base}/{}", info.plural),
    }
}

/// A plan as a person sees it.
pub(crate) fn text(plan: &Plan) -> String {
    view::plan::text(plan, Look { colours: Colours::Off, columns: 100 })
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

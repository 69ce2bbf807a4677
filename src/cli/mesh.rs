//! From a path to a mesh whose clusters are within reach, and to its plan: what `plan`, `apply`
//! and `destroy` have in common.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::charts::charts;
use super::clusters::{Reach, sandbox_cluster};
use super::desired::{desired, read_named};
use super::load::{Loaded, load};
use super::{Stop, Terminal};
use crate::chart::ChartSet;
use crate::cluster::{Cluster, Trust, dry_runs, greet, kube_versions, look_into, survey};
use crate::compile::{Desired, KubeVersions};
use crate::diagnostic::{Failure, lasting};
use crate::object::Sensitive;
use crate::plan::{self, Conflicts, Inputs, Live, Mode, Plan, Reading};
use crate::sandbox::controllers::{self, Handle, Member};
use crate::sandbox::{
    Access, ClusterStore, RunningSandbox, SandboxCluster, SandboxError, SystemClock, access,
};
use crate::topology::{ClusterName, Root, Topology};
use crate::trust;

/// How often a diff is made again because a dry run said something new.
const ROUNDS: usize = 4;

/// The pause between two looks whether a sandbox is free.
const LOOK: Duration = Duration::from_millis(100);

/// How long a command waits for another one that holds its sandbox, and where it says so.
pub(super) struct Patience<'t> {
    pub(super) limit: Duration,
    pub(super) terminal: &'t mut Terminal,
}

/// A mesh whose clusters are within reach.
pub(super) struct Mesh {
    /// The topology.
    pub(super) loaded: Loaded,
    /// The charts that it takes.
    pub(super) charts: ChartSet,
    /// What it asks for.
    pub(super) desired: Desired,
    /// The doors to its clusters.
    pub(super) clusters: BTreeMap<ClusterName, Cluster>,
    /// Clusters whose charts ask for their Kubernetes, and that did not say: nothing is known of what they are to have.
    unversioned: BTreeMap<ClusterName, Failure>,
    sandbox: Option<Simulated>,
}

/// What was read, and what it takes.
pub(super) struct Outlook {
    /// The clusters.
    pub(super) live: Live,
    /// The plan, or why none can be made.
    pub(super) plan: Result<Plan, Vec<Failure>>,
}

/// A sandbox that lives as long as the command.
struct Simulated {
    access: Access,
    controllers: Option<Handle>,
}

impl Mesh {
    /// Loads and compiles a topology, and opens the doors to its clusters.
    ///
    /// A sandbox that another command holds is waited for as long as patience lasts.
    pub(super) async fn open(path: &Path, reach: &Reach, patience: Patience<'_>) -> Result<Self, Stop> {
        let loaded = load(path, reach.used_for())?;
        let charts = charts(&loaded, patience.terminal).await?;
        Self::of(loaded, charts, reach, patience).await
    }

    /// Compiles a topology and opens the doors to its clusters.
    pub(super) async fn of(
        loaded: Loaded,
        charts: ChartSet,
        reach: &Reach,
        patience: Patience<'_>,
    ) -> Result<Self, Stop> {
        let desired = desired(&loaded, &charts)?;
        let (clusters, sandbox) = match reach.sandbox() {
            Some(folder) => {
                let (clusters, sandbox) = simulated(folder, &loaded.topology, &desired, patience).await?;
                (clusters, Some(sandbox))
            }
            None => (reach.contexts(&desired.clusters).await.map_err(Stop::Failures)?, None),
        };
        let asked = desired.asking().iter().filter_map(|name| clusters.get(name).cloned()).collect();
        let (said, unversioned) = kube_versions(asked).await;
        let desired = desired.on(&KubeVersions::of_clusters(said));
        Ok(Self { loaded, charts, desired, clusters, unversioned, sandbox })
    }

    /// Says what is doubtful about the topology, and about the way to its clusters.
    pub(super) fn warn(&self, terminal: &mut Terminal) {
        self.loaded.warn(terminal);
        for (name, _) in self.clusters.iter().filter(|(_, cluster)| cluster.trust() == Trust::Blind) {
            terminal.talk(&format!(
                "warning: {name} is not asked who it is (insecure-skip-tls-verify): whoever answers gets the \
                 credentials\n"
            ));
        }
    }

    /// Reads the clusters and says what it takes.
    pub(super) async fn plan(&self, mode: Mode, conflicts: Conflicts) -> Result<Plan, Stop> {
        self.outlook(mode, conflicts, BTreeMap::new()).await?.plan.map_err(Stop::Failures)
    }

    /// The same, with what was read. Clusters that are `unknown` already are not asked again.
    pub(super) async fn outlook(
        &self,
        mode: Mode,
        conflicts: Conflicts,
        mut unknown: BTreeMap<ClusterName, Failure>,
    ) -> Result<Outlook, Stop> {
        for (name, why) in &self.unversioned {
            unknown.entry(name.clone()).or_insert_with(|| why.clone());
        }
        let root_certificate = match &self.loaded.topology.root.as_ref().map(|root| &root.value) {
            Some(Root::Files { certificate, .. }) => Some(read_named(&self.loaded.sources, certificate)?),
            Some(Root::Generate { .. } | Root::Istiod) | None => None,
        };
        let mut clusters = self.clusters.clone();
        clusters.retain(|name, _| !unknown.contains_key(name));
        // They are on their way while it is worked out what to ask.
        let greeting = tokio::spawn({
            let clusters = clusters.clone();
            async move { greet(&clusters).await }
        });
        let reads = plan::reads(&self.desired).map_err(Stop::Failures)?;
        let greeted = greeting.await.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        let mut live = survey(&self.desired.mesh, &reads, greeted).await;
        live.clusters.extend(unknown.into_iter().map(|(name, why)| (name, Reading::Unreachable(why))));
        let contents = plan::content_reads(&self.desired, &live, mode);
        look_into(&mut live, contents, &clusters).await;
        let mut inputs = Inputs { root_certificate, conflicts, ..Inputs::at(Timestamp::now()) };
        let diff = |inputs: &Inputs| match mode {
            Mode::Apply => plan::diff(&self.desired, &live, inputs),
            Mode::Destroy => plan::destroy(&self.desired, &live, inputs),
        };
        let mut plan = diff(&inputs);
        for _ in 0..ROUNDS {
            let Ok(made) = &plan else { break };
            let candidates = made.candidates(&inputs.dry_runs);
            if candidates.is_empty() {
                break;
            }
            dry_runs(candidates, &clusters, &mut inputs.dry_runs).await;
            plan = diff(&inputs);
        }
        Ok(Outlook { live, plan })
    }

    /// The root of trust where the topology gives it in files: the only place where its key is read.
    pub(super) fn root(&self) -> Result<Option<trust::Root>, Stop> {
        match self.loaded.topology.root.as_ref().map(|root| &root.value) {
            Some(Root::Files { certificate, key }) => {
                let certificate = read_named(&self.loaded.sources, certificate)?;
                let key = Sensitive::new(read_named(&self.loaded.sources, key)?);
                let root = trust::Root::load(&certificate, &key, Timestamp::now());
                Ok(Some(root.map_err(|error| error.failure())?))
            }
            Some(Root::Generate { .. } | Root::Istiod) | None => Ok(None),
        }
    }

    /// Lets go of the sandbox: everything is on the disk after this.
    pub(super) async fn close(self) {
        if let Some(Simulated { access, controllers }) = self.sandbox {
            drop(controllers);
            if let Access::Owned(running) = access {
                running.stop().await;
            }
        }
    }
}

/// The clusters that a sandbox simulates for a topology.
pub(super) fn sandbox_clusters(desired: &Desired) -> Vec<SandboxCluster> {
    let clusters = desired.clusters.iter();
    clusters.map(|(name, facts)| SandboxCluster { name: name.to_string(), id: facts.id.clone() }).collect()
}

/// Starts the controllers of a sandbox that this process holds.
pub(super) fn start_controllers(running: &RunningSandbox, topology: &Topology) -> Handle {
    let stores = running.sandbox().clusters().iter();
    let members = stores.map(|store| {
        let declared = topology.clusters.get(store.name()).and_then(|cluster| cluster.api_server.as_ref());
        let servers = declared.map(|api_server| api_server.url.value.clone()).into_iter().collect();
        Member { cluster: Arc::<ClusterStore>::clone(store), servers }
    });
    controllers::start(members.collect())
}

async fn simulated(
    folder: &Path,
    topology: &Topology,
    desired: &Desired,
    patience: Patience<'_>,
) -> Result<(BTreeMap<ClusterName, Cluster>, Simulated), Stop> {
    let access = within(folder, desired, patience).await.map_err(|error| error.failure())?;
    let controllers = match &access {
        Access::Owned(running) => Some(start_controllers(running, topology)),
        // Those of the server look after its clusters.
        Access::Attached(_) => None,
    };
    let mut clusters = BTreeMap::new();
    for endpoint in access.endpoints() {
        let name = ClusterName::from(endpoint.cluster.as_str());
        let Some(facts) = desired.clusters.get(&name) else { continue };
        let cluster =
            sandbox_cluster(&name, &facts.id, &endpoint.url).map_err(|error| error.failure(Some(&name)))?;
        clusters.insert(name, cluster);
    }
    Ok((clusters, Simulated { access, controllers }))
}

/// Opens a sandbox, once whoever holds it has let go.
async fn within(folder: &Path, desired: &Desired, patience: Patience<'_>) -> Result<Access, SandboxError> {
    let clock: Arc<dyn crate::sandbox::Clock> = Arc::new(SystemClock);
    let clusters = sandbox_clusters(desired);
    let Patience { limit, terminal } = patience;
    let deadline = Instant::now() + limit;
    let mut told = false;
    loop {
        match access(folder, &clusters, &clock).await {
            Err(SandboxError::InUse { .. }) if Instant::now() < deadline => {
                if !told {
                    let folder = folder.display();
                    let limit = lasting(limit);
                    terminal.talk(&format!(
                        "Waiting up to {limit} for another command, which holds the sandbox in {folder}\n"
                    ));
                    told = true;
                }
                // Nobody tells when a lock of a file is free.
                tokio::time::sleep(LOOK.min(deadline - Instant::now())).await;
            }
            ended => return ended,
        }
    }
}

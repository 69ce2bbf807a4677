//! The data plane that real API servers of a test lack, played by the sandbox's own controllers.
//!
//! Load balancers get addresses, Pods run, and istiod does what it does in a
//! sandbox: it registers remotes, patches `caBundle`, publishes its root. What
//! kube-controller-manager does is left to it. An API server's call to a webhook
//! leaves it through an egress selector, as it would through konnectivity, and
//! ends at the istiod to which the Service leads, or nowhere (`egress`); in a
//! network whose addresses are real it goes there (`network`). Where a
//! cluster has a node, its Pods are bound to it, and its kubelet forwards to
//! what listens in them (`runtime`).

mod egress;
mod mirror;
mod network;
mod runtime;
mod serving;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use stolos::cluster::Cluster;
use stolos::sandbox::Processes;
use stolos::sandbox::controllers::{self, Controlled, Handle, Member};
use tokio::task::JoinHandle;

use super::servers::{Kubelet, Raw, Server};

pub(crate) use egress::Egress;
use mirror::{Mirror, Nodes};
pub(crate) use network::{Heard, Network};
pub(crate) use runtime::Runtime;

/// A data plane that runs until it is dropped.
pub(crate) struct DataPlane {
    tasks: Vec<JoinHandle<()>>,
    mirrors: Arc<BTreeMap<String, Arc<Mirror>>>,
    /// Dropped after the tasks that use it.
    _controllers: Arc<Handle>,
}

/// Where the calls of an API server to what runs in its cluster go.
#[derive(Clone, Copy)]
pub(crate) enum WayOut<'b> {
    /// Through a proxy.
    Egress(&'b Egress),
    /// To addresses that are real.
    Network(&'b Network),
}

/// A cluster that gets a data plane.
pub(crate) struct Bare<'b> {
    /// Its name in the topology.
    pub(crate) name: String,
    /// Its ID in the mesh.
    pub(crate) id: String,
    pub(crate) server: &'b Server,
    /// Where the calls of its API server go.
    pub(crate) way_out: WayOut<'b>,
    /// What runs on its node, where it has one.
    pub(crate) runtime: &'b Runtime,
    /// The administrator's doors.
    pub(crate) cluster: Cluster,
    pub(crate) raw: Raw,
}

impl DataPlane {
    /// Lets clusters do what they do by themselves.
    pub(crate) fn start(bare: Vec<Bare<'_>>) -> Self {
        let mut tasks = Vec::new();
        let mut mirrors = BTreeMap::new();
        let mut members = Vec::new();
        let mut ways_out = Vec::new();
        for Bare { name, id, server, way_out, runtime, cluster, raw } in bare {
            let nodes = if server.kubelet().is_some() { Nodes::Some } else { Nodes::None };
            let mirror = Arc::new(Mirror::new(&name, &id, server.authority(), raw, nodes));
            tasks.extend(mirror::follow(&mirror, &cluster));
            if let Some(kubelet) = server.kubelet() {
                let network = match way_out {
                    WayOut::Egress(_) => None,
                    WayOut::Network(network) => Some(network),
                };
                tasks.push(runtime::run(&mirror, kubelet.node(), network));
                tasks.push(runtime.serve(&mirror));
            }
            let controlled: Arc<dyn Controlled> = Arc::<Mirror>::clone(&mirror);
            members.push(Member { cluster: controlled, servers: vec![server.url().to_owned()] });
            mirrors.insert(name.clone(), mirror);
            ways_out.push((name, way_out, server.kubelet().map(Kubelet::address)));
        }
        let controllers = Arc::new(controllers::start(members));
        let mirrors = Arc::new(mirrors);
        for (name, way_out, kubelet) in ways_out {
            tasks.push(match way_out {
                WayOut::Egress(egress) => egress.serve(&name, kubelet, &controllers, &mirrors),
                WayOut::Network(network) => network.serve(&name, &controllers, &mirrors),
            });
        }
        Self { tasks, mirrors, _controllers: controllers }
    }

    /// From now on these listen in a cluster's Pods.
    pub(crate) fn run(&self, cluster: &str, processes: Weak<dyn Processes>) {
        self.mirrors[cluster].run(processes);
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

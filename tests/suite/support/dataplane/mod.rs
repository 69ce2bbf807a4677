//! The data plane that real API servers of a test lack, played by the sandbox's own controllers.
//!
//! Load balancers get addresses, Pods run, and istiod does what it does in a
//! sandbox: it registers remotes, patches `caBundle`, publishes its root. What
//! kube-controller-manager does is left to it. An API server's call to a webhook
//! leaves it through an egress selector, as it would through konnectivity, and
//! ends at the istiod to which the Service leads, or nowhere (`egress`).

mod egress;
mod mirror;
mod serving;

use std::collections::BTreeMap;
use std::sync::Arc;

use stolos::cluster::Cluster;
use stolos::sandbox::controllers::{self, Controlled, Handle, Member};
use tokio::task::JoinHandle;

use super::servers::{Raw, Server};

pub(crate) use egress::Egress;
use mirror::Mirror;

/// A data plane that runs until it is dropped.
pub(crate) struct DataPlane {
    tasks: Vec<JoinHandle<()>>,
    /// Dropped after the tasks that use it.
    _controllers: Arc<Handle>,
}

/// A cluster that gets a data plane.
pub(crate) struct Bare<'b> {
    /// Its name in the topology.
    pub(crate) name: String,
    /// Its ID in the mesh.
    pub(crate) id: String,
    pub(crate) server: &'b Server,
    /// The way out of its API server.
    pub(crate) egress: &'b Egress,
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
        for Bare { name, id, server, egress, cluster, raw } in bare {
            let mirror = Arc::new(Mirror::new(&name, &id, server.authority(), raw));
            tasks.extend(mirror::follow(&mirror, &cluster));
            let controlled: Arc<dyn Controlled> = Arc::<Mirror>::clone(&mirror);
            members.push(Member { cluster: controlled, servers: vec![server.url().to_owned()] });
            mirrors.insert(name.clone(), mirror);
            ways_out.push((name, egress));
        }
        let controllers = Arc::new(controllers::start(members));
        let mirrors = Arc::new(mirrors);
        for (name, egress) in ways_out {
            tasks.push(egress.serve(&name, &controllers, &mirrors));
        }
        Self { tasks, _controllers: controllers }
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

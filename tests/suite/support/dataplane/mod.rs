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

use stolos::sandbox::controllers::{self, Controlled, Handle, Member};
use tokio::task::JoinHandle;

use super::servers::Servers;

pub(crate) use egress::Egress;
use mirror::Mirror;

/// A data plane that runs until it is dropped.
pub(crate) struct DataPlane {
    tasks: Vec<JoinHandle<()>>,
    /// Dropped after the tasks that use it.
    _controllers: Arc<Handle>,
}

impl DataPlane {
    /// Lets clusters do what they do by themselves. `ids` has the ID of each cluster in the mesh.
    pub(crate) async fn start(
        servers: &Servers,
        ids: &BTreeMap<String, String>,
        ways_out: &BTreeMap<String, Egress>,
    ) -> Self {
        let clusters = servers.clusters().await;
        let mut tasks = Vec::new();
        let mut mirrors = BTreeMap::new();
        let mut members = Vec::new();
        for (name, id) in ids {
            let authority = servers.server(name).authority();
            let mirror = Arc::new(Mirror::new(name, id, authority, servers.raw(name).await));
            tasks.extend(mirror::follow(&mirror, &clusters[name.as_str()]));
            let controlled: Arc<dyn Controlled> = Arc::<Mirror>::clone(&mirror);
            let servers = vec![servers.server(name).url().to_owned()];
            members.push(Member { cluster: controlled, servers });
            mirrors.insert(name.clone(), mirror);
        }
        let controllers = Arc::new(controllers::start(members));
        let mirrors = Arc::new(mirrors);
        for (name, egress) in ways_out {
            tasks.push(egress.serve(name, &controllers, &mirrors));
        }
        Self { tasks, _controllers: controllers }
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

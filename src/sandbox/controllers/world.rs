//! All clusters of a sandbox, as the controllers see them.

use std::sync::Arc;

use super::controlled::Controlled;
use super::istiod::Kubeconfigs;

/// The name that a sandbox cluster's API has inside the mesh: `<id>.sandbox.invalid`.
const DOMAIN: &str = ".sandbox.invalid";

/// One cluster.
#[derive(Debug, Clone)]
pub struct Member {
    /// What it holds, and how it is written.
    pub cluster: Arc<dyn Controlled>,
    /// Further URLs under which other clusters reach its API: what the topology declares as `apiServer`.
    pub servers: Vec<String>,
}

impl Member {
    /// A cluster that other clusters reach under its sandbox name only.
    pub fn new(cluster: Arc<dyn Controlled>) -> Self {
        Self { cluster, servers: Vec::new() }
    }
}

/// All clusters.
#[derive(Debug)]
pub(super) struct World {
    pub(super) members: Vec<Member>,
    /// The kubeconfigs of remote secrets, as they were read.
    pub(super) kubeconfigs: Kubeconfigs,
}

/// How a URL leads to a cluster.
pub(super) struct Destination {
    /// The position of the cluster.
    pub(super) member: usize,
    /// Whether the API server shows its own CA there.
    pub(super) authority: Authority,
}

/// Whose certificate an API server shows under a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authority {
    /// Its own.
    Own,
    /// Something stands before it, and what that shows is not simulated.
    Declared,
}

impl World {
    pub(super) fn new(members: Vec<Member>) -> Self {
        Self { members, kubeconfigs: Kubeconfigs::default() }
    }

    /// The cluster that a server's URL leads to.
    pub(super) fn destination(&self, server: &str) -> Option<Destination> {
        let server = server.trim_end_matches('/');
        let host = server.strip_prefix("https://")?.split(['/', ':']).next()?;
        let own = host.strip_suffix(DOMAIN);
        self.members.iter().enumerate().find_map(|(member, candidate)| {
            if own == Some(candidate.cluster.id()) {
                return Some(Destination { member, authority: Authority::Own });
            }
            let is_declared =
                candidate.servers.iter().any(|declared| declared.trim_end_matches('/') == server);
            is_declared.then_some(Destination { member, authority: Authority::Declared })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{ClusterStore, ManualClock};

    #[test]
    fn a_url_leads_to_the_cluster_of_its_id_or_to_the_one_that_declares_it() {
        let folder = std::env::temp_dir().join(format!("stolos-world-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let open = |name: &str, id: &str, servers: &[&str]| {
            let clock = Arc::new(ManualClock::at("2027-01-01T00:00:00Z".parse().unwrap()));
            let store = ClusterStore::open(&folder.join(name), name, id, clock).unwrap();
            let servers = servers.iter().map(|server| (*server).to_owned()).collect();
            Member { cluster: Arc::new(store), servers }
        };
        let world =
            World::new(vec![open("one", "id1", &[]), open("two", "id2", &["https://10.0.0.5:6443/"])]);
        let lead = |server: &str| world.destination(server).map(|found| (found.member, found.authority));
        assert_eq!(lead("https://id1.sandbox.invalid:6443"), Some((0, Authority::Own)));
        assert_eq!(lead("https://id2.sandbox.invalid:6443/"), Some((1, Authority::Own)));
        assert_eq!(lead("https://10.0.0.5:6443"), Some((1, Authority::Declared)));
        assert_eq!(lead("https://10.0.0.6:6443"), None);
        assert_eq!(lead("http://id1.sandbox.invalid:6443"), None);
        assert_eq!(lead("https://one.sandbox.invalid:6443"), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

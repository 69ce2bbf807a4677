//! All clusters of a sandbox, as the controllers see them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::controlled::Controlled;
use super::istiod::{Istiod, Kubeconfigs};
use super::notes::{Notebook, Observed, Topic};
use super::overview::{Concern, Leader, Overview, canonical};
use super::syncs::Syncs;
use crate::object::Object;

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
    pub(super) kubeconfigs: Arc<Kubeconfigs>,
    /// Where a look notes what it reads.
    pub(super) notebook: Arc<Notebook>,
    overview: Mutex<Overview>,
    /// What those who ask how istiods stand were told; made when somebody asks.
    syncs: OnceLock<Mutex<Syncs>>,
    /// The positions of clusters by ID.
    ids: HashMap<String, usize>,
    /// Those of clusters by the URLs that are declared for them.
    servers: HashMap<String, usize>,
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
    /// Clusters of which nothing is known yet.
    pub(super) fn new(members: Vec<Member>) -> Self {
        Self::with(members, Arc::default(), Arc::default())
    }

    /// The same clusters for looks: what they read is noted.
    pub(super) fn observed(&self) -> Self {
        let notebook = Arc::new(Notebook::default());
        let members = self.members.iter().enumerate().map(|(position, member)| {
            let (cluster, notebook) = (Arc::clone(&member.cluster), Arc::clone(&notebook));
            let cluster = Arc::new(Observed { cluster, position, notebook });
            Member { cluster, servers: member.servers.clone() }
        });
        Self::with(members.collect(), Arc::clone(&self.kubeconfigs), Arc::clone(&notebook))
    }

    /// The same clusters as they are at this moment, whatever looks have seen of them.
    pub(super) fn at_present(&self) -> Self {
        let world = Self::with(self.members.clone(), Arc::clone(&self.kubeconfigs), Arc::default());
        world.read();
        world
    }

    fn with(members: Vec<Member>, kubeconfigs: Arc<Kubeconfigs>, notebook: Arc<Notebook>) -> Self {
        let (mut ids, mut servers) = (HashMap::new(), HashMap::new());
        for (position, member) in members.iter().enumerate() {
            ids.entry(member.cluster.id().to_owned()).or_insert(position);
            for server in &member.servers {
                servers.entry(server.trim_end_matches('/').to_owned()).or_insert(position);
            }
        }
        let overview = Mutex::new(Overview::new(members.len()));
        Self { members, kubeconfigs, notebook, overview, syncs: OnceLock::new(), ids, servers }
    }

    /// Reads everything that is asked of all clusters at once.
    pub(super) fn read(&self) {
        for cluster in 0..self.members.len() {
            for concern in Concern::ALL {
                self.refresh(cluster, concern);
            }
        }
    }

    pub(super) fn overview(&self) -> MutexGuard<'_, Overview> {
        self.overview.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How istiods stand with the clusters that they have registered.
    pub(super) fn syncs(&self) -> MutexGuard<'_, Syncs> {
        let syncs = self.syncs.get_or_init(|| Mutex::new(Syncs::new(self.observed())));
        syncs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The istiods that run in a cluster.
    pub(super) fn istiods(&self, cluster: usize) -> Arc<[Arc<Istiod>]> {
        self.notebook.read(|| Topic::Istiods(cluster));
        self.overview().istiods(cluster)
    }

    /// The first istiod outside a cluster that has registered an ID.
    pub(super) fn registrant(&self, id: &str, outside: usize) -> Option<Arc<Istiod>> {
        self.notebook.read(|| Topic::Registered(id.to_owned()));
        let clusters = self.overview().registered(id);
        clusters.into_iter().filter(|cluster| *cluster != outside).find_map(|cluster| {
            let istiods = self.istiods(cluster);
            istiods.iter().find(|istiod| istiod.remotes().any(|(registered, _)| registered == id)).cloned()
        })
    }

    /// The istiods that mean to lead a cluster from outside, in the order of clusters, and the IDs
    /// under which they have registered it.
    pub(super) fn leaders(&self, cluster: usize) -> Vec<(Arc<Istiod>, String)> {
        self.notebook.read(|| Topic::Leaders(cluster));
        let leaders = self.overview().leaders(cluster);
        let istiod = |leader: &Leader| self.istiods(leader.cluster).get(leader.istiod).cloned();
        leaders.into_iter().filter_map(|leader| Some((istiod(&leader)?, leader.id))).collect()
    }

    /// The Services that are reached from outside under an address.
    pub(super) fn owners(&self, address: &str) -> Vec<(usize, Arc<Object>)> {
        self.notebook.read(|| Topic::Address(canonical(address)));
        let owners = self.overview().owners(address);
        let service = |(cluster, (namespace, name)): (usize, (String, String))| {
            let service = self.members[cluster].cluster.find("", "Service", Some(&namespace), &name)?;
            Some((cluster, service))
        };
        owners.into_iter().filter_map(service).collect()
    }

    /// The cluster that a server's URL leads to.
    pub(super) fn destination(&self, server: &str) -> Option<Destination> {
        let server = server.trim_end_matches('/');
        let host = server.strip_prefix("https://")?.split(['/', ':']).next()?;
        let own = host.strip_suffix(DOMAIN).and_then(|id| self.ids.get(id)).copied();
        let declared = self.servers.get(server).copied();
        // The first of the two, and what is its own before what is declared for it.
        match (own, declared) {
            (Some(member), declared) if declared.is_none_or(|declared| member <= declared) => {
                Some(Destination { member, authority: Authority::Own })
            }
            (_, declared) => declared.map(|member| Destination { member, authority: Authority::Declared }),
        }
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

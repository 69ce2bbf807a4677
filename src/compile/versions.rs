//! Which Kubernetes each cluster's charts are told of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use super::{Desired, Release};
use crate::chart::{Capabilities, KubeVersion};
use crate::topology::ClusterName;

/// What charts are told where nobody said anything: the Kubernetes that helm 3.22 was built for is a matter of its
/// build, so this is one that all known versions of Istio run on.
static UNTOLD: LazyLock<Arc<Capabilities>> =
    LazyLock::new(|| Arc::new(Capabilities::of_kubernetes("1.33.0").expect("a version of Kubernetes")));

/// The Kubernetes of each cluster, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct KubeVersions {
    everywhere: Option<Arc<Capabilities>>,
    by_cluster: BTreeMap<ClusterName, Arc<Capabilities>>,
}

impl KubeVersions {
    /// One version for all clusters.
    pub fn everywhere(capabilities: Capabilities) -> Self {
        Self { everywhere: Some(Arc::new(capabilities)), by_cluster: BTreeMap::new() }
    }

    /// The version that each cluster said it has.
    pub fn of_clusters(said: BTreeMap<ClusterName, KubeVersion>) -> Self {
        let mut known: BTreeMap<KubeVersion, Arc<Capabilities>> = BTreeMap::new();
        let mut by_cluster = BTreeMap::new();
        for (cluster, version) in said {
            let shared = known
                .entry(version)
                .or_insert_with_key(|version| Arc::new(Capabilities::of_server(version.clone())));
            by_cluster.insert(cluster, Arc::clone(shared));
        }
        Self { everywhere: None, by_cluster }
    }

    fn of(&self, cluster: &ClusterName) -> Arc<Capabilities> {
        let known = self.by_cluster.get(cluster).or(self.everywhere.as_ref());
        Arc::clone(known.unwrap_or(&UNTOLD))
    }
}

impl Desired {
    /// The clusters whose charts ask for their Kubernetes.
    pub fn asking(&self) -> BTreeSet<ClusterName> {
        let asks = |release: &Release| release.asks();
        let units = self.units.iter().filter(|unit| unit.content.release.as_ref().is_some_and(asks));
        units.map(|unit| unit.unit.cluster.clone()).collect()
    }

    /// The same on these versions of Kubernetes.
    #[must_use]
    pub fn on(mut self, versions: &KubeVersions) -> Self {
        for unit in &mut self.units {
            if let Some(release) = &mut unit.content.release {
                release.capabilities = versions.of(&unit.unit.cluster);
            }
        }
        self
    }
}

pub(super) fn untold() -> Arc<Capabilities> {
    Arc::clone(&UNTOLD)
}

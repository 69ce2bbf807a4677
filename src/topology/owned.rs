//! The chart values that the topology decides, so that no user value may.
//!
//! One table for two readers: `validate` refuses a user's value at such a key,
//! and `compile` tests that every key it computes stands here.

use super::{ChartName, EffectiveGateway};

/// A key of a chart's values that belongs to the topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnedKey {
    /// The chart.
    pub chart: ChartName,
    /// The path of the key, dotted: `global.network`; a dot within a key is `\.`, as in `helm --set`.
    /// Whatever lies under it is owned too.
    pub path: &'static str,
    /// What to write instead: the key of the topology that decides it, or a sentence where none does.
    pub instead: Instead,
    /// Where it holds.
    pub when: When,
}

/// What a user writes instead of an owned value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// This key of the topology: `mesh.id`.
    Key(&'static str),
    /// Nothing: it follows from what this phrase names, as in `follows from roles`.
    FollowsFrom(&'static str),
}

/// Where a key is owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In every cluster.
    Always,
    /// Where the topology sets the replicas of the gateway.
    ReplicasSet,
}

impl OwnedKey {
    /// Whether the topology decides this key in a cluster whose gateway is `gateway`.
    pub fn holds_with(&self, gateway: Option<&EffectiveGateway>) -> bool {
        match self.when {
            When::Always => true,
            When::ReplicasSet => gateway.is_some_and(|gateway| gateway.settings.replicas.is_some()),
        }
    }

    /// The path, key by key.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = vec![String::new()];
        let mut rest = self.path.chars().peekable();
        while let Some(c) = rest.next() {
            let last = keys.last_mut().expect("it begins with one");
            match c {
                '\\' => last.extend(rest.next()),
                '.' => keys.push(String::new()),
                c => last.push(c),
            }
        }
        keys
    }

    /// Whether a value at `path` of this chart is this key's, or lies under it.
    pub fn covers(&self, chart: ChartName, path: &[String]) -> bool {
        chart == self.chart && path.starts_with(&self.keys())
    }
}

const fn key(chart: ChartName, path: &'static str, decided_by: &'static str) -> OwnedKey {
    OwnedKey { chart, path, instead: Instead::Key(decided_by), when: When::Always }
}

const fn follows(chart: ChartName, path: &'static str, from: &'static str) -> OwnedKey {
    OwnedKey { chart, path, instead: Instead::FollowsFrom(from), when: When::Always }
}

const fn with_replicas(path: &'static str) -> OwnedKey {
    OwnedKey {
        chart: ChartName::Gateway,
        path,
        instead: Instead::Key("eastWestGateway.replicas"),
        when: When::ReplicasSet,
    }
}

/// Every owned key, by chart and path.
///
/// `_internal_defaults_do_not_set` is where the official charts keep their own
/// defaults: a value there would pass by every other line of this table.
pub const OWNED_KEYS: [OwnedKey; 65] = {
    use ChartName::{Base, Cni, Gateway, Istiod};
    [
        follows(Base, "_internal_defaults_do_not_set", "the keys themselves, which stand at the top level"),
        follows(Base, "defaultRevision", "the role of the cluster"),
        key(Base, "global.istioNamespace", "mesh.namespace"),
        key(Base, "global.platform", "istio.platform"),
        key(Base, "global.tag", "istio.version"),
        key(Base, "platform", "istio.platform"),
        key(Base, "profile", "istio.profile"),
        follows(Cni, "_internal_defaults_do_not_set", "the keys themselves, which stand at the top level"),
        key(Cni, "global.platform", "istio.platform"),
        key(Cni, "global.tag", "istio.version"),
        key(Cni, "platform", "istio.platform"),
        key(Cni, "profile", "istio.profile"),
        follows(Cni, "revision", "the mesh, which has one revision"),
        follows(Istiod, "_internal_defaults_do_not_set", "the keys themselves, which stand at the top level"),
        key(Istiod, "cni.enabled", "istio.cni"),
        follows(Istiod, "global.configCluster", "the role of the cluster"),
        follows(Istiod, "global.externalIstiod", "whether the cluster serves remotes"),
        key(Istiod, "global.istioNamespace", "mesh.namespace"),
        key(Istiod, "global.meshID", "mesh.id"),
        follows(Istiod, "global.meshNetworks", "the networks, which istiod learns from labels"),
        key(Istiod, "global.multiCluster.clusterName", "clusters.X.id"),
        follows(Istiod, "global.multiCluster.enabled", "the number of clusters"),
        key(Istiod, "global.network", "clusters.X.network"),
        key(Istiod, "global.platform", "istio.platform"),
        key(Istiod, "global.remotePilotAddress", "clusters.X.controlPlane.address"),
        key(Istiod, "global.tag", "istio.version"),
        follows(Istiod, "istiodRemote.enabled", "the role of the cluster"),
        follows(Istiod, "istiodRemote.injectionPath", "the cluster's id and network"),
        follows(Istiod, "istiodRemote.injectionURL", "the cluster's id and network"),
        key(Istiod, "meshConfig.defaultConfig.discoveryAddress", "mesh.namespace"),
        key(Istiod, "meshConfig.defaultConfig.meshId", "mesh.id"),
        key(Istiod, "meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE", "mesh.dns"),
        key(Istiod, "meshConfig.defaultConfig.proxyMetadata.ISTIO_META_NETWORK", "clusters.X.network"),
        key(Istiod, "meshConfig.rootNamespace", "mesh.namespace"),
        key(Istiod, "meshConfig.trustDomain", "mesh.trustDomain"),
        key(Istiod, "pilot.cni.enabled", "istio.cni"),
        follows(Istiod, "pilot.configMap", "the role of the cluster"),
        key(Istiod, "pilot.env.CLUSTER_ID", "clusters.X.id"),
        follows(Istiod, "pilot.env.EXTERNAL_ISTIOD", "whether the cluster serves remotes"),
        follows(Istiod, "pilot.podAnnotations.checksum/cacerts-root", "the root of trust"),
        key(Istiod, "platform", "istio.platform"),
        key(Istiod, "profile", "istio.profile"),
        follows(Istiod, "revision", "the mesh, which has one revision"),
        follows(Istiod, "revisionTags", "the mesh, which has one revision"),
        follows(
            Gateway,
            "_internal_defaults_do_not_set",
            "the keys themselves, which stand at the top level",
        ),
        with_replicas("autoscaling.enabled"),
        key(Gateway, "global.istioNamespace", "mesh.namespace"),
        key(Gateway, "global.platform", "istio.platform"),
        follows(Gateway, "name", "the gateway's job: every cluster's is called istio-eastwestgateway"),
        key(Gateway, "networkGateway", "clusters.X.network"),
        key(Gateway, "networkGatewayPorts", "eastWestGateway.ports"),
        key(Gateway, "platform", "istio.platform"),
        key(Gateway, "profile", "istio.profile"),
        with_replicas("replicaCount"),
        follows(Gateway, "revision", "the mesh, which has one revision"),
        key(Gateway, "service.annotations", "eastWestGateway.service.annotations"),
        key(Gateway, "service.loadBalancerSourceRanges", "eastWestGateway.service.sourceRanges"),
        key(Gateway, "service.ports", "eastWestGateway.ports"),
        key(Gateway, "service.type", "eastWestGateway.service.type"),
        follows(Gateway, "labels.app", "the gateway's job, since Gateways select it by this label"),
        follows(Gateway, "labels.istio", "the gateway's job, since Gateways select it by this label"),
        key(Gateway, r"labels.topology\.istio\.io/network", "clusters.X.network"),
        follows(Gateway, "service.selectorLabels", "the gateway's job"),
        follows(Gateway, "env.ISTIO_META_REQUESTED_NETWORK_VIEW", "the cluster's network"),
        key(Gateway, "env.ISTIO_META_NETWORK", "clusters.X.network"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_owned_key_lies_under_another() {
        for one in &OWNED_KEYS {
            for other in &OWNED_KEYS {
                let nested = one.chart == other.chart
                    && one.path != other.path
                    && other.path.starts_with(&format!("{}.", one.path));
                assert!(!nested, "{} lies under {}", other.path, one.path);
            }
        }
    }

    #[test]
    fn a_dot_within_a_key_is_told_from_one_between_two() {
        let label = OWNED_KEYS.iter().find(|key| key.path.contains('\\')).expect("there is one");
        assert_eq!(label.keys(), ["labels", "topology.istio.io/network"]);
    }

    #[test]
    fn every_owned_key_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for key in &OWNED_KEYS {
            assert!(seen.insert((key.chart, key.path)), "{} stands twice", key.path);
        }
    }
}

//! What follows from roles and networks: the deployment model, never a keyword.
//!
//! Every stage asks these questions here, so that each has one answer.
//! They hold for a topology that `validate` passed; on another they answer
//! without panic, from what is there.

use std::collections::BTreeSet;

use super::*;
use crate::document::Spanned;

/// The trust domain that Istio takes where none is given.
const DEFAULT_TRUST_DOMAIN: &str = "cluster.local";

/// The settings of a cluster's east-west gateway with its network's merged in.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveGateway {
    /// Merged: the cluster's own setting wins, key by key.
    pub settings: Gateway,
}

/// How a remote reaches the control plane that it uses.
#[derive(Debug, Clone, PartialEq)]
pub enum Entrance {
    /// A declared host.
    Declared(Host),
    /// The address that a primary's east-west gateway gets.
    GatewayOf(ClusterName),
    /// The address that the load balancer before a primary's istiod gets.
    LoadBalancerOf(ClusterName),
    /// None: nothing exposes the primary and no address is declared.
    Missing,
}

/// The order in which clusters take a change that restarts something or cuts traffic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollout {
    /// The waves; each cluster stands in one.
    pub waves: Vec<BTreeSet<ClusterName>>,
    /// How many of them, from the first, the file names; the order of the others is nobody's wish.
    pub declared: usize,
}

impl Cluster {
    /// Its ID in the mesh: `CLUSTER_ID`, key of its remote secret, `ISTIO_META_CLUSTER_ID`.
    pub fn id(&self) -> &str {
        self.id.as_ref().map_or(self.name.value.as_str(), |id| id.value.as_str())
    }

    /// Its context in a kubeconfig.
    pub fn context(&self) -> &str {
        self.context.as_ref().map_or(self.name.value.as_str(), |context| context.value.as_str())
    }

    /// Whether it hosts its own control plane.
    pub fn is_primary(&self) -> bool {
        matches!(self.role.value, Role::Primary)
    }

    /// The primaries of a remote in the order of the file; none for a primary.
    pub fn primaries(&self) -> &[Spanned<ClusterName>] {
        match &self.role.value {
            Role::Primary => &[],
            Role::Remote { primaries } => primaries,
        }
    }
}

impl Topology {
    /// Clusters that host a control plane, by name.
    pub fn primaries(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values().filter(|cluster| cluster.is_primary())
    }

    /// The remotes that a primary serves, by name.
    pub fn remotes_of(&self, primary: &ClusterName) -> impl Iterator<Item = &Cluster> {
        self.clusters
            .values()
            .filter(move |cluster| cluster.primaries().iter().any(|name| name.value == *primary))
    }

    /// Whether a primary serves remotes.
    pub fn serves_remotes(&self, primary: &ClusterName) -> bool {
        self.remotes_of(primary).next().is_some()
    }

    /// Whether clusters stand on more than one network.
    pub fn spans_networks(&self) -> bool {
        let mut networks = self.clusters.values().map(|cluster| &cluster.network.value);
        let first = networks.next();
        networks.any(|network| Some(network) != first)
    }

    /// Whether the proxies answer name look-ups.
    pub fn captures_dns(&self) -> bool {
        match self.mesh.dns.as_ref().map(|dns| dns.value) {
            Some(Dns::Capture) => true,
            Some(Dns::Off) => false,
            None => self.clusters.len() > 1,
        }
    }

    /// Whether remotes have to be told the trust domain of their services: they take another one otherwise.
    pub fn names_services_of_remotes(&self) -> bool {
        VersionRule::RemoteNamesItsServices.holds(self.version())
            && self.mesh.trust_domain != DEFAULT_TRUST_DOMAIN
    }

    /// How a primary's control plane is exposed.
    pub fn exposure(&self, primary: &Cluster) -> Expose {
        exposure(primary, || self.serves_remotes(&primary.name.value))
    }

    /// The east-west gateway of a cluster, if it gets one.
    ///
    /// With several networks every cluster does, so that adding a cluster moves
    /// nobody else's; with one network only primaries that are exposed through it,
    /// and clusters that ask for one.
    pub fn gateway_of(&self, cluster: &Cluster) -> Option<EffectiveGateway> {
        gateway(self, cluster, || self.spans_networks(), || self.exposure(cluster))
    }

    /// How a remote reaches its control plane: its own declared address, else its first primary's
    /// declared one, else what exposes that primary.
    pub fn entrance(&self, remote: &Cluster) -> Entrance {
        entrance(self, remote, |primary| self.exposure(primary), |primary| self.gateway_of(primary))
    }

    /// The waves of a disruptive change: those of the file, then every cluster that it does not name, one
    /// at a time, primaries first. So a name that was forgotten makes a change slower and never riskier.
    pub fn rollout(&self) -> Rollout {
        let named = self.rollout.as_ref().map_or(&[][..], |waves| waves.value.as_slice());
        let mut waves: Vec<BTreeSet<ClusterName>> =
            named.iter().map(|wave| wave.value.iter().map(|name| name.value.clone()).collect()).collect();
        let declared = waves.len();
        let mut rest: Vec<&Cluster> = self
            .clusters
            .values()
            .filter(|cluster| !waves.iter().any(|wave| wave.contains(&cluster.name.value)))
            .collect();
        rest.sort_by_key(|cluster| !cluster.is_primary());
        waves.extend(rest.into_iter().map(|cluster| BTreeSet::from([cluster.name.value.clone()])));
        Rollout { waves, declared }
    }

    /// The same answers for whoever asks them of many clusters.
    pub fn overview(&self) -> Overview<'_> {
        let serving =
            self.clusters.values().flat_map(|cluster| cluster.primaries()).map(|name| &name.value).collect();
        Overview { topology: self, spans_networks: self.spans_networks(), serving }
    }

    /// The primary that keeps a generated root.
    pub fn root_keeper(&self) -> Option<&ClusterName> {
        match self.root.as_ref().map(|root| &root.value) {
            Some(Root::Generate { keeper: Some(keeper) }) => Some(&keeper.value),
            Some(Root::Generate { keeper: None }) | None => {
                self.primaries().next().map(|primary| &primary.name.value)
            }
            Some(Root::Files { .. } | Root::Istiod) => None,
        }
    }
}

/// What hangs on all clusters together, gathered in one pass: each question then costs as much in a
/// mesh of thousands as in one of two.
#[derive(Debug, Clone)]
pub struct Overview<'t> {
    topology: &'t Topology,
    spans_networks: bool,
    serving: BTreeSet<&'t ClusterName>,
}

impl Overview<'_> {
    /// As [`Topology::spans_networks`].
    pub fn spans_networks(&self) -> bool {
        self.spans_networks
    }

    /// As [`Topology::serves_remotes`].
    pub fn serves_remotes(&self, primary: &ClusterName) -> bool {
        self.serving.contains(primary)
    }

    /// As [`Topology::exposure`].
    pub fn exposure(&self, primary: &Cluster) -> Expose {
        exposure(primary, || self.serves_remotes(&primary.name.value))
    }

    /// As [`Topology::gateway_of`].
    pub fn gateway_of(&self, cluster: &Cluster) -> Option<EffectiveGateway> {
        gateway(self.topology, cluster, || self.spans_networks, || self.exposure(cluster))
    }

    /// As [`Topology::entrance`].
    pub fn entrance(&self, remote: &Cluster) -> Entrance {
        entrance(self.topology, remote, |primary| self.exposure(primary), |primary| self.gateway_of(primary))
    }
}

fn exposure(primary: &Cluster, serves_remotes: impl FnOnce() -> bool) -> Expose {
    match &primary.control_plane.expose {
        Some(expose) => expose.value,
        None if serves_remotes() => Expose::EastWestGateway,
        None => Expose::None,
    }
}

fn gateway(
    topology: &Topology,
    cluster: &Cluster,
    spans_networks: impl FnOnce() -> bool,
    exposure: impl FnOnce() -> Expose,
) -> Option<EffectiveGateway> {
    let own = match cluster.east_west_gateway.as_ref().map(|choice| &choice.value) {
        Some(GatewayChoice::Off) => return None,
        Some(GatewayChoice::On(gateway)) => Some(gateway),
        None => None,
    };
    if own.is_none() && !spans_networks() && !(cluster.is_primary() && exposure() == Expose::EastWestGateway)
    {
        return None;
    }
    let network =
        topology.networks.get(&cluster.network.value).and_then(|network| network.east_west_gateway.as_ref());
    let settings = match (network.map(|gateway| &gateway.value), own) {
        (None, None) => Gateway::default(),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (Some(network), Some(own)) => merged(network, own),
    };
    Some(EffectiveGateway { settings })
}

fn entrance(
    topology: &Topology,
    remote: &Cluster,
    exposure: impl FnOnce(&Cluster) -> Expose,
    gateway_of: impl FnOnce(&Cluster) -> Option<EffectiveGateway>,
) -> Entrance {
    if let Some(address) = &remote.control_plane.address {
        return Entrance::Declared(address.value.clone());
    }
    let Some(primary) = remote.primaries().first().and_then(|name| topology.clusters.get(&name.value)) else {
        return Entrance::Missing;
    };
    if let Some(address) = &primary.control_plane.address {
        return Entrance::Declared(address.value.clone());
    }
    match exposure(primary) {
        Expose::EastWestGateway => match gateway_of(primary) {
            Some(gateway) => match gateway.settings.addresses.first() {
                Some(address) => Entrance::Declared(address.value.clone()),
                None => Entrance::GatewayOf(primary.name.value.clone()),
            },
            None => Entrance::Missing,
        },
        Expose::LoadBalancer => Entrance::LoadBalancerOf(primary.name.value.clone()),
        Expose::None => Entrance::Missing,
    }
}

/// Lays a cluster's gateway settings over its network's.
fn merged(network: &Gateway, own: &Gateway) -> Gateway {
    let mut settings = network.clone();
    settings.addresses.clone_from(&own.addresses);
    settings.ports.extend(own.ports.iter().map(|(port, at)| (*port, *at)));
    settings.service_type = own.service_type.or(network.service_type);
    settings.annotations.extend(own.annotations.iter().map(|(key, value)| (key.clone(), value.clone())));
    if !own.source_ranges.is_empty() {
        settings.source_ranges.clone_from(&own.source_ranges);
    }
    settings.replicas = own.replicas.or(network.replicas);
    settings
}

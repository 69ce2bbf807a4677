//! From a topology to its units and edges: which unit waits for which, and why.
//!
//! The order is that of `istioctl`'s walkthroughs and of Istio's own test
//! framework (`pkg/test/framework/components/istio/operator.go`, 1.30.3):
//! namespaces and roots, config clusters, primaries with their gateways, remotes,
//! secrets, remote gateways, services.

use std::collections::BTreeMap;
use std::fmt;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::{Unit, UnitKind};
use crate::diagnostic::{Code, Failure};
use crate::topology::{Cluster, ClusterName, Cni, Entrance, Expose, Root, Topology};

pub(super) static DEPENDENCY_CYCLE: Code = Code {
    name: "dependency-cycle",
    summary: "units wait for one another in a circle",
    page: "\
Every unit of the graph must be able to start once its predecessors are done. Here a chain of
predecessors leads back to where it began, so that none of them could ever start.

The finding names the circle unit by unit, with the reason of each edge. No combination of roles
and networks that `stolos validate` accepts should lead to one: this is a bug in Stolos. Please
report the topology.
",
};

/// Why one unit waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Objects live in the mesh namespace, which also carries network and controllers.
    LivesInNamespace,
    /// istiod reads `cacerts` when it starts; without it, it signs for itself.
    StartsWithCertificate,
    /// An intermediate is signed by the root that another cluster keeps.
    SignedByRoot,
    /// Kinds must be known before objects of them.
    NeedsKinds,
    /// The reader account's rights come with the control plane.
    NeedsRights,
    /// Pods are injected by the webhook.
    NeedsInjection,
    /// Injected pods begin once the node agent has redirected their traffic.
    NeedsRedirection,
    /// The address of the gateway goes into the remote's objects.
    NeedsAddress,
    /// The way in must be open before the first proxy uses it.
    NeedsExposure,
    /// It is this gateway that is configured.
    ConfiguresGateway,
    /// The token and authority go into the secret.
    NeedsCredential,
    /// istiod must run to read it.
    NeedsReader,
    /// The primary patches the remote's webhook only once it reads that cluster.
    NeedsRegistration,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LivesInNamespace => "its objects live in the mesh namespace",
            Self::StartsWithCertificate => "istiod reads cacerts when it starts",
            Self::SignedByRoot => "the intermediate is signed by the root kept there",
            Self::NeedsKinds => "its kinds are defined there",
            Self::NeedsRights => "the reader account gets its rights there",
            Self::NeedsInjection => "pods are injected by it",
            Self::NeedsRedirection => "injected pods begin only where it redirects their traffic",
            Self::NeedsAddress => "its address goes into the remote's objects",
            Self::NeedsExposure => "remotes reach istiod through it",
            Self::ConfiguresGateway => "it configures that gateway",
            Self::NeedsCredential => "its token and authority go into the secret",
            Self::NeedsReader => "istiod there reads it",
            Self::NeedsRegistration => "istiod serves the cluster once it is registered",
        })
    }
}

/// A unit that another waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// What must be done first.
    pub unit: Unit,
    /// Why.
    pub reason: Reason,
}

/// The graph of one topology.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Edges lead from what must be done first to what waits for it.
    pub(super) graph: DiGraph<Unit, Reason>,
    pub(super) index: BTreeMap<Unit, NodeIndex>,
    pub(super) stages: BTreeMap<Unit, usize>,
}

/// Why a topology has no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Units wait for one another.
    #[error("units wait for one another: {}", .path.iter().map(Unit::to_string).collect::<Vec<_>>().join(" -> "))]
    Cycle {
        /// The circle, its first unit repeated at the end.
        path: Vec<Unit>,
    },
}

impl GraphError {
    /// For a view.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Cycle { .. } => Failure::new(&DEPENDENCY_CYCLE, self.to_string())
                .with_help("this is a bug in Stolos: please report the topology"),
        }
    }
}

impl Graph {
    /// The graph of a validated topology.
    pub fn of(topology: &Topology) -> Result<Self, GraphError> {
        let mut builder = Builder { topology, graph: DiGraph::new(), index: BTreeMap::new() };
        for cluster in topology.clusters.values() {
            builder.add_units(cluster);
        }
        for cluster in topology.clusters.values() {
            builder.add_foundation_edges(cluster);
            builder.add_gateway_edges(cluster);
            builder.add_credential_edges(cluster);
        }
        Self::finish(builder.graph, builder.index)
    }

    /// The units in apply order: by stage, then cluster, then file number.
    pub fn units(&self) -> Vec<&Unit> {
        let mut units: Vec<_> = self.stages.iter().map(|(unit, stage)| (*stage, unit)).collect();
        units.sort();
        units.into_iter().map(|(_, unit)| unit).collect()
    }

    /// Whether the topology has this unit.
    pub fn contains(&self, unit: &Unit) -> bool {
        self.index.contains_key(unit)
    }

    /// The stage of a unit, from 1; units of one stage have no edge between them.
    pub fn stage(&self, unit: &Unit) -> Option<usize> {
        self.stages.get(unit).copied()
    }

    /// How many stages there are.
    pub fn stage_count(&self) -> usize {
        self.stages.values().copied().max().unwrap_or(0)
    }

    /// What a unit waits for, sorted.
    pub fn waits_for(&self, unit: &Unit) -> Vec<Edge> {
        self.neighbours(unit, Direction::Incoming)
    }

    /// What waits for a unit, sorted.
    pub fn unblocks(&self, unit: &Unit) -> Vec<Edge> {
        self.neighbours(unit, Direction::Outgoing)
    }

    fn neighbours(&self, unit: &Unit, direction: Direction) -> Vec<Edge> {
        let Some(node) = self.index.get(unit) else { return Vec::new() };
        let mut edges: Vec<_> = self
            .graph
            .edges_directed(*node, direction)
            .map(|edge| {
                let other = match direction {
                    Direction::Incoming => edge.source(),
                    Direction::Outgoing => edge.target(),
                };
                Edge { unit: self.graph[other].clone(), reason: *edge.weight() }
            })
            .collect();
        edges.sort();
        edges
    }
}

struct Builder<'t> {
    topology: &'t Topology,
    graph: DiGraph<Unit, Reason>,
    index: BTreeMap<Unit, NodeIndex>,
}

impl Builder<'_> {
    fn add_units(&mut self, cluster: &Cluster) {
        let topology = self.topology;
        let exposure = topology.exposure(cluster);
        let mut add = |kind: UnitKind| {
            let unit = Unit::new(&cluster.name.value, kind);
            let node = self.graph.add_node(unit.clone());
            self.index.insert(unit, node);
        };
        add(UnitKind::Namespace);
        add(UnitKind::Base);
        if topology.istio.cni.as_ref().is_some_and(|cni| cni.value == Cni::Enabled) {
            add(UnitKind::Cni);
        }
        add(UnitKind::ControlPlane);
        if cluster.is_primary() {
            if !matches!(topology.root.as_ref().map(|root| &root.value), Some(Root::Istiod)) {
                add(UnitKind::Trust);
            }
            if topology.serves_remotes(&cluster.name.value) && exposure != Expose::None
                || exposure == Expose::LoadBalancer
            {
                add(UnitKind::ExposeControlPlane);
            }
            if topology.spans_networks() {
                add(UnitKind::ExposeServices);
            }
            for other in topology.clusters.keys().filter(|name| **name != cluster.name.value) {
                add(UnitKind::RemoteSecret(other.clone()));
            }
        }
        if topology.gateway_of(cluster).is_some() {
            add(UnitKind::EastWestGateway);
        }
        if topology.primaries().any(|primary| primary.name.value != cluster.name.value) {
            add(UnitKind::ReaderCredential);
        }
        if topology.namespaces.values().any(|namespace| namespace.is_in(&cluster.name.value)) {
            add(UnitKind::AppNamespaces);
        }
    }

    /// Namespace, then trust and kinds, then the control plane.
    fn add_foundation_edges(&mut self, cluster: &Cluster) {
        let name = &cluster.name.value;
        let topology = self.topology;
        self.wait(name, UnitKind::Base, name, UnitKind::Namespace, Reason::LivesInNamespace);
        self.wait(name, UnitKind::Cni, name, UnitKind::Namespace, Reason::LivesInNamespace);
        self.wait(name, UnitKind::Trust, name, UnitKind::Namespace, Reason::LivesInNamespace);
        if let Some(keeper) = topology.root_keeper().filter(|keeper| *keeper != name) {
            self.wait(name, UnitKind::Trust, keeper, UnitKind::Trust, Reason::SignedByRoot);
        }
        self.wait(name, UnitKind::ControlPlane, name, UnitKind::Trust, Reason::StartsWithCertificate);
        self.wait(name, UnitKind::ControlPlane, name, UnitKind::Base, Reason::NeedsKinds);
        // From the moment at which istiod is told, it injects pods that begin nowhere else: also in a mesh that runs.
        self.wait(name, UnitKind::ControlPlane, name, UnitKind::Cni, Reason::NeedsRedirection);
        if !cluster.is_primary() {
            match topology.entrance(cluster) {
                Entrance::GatewayOf(primary) => {
                    self.wait(
                        name,
                        UnitKind::ControlPlane,
                        &primary,
                        UnitKind::EastWestGateway,
                        Reason::NeedsAddress,
                    );
                }
                Entrance::LoadBalancerOf(primary) => {
                    let exposed = UnitKind::ExposeControlPlane;
                    self.wait(name, UnitKind::ControlPlane, &primary, exposed, Reason::NeedsAddress);
                }
                Entrance::Declared(_) | Entrance::Missing => {}
            }
            for primary in cluster.primaries() {
                // A load balancer's address and its exposure are one unit: one edge is enough.
                if topology.entrance(cluster) != Entrance::LoadBalancerOf(primary.value.clone()) {
                    let exposed = UnitKind::ExposeControlPlane;
                    self.wait(name, UnitKind::ControlPlane, &primary.value, exposed, Reason::NeedsExposure);
                }
            }
        }
    }

    /// Whatever runs pods waits for the webhook that injects them.
    fn add_gateway_edges(&mut self, cluster: &Cluster) {
        let name = &cluster.name.value;
        for kind in [UnitKind::EastWestGateway, UnitKind::AppNamespaces] {
            self.wait(name, kind.clone(), name, UnitKind::ControlPlane, Reason::NeedsInjection);
            self.wait(name, kind.clone(), name, UnitKind::Cni, Reason::NeedsRedirection);
            for primary in cluster.primaries() {
                let secret = UnitKind::RemoteSecret(name.clone());
                self.wait(name, kind.clone(), &primary.value, secret, Reason::NeedsRegistration);
            }
        }
        self.wait(name, UnitKind::ExposeServices, name, UnitKind::ControlPlane, Reason::NeedsReader);
        self.wait(name, UnitKind::ExposeServices, name, UnitKind::EastWestGateway, Reason::ConfiguresGateway);
        self.wait(name, UnitKind::ExposeControlPlane, name, UnitKind::ControlPlane, Reason::NeedsReader);
        if self.topology.exposure(cluster) == Expose::EastWestGateway {
            let gateway = UnitKind::EastWestGateway;
            self.wait(name, UnitKind::ExposeControlPlane, name, gateway, Reason::ConfiguresGateway);
        }
    }

    /// Every primary reads every other cluster.
    fn add_credential_edges(&mut self, cluster: &Cluster) {
        let name = &cluster.name.value;
        // The account comes with `base`, its ClusterRole with `istiod`: base alone gives a token without power.
        self.wait(name, UnitKind::ReaderCredential, name, UnitKind::ControlPlane, Reason::NeedsRights);
        for primary in self.topology.primaries().filter(|primary| primary.name.value != *name) {
            let primary = &primary.name.value;
            let secret = UnitKind::RemoteSecret(name.clone());
            self.wait(primary, secret.clone(), name, UnitKind::ReaderCredential, Reason::NeedsCredential);
            self.wait(primary, secret, primary, UnitKind::ControlPlane, Reason::NeedsReader);
        }
    }

    /// Adds an edge where both units exist.
    fn wait(
        &mut self,
        cluster: &ClusterName,
        kind: UnitKind,
        on: &ClusterName,
        first: UnitKind,
        reason: Reason,
    ) {
        let waiting = self.index.get(&Unit::new(cluster, kind));
        let first = self.index.get(&Unit::new(on, first));
        if let (Some(waiting), Some(first)) = (waiting, first) {
            self.graph.add_edge(*first, *waiting, reason);
        }
    }
}

//! What each unit is made of: one file per kind of unit.

mod app_namespaces;
mod awaited;
mod control_plane;
mod credential;
mod exposure;
mod foundation;
mod gateway;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use super::desired::{Desired, DesiredCluster, DesiredUnit, Installer, MeshFacts, RootFacts};
use super::{CompileError, Content, Done, Renders};
use crate::chart::ChartSet;
use crate::graph::{Graph, Unit, UnitKind};
use crate::object::{Object, ObjectRef};
use crate::topology::{Charts, Cluster, Entrance, Root, Topology};

/// The annotation of istiod's pods that changes with the root of trust, so that they start anew with it.
pub const ROOT_DIGEST: &str = "checksum/cacerts-root";

/// The DaemonSet of Istio's node agent, whose name its chart fixes
/// (manifests/charts/istio-cni/templates/daemonset.yaml, 1.24 to 1.31).
pub const NODE_AGENT: &str = "istio-cni-node";

impl MeshFacts {
    /// Whether an object that an inventory names with this unit is one of a release that others install from now
    /// on: it stays whole, and is not ours any more.
    ///
    /// Of the objects of such units none is ours but the PeerAuthentication beside a control plane.
    pub fn hands_over(&self, unit: &UnitKind, object: &ObjectRef) -> bool {
        let is_of_release = match unit {
            UnitKind::Base | UnitKind::Cni | UnitKind::EastWestGateway => true,
            UnitKind::ControlPlane => object.kind != POLICY,
            UnitKind::Namespace
            | UnitKind::Trust
            | UnitKind::ExposeControlPlane
            | UnitKind::ExposeServices
            | UnitKind::ReaderCredential
            | UnitKind::RemoteSecret(_)
            | UnitKind::AppNamespaces => false,
        };
        self.installer == Installer::Others && is_of_release
    }
}

/// The kind by which a mesh is strict. No chart of Istio renders one.
const POLICY: &str = "PeerAuthentication";

/// Texts of the public files that the topology names (`apiServer.ca`), by the path that it names.
///
/// Key files are never among them.
pub type PublicFiles = BTreeMap<String, String>;

/// Compiles a validated topology on the charts that it names. Where it names none, since others install its
/// releases, those that are given are not rendered.
pub fn compile(
    topology: &Topology,
    graph: &Graph,
    files: &PublicFiles,
    charts: &ChartSet,
) -> Result<Desired, CompileError> {
    let context = Context { topology, files, charts, renders: Renders::default() };
    let units = graph
        .units()
        .into_iter()
        .map(|unit| {
            let (content, done) = context.unit(unit)?;
            let stage = graph.stage(unit).expect("the unit is the graph's own");
            Ok(DesiredUnit { unit: unit.clone(), stage, after: graph.waits_for(unit), content, done })
        })
        .collect::<Result<_, _>>()?;
    Ok(Desired {
        mesh: mesh_facts(topology, charts),
        clusters: clusters(topology),
        units,
        rollout: topology.rollout(),
    })
}

/// What every kind of unit is made from.
struct Context<'t> {
    topology: &'t Topology,
    files: &'t PublicFiles,
    charts: &'t ChartSet,
    renders: Renders,
}

impl Context<'_> {
    fn unit(&self, unit: &Unit) -> Result<(Content, Done), CompileError> {
        let cluster = &self.topology.clusters[&unit.cluster];
        Ok(match &unit.kind {
            UnitKind::Namespace => self.namespace(cluster),
            UnitKind::Trust => self.trust(cluster),
            UnitKind::Base => self.base(cluster),
            UnitKind::Cni => self.cni(cluster),
            UnitKind::ControlPlane if cluster.is_primary() => self.primary(cluster),
            UnitKind::ControlPlane => self.remote(cluster),
            UnitKind::EastWestGateway => self.gateway(cluster),
            UnitKind::ExposeControlPlane => self.exposed_control_plane(cluster),
            UnitKind::ExposeServices => self.exposed_services(cluster),
            UnitKind::ReaderCredential => self.reader_credential(),
            UnitKind::RemoteSecret(other) => {
                return self.remote_secret(unit, cluster, &self.topology.clusters[other]);
            }
            UnitKind::AppNamespaces => self.app_namespaces(cluster),
        })
    }

    /// Who installs the releases.
    fn installer(&self) -> Installer {
        installer(self.topology)
    }

    /// The mesh namespace.
    fn mesh_namespace(&self) -> &str {
        self.topology.mesh.namespace.as_str()
    }

    /// A reference to an object of the mesh namespace.
    fn in_mesh_namespace(&self, group: &str, kind: &str, name: &str) -> ObjectRef {
        ObjectRef {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(self.mesh_namespace().to_owned()),
            name: name.to_owned(),
        }
    }

    /// The Deployment of a primary's istiod.
    fn istiod(&self) -> ObjectRef {
        self.in_mesh_namespace("apps", "Deployment", "istiod")
    }

    /// The injecting webhook configuration; its name tells mesh namespaces apart
    /// (manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml, 1.30.3).
    fn webhook(&self) -> ObjectRef {
        let name = match self.mesh_namespace() {
            "istio-system" => "istio-sidecar-injector".to_owned(),
            other => format!("istio-sidecar-injector-{other}"),
        };
        ObjectRef {
            group: "admissionregistration.k8s.io".to_owned(),
            kind: "MutatingWebhookConfiguration".to_owned(),
            namespace: None,
            name,
        }
    }
}

/// An object of this crate's own making.
fn object(value: serde_json::Value) -> Object {
    Object::from_value(value).expect("it was written with apiVersion, kind and name")
}

/// Content without a release.
fn objects(objects: impl IntoIterator<Item = serde_json::Value>) -> Content {
    Content { release: None, objects: objects.into_iter().map(object).collect() }
}

fn installer(topology: &Topology) -> Installer {
    match topology.istio.charts.as_ref().map(|charts| &charts.value) {
        Some(Charts::External) => Installer::Others,
        Some(Charts::Embedded | Charts::Path(_) | Charts::Source(_)) | None => Installer::Stolos,
    }
}

/// The path at which a remote's webhook asks for its own cluster and network.
fn injection_path(cluster: &Cluster) -> String {
    format!("/inject/cluster/{}/net/{}", cluster.id(), cluster.network.value)
}

fn mesh_facts(topology: &Topology, charts: &ChartSet) -> MeshFacts {
    let networks: BTreeSet<_> = topology.clusters.values().map(|cluster| &cluster.network.value).collect();
    let root = match topology.root.as_ref().map(|root| &root.value) {
        Some(Root::Files { certificate, key }) => {
            RootFacts::Files { certificate: certificate.value.clone(), key: key.value.clone() }
        }
        Some(Root::Istiod) => RootFacts::Istiod,
        // Only the sandbox lets a topology go without a choice, and it generates.
        Some(Root::Generate { .. }) | None => RootFacts::Generated {
            keeper: topology.root_keeper().expect("a validated topology has a primary").clone(),
        },
    };
    MeshFacts {
        id: topology.mesh.id.value.clone(),
        namespace: topology.mesh.namespace.as_str().to_owned(),
        trust_domain: topology.mesh.trust_domain.as_str().to_owned(),
        version: topology.version(),
        installer: installer(topology),
        charts: match installer(topology) {
            Installer::Stolos => charts.label().to_owned(),
            Installer::Others => "releases of others".to_owned(),
        },
        networks: networks.len(),
        root,
    }
}

fn clusters(topology: &Topology) -> BTreeMap<crate::topology::ClusterName, DesiredCluster> {
    let facts = |cluster: &Cluster| DesiredCluster {
        id: cluster.id().to_owned(),
        context: cluster.context().to_owned(),
        network: cluster.network.value.clone(),
        primaries: (!cluster.is_primary())
            .then(|| cluster.primaries().iter().map(|primary| primary.value.clone()).collect()),
        gateway: topology.gateway_of(cluster).is_some(),
        timeouts: cluster.timeouts.clone(),
    };
    topology.clusters.iter().map(|(name, cluster)| (name.clone(), facts(cluster))).collect()
}

/// The text that stands where a remote's control plane address goes: a host, or a marker.
fn entrance_text(entrance: &Entrance) -> Option<String> {
    let address = |unit| super::Hole::Observed { unit, output: super::Output::Address }.marker();
    match entrance {
        Entrance::Declared(host) => Some(host.to_string()),
        Entrance::GatewayOf(primary) => Some(address(Unit::new(primary, UnitKind::EastWestGateway))),
        Entrance::LoadBalancerOf(primary) => Some(address(Unit::new(primary, UnitKind::ExposeControlPlane))),
        Entrance::Missing => None,
    }
}

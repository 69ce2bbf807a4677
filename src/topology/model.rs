//! The topology as types: what each key of the file becomes.
//!
//! Maps are sorted by name, so that the order of keys in a file decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{ChartSource, ClusterName, IstioVersion, NamespaceName, NetworkName, UnitName};
use crate::document::{Span, Spanned};

/// One whole topology.
///
/// References between entities are names here; `validate` says whether each
/// leads somewhere, and everything behind it relies on that.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    /// The mesh that the clusters join.
    pub mesh: Mesh,
    /// Which Istio, from which charts.
    pub istio: Istio,
    /// The root of trust; `None` where the file does not choose one.
    pub root: Option<Spanned<Root>>,
    /// Networks by name.
    pub networks: BTreeMap<NetworkName, Network>,
    /// Clusters by name, `defaults` already merged in.
    pub clusters: BTreeMap<ClusterName, Cluster>,
    /// Application namespaces by name.
    pub namespaces: BTreeMap<NamespaceName, Namespace>,
    /// `rollout`: the waves of a disruptive change as the file names them; `None` names none.
    pub rollout: Option<Spanned<Vec<NamedWave>>>,
}

/// One list of `rollout`.
pub type NamedWave = Spanned<Vec<Spanned<ClusterName>>>;

/// The mesh: `mesh`. Two are equal when they say the same, wherever they stand.
#[derive(Debug, Clone)]
pub struct Mesh {
    /// `mesh.id`.
    pub id: Spanned<String>,
    /// `mesh.trustDomain`, by default `cluster.local`.
    pub trust_domain: String,
    /// Where `trustDomain` is written, if it is.
    pub trust_domain_span: Option<Span>,
    /// `mesh.namespace`, by default `istio-system`.
    pub namespace: NamespaceName,
    /// Where `namespace` is written, if it is.
    pub namespace_span: Option<Span>,
    /// `mesh.mtls`.
    pub mtls: Mtls,
    /// `mesh.dns`; `None` is capture with several clusters, off with one.
    pub dns: Option<Spanned<Dns>>,
}

impl PartialEq for Mesh {
    fn eq(&self, other: &Self) -> bool {
        let Self { id, trust_domain, trust_domain_span: _, namespace, namespace_span: _, mtls, dns } = self;
        *id == other.id
            && *trust_domain == other.trust_domain
            && *namespace == other.namespace
            && *mtls == other.mtls
            && *dns == other.dns
    }
}

/// `mesh.mtls`: what a workload accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mtls {
    /// Both plain text and mutual TLS: Istio's own default.
    #[default]
    Permissive,
    /// Mutual TLS alone, by a PeerAuthentication in every primary's root namespace.
    Strict,
}

/// `mesh.dns`: who answers the workloads' name look-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dns {
    /// The proxy (`ISTIO_META_DNS_CAPTURE`), so that a Service that exists only in another cluster resolves.
    Capture,
    /// The cluster's own DNS alone.
    Off,
}

/// Which Istio: `istio`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Istio {
    /// `istio.version`; `None` is [`IstioVersion::NEWEST`].
    pub version: Option<Spanned<IstioVersion>>,
    /// `istio.charts`; `None` is embedded in the sandbox and an error on real clusters.
    pub charts: Option<Spanned<Charts>>,
    /// `istio.profile`; remotes have one of their own.
    pub profile: Option<Spanned<Profile>>,
    /// `istio.platform`.
    pub platform: Option<Spanned<Platform>>,
    /// `istio.cni`.
    pub cni: Option<Spanned<Cni>>,
    /// `istio.values`.
    pub values: ReleaseValues,
}

/// `istio.cni`: who redirects the traffic of pods, where that is no init container with rights of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cni {
    /// Istio's node agent, which every cluster gets.
    Enabled,
    /// One that somebody else installed: a platform, or another tool.
    External,
}

impl Cni {
    /// Each with its word in a file.
    pub const ALL: [(&'static str, Self); 2] = [("enabled", Self::Enabled), ("external", Self::External)];
}

/// `istio.profile`: values that Istio's own charts bring along (`files/profile-*.yaml`).
///
/// `remote` is not among them, since the role of a cluster says it, and neither is `ambient`: this is a mesh of
/// sidecars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Little of everything, and all that is traced.
    Demo,
    /// What comes next.
    Preview,
    /// Fields that are not stable are refused.
    Stable,
}

impl Profile {
    /// Each with its word in the charts.
    pub const ALL: [(&'static str, Self); 3] =
        [("demo", Self::Demo), ("preview", Self::Preview), ("stable", Self::Stable)];

    /// Its word in the charts.
    pub fn as_str(self) -> &'static str {
        word_of(&Self::ALL, self)
    }
}

/// `istio.platform`: what a distribution of Kubernetes needs otherwise (`files/profile-platform-*.yaml`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Google's.
    Gke,
    /// k3s in Docker.
    K3d,
    /// Rancher's small one.
    K3s,
    /// Canonical's small one.
    Microk8s,
    /// One for a single machine.
    Minikube,
    /// Red Hat's.
    Openshift,
}

impl Platform {
    /// Each with its word in the charts.
    pub const ALL: [(&'static str, Self); 6] = [
        ("gke", Self::Gke),
        ("k3d", Self::K3d),
        ("k3s", Self::K3s),
        ("microk8s", Self::Microk8s),
        ("minikube", Self::Minikube),
        ("openshift", Self::Openshift),
    ];

    /// Its word in the charts.
    pub fn as_str(self) -> &'static str {
        word_of(&Self::ALL, self)
    }
}

/// The word of a value that a table has.
fn word_of<T: PartialEq>(table: &[(&'static str, T)], wanted: T) -> &'static str {
    table.iter().find(|(_, value)| *value == wanted).map_or("", |(word, _)| word)
}

/// `istio.charts`: where the charts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charts {
    /// Those in the binary.
    Embedded,
    /// Istio's own, in a folder or in an archive.
    Path(Spanned<String>),
    /// Istio's own, loaded down from where they are published.
    Source(ChartSource),
    /// None: the releases belong to somebody else, who installs them with the values that Stolos prints.
    External,
}

/// A user's own values for the releases: `values: {base: …, istiod: …, cni: …, gateway: …}`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReleaseValues {
    /// Values by chart; a chart that is not named has none. Clusters that say nothing of their own
    /// share one.
    pub by_chart: BTreeMap<ChartName, Arc<UserValues>>,
}

/// The charts that a release can be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChartName {
    /// CRDs and the reader account.
    Base,
    /// The control plane, or a remote's share of it.
    Istiod,
    /// The node agent that redirects the traffic of pods.
    Cni,
    /// The east-west gateway.
    Gateway,
}

impl ChartName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Base, Self::Istiod, Self::Cni, Self::Gateway];

    /// The name in a file: `istiod`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Istiod => "istiod",
            Self::Cni => "cni",
            Self::Gateway => "gateway",
        }
    }
}

/// One chart's values as the user wrote them. Two are equal when they say the same, wherever they stand.
#[derive(Debug, Clone)]
pub struct UserValues {
    /// The values: maps merge, lists are replaced, `null` deletes.
    pub map: Map<String, Value>,
    /// The place of every value in them, by its path of keys (`global.network`), for findings.
    pub places: BTreeMap<Vec<String>, Span>,
}

impl PartialEq for UserValues {
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

/// `trust.root`: whom every certificate of the mesh goes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// Made at the first apply and kept in a primary.
    Generate {
        /// `{generate: {in: CLUSTER}}`: which primary keeps it; `None` is the first by name.
        keeper: Option<Spanned<ClusterName>>,
    },
    /// A certificate and its key in files, relative to the file that names them.
    Files {
        /// PEM certificate.
        certificate: Spanned<String>,
        /// PEM key, PKCS#8.
        key: Spanned<String>,
    },
    /// Each istiod signs for itself: one primary at most.
    Istiod,
}

/// A network: `networks.N`.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Its name, where it is declared.
    pub name: Spanned<NetworkName>,
    /// Defaults for its clusters' gateways; never holds addresses.
    pub east_west_gateway: Option<Spanned<Gateway>>,
}

/// A cluster: `clusters.X`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Its name, where it is declared.
    pub name: Spanned<ClusterName>,
    /// `network`.
    pub network: Spanned<NetworkName>,
    /// `role` and `primaries`.
    pub role: Spanned<Role>,
    /// `context`; `None` is the cluster's name.
    pub context: Option<Spanned<String>>,
    /// `id`; `None` is the cluster's name.
    pub id: Option<Spanned<String>>,
    /// `apiServer`: its API as the *other* clusters reach it.
    pub api_server: Option<Spanned<ApiServer>>,
    /// `pods`: the addresses of its pods.
    pub pods: Vec<Spanned<IpNet>>,
    /// `services`: the addresses of its Services.
    pub services: Vec<Spanned<IpNet>>,
    /// `controlPlane`.
    pub control_plane: ControlPlane,
    /// `eastWestGateway`; `None` is a gateway where the models need one.
    pub east_west_gateway: Option<Spanned<GatewayChoice>>,
    /// `timeouts`: how long a step may take, by its unit; those that are not named take `--timeout`.
    pub timeouts: BTreeMap<UnitName, Duration>,
    /// `values`, merged over `istio.values` and `defaults.values`: chart defaults < these.
    pub values: ReleaseValues,
}

/// `role`, with the primaries of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Hosts its own control plane.
    Primary,
    /// Uses the control planes of primaries.
    Remote {
        /// Whom it is served by, in the order of the file: the first gives the address. Never empty.
        primaries: Vec<Spanned<ClusterName>>,
    },
}

/// `apiServer`: how other clusters reach a cluster's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServer {
    /// `https://…`.
    pub url: Spanned<String>,
    /// PEM certificate authority, a file; `None` is the one of the reader's token.
    pub ca: Option<Spanned<String>>,
    /// The name in its certificate, where that is not the URL's host.
    pub server_name: Option<Spanned<String>>,
}

/// `controlPlane`: how remotes reach the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ControlPlane {
    /// `expose` (on a primary); `None` is the east-west gateway where it serves remotes.
    pub expose: Option<Spanned<Expose>>,
    /// `address`: on a primary what its remotes are to use, on a remote what it uses itself.
    pub address: Option<Spanned<Host>>,
}

/// `controlPlane.expose`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expose {
    /// Through the east-west gateway.
    EastWestGateway,
    /// Through a load balancer of its own.
    LoadBalancer,
    /// Not at all: somebody else does, and remotes name an address.
    None,
}

/// A host that others connect to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A DNS name.
    Name(String),
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// `eastWestGateway`: whether, and how.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayChoice {
    /// `false`.
    Off,
    /// A gateway, with these settings over the network's.
    On(Gateway),
}

/// Settings of an east-west gateway: `G`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gateway {
    /// `addresses` at which other networks reach it; empty is what its Service gets.
    pub addresses: Vec<Spanned<Host>>,
    /// `ports`: the gateway's port to the one it is reached at (a node port).
    pub ports: BTreeMap<u16, Spanned<u16>>,
    /// `service.type`; `None` is LoadBalancer.
    pub service_type: Option<Spanned<ServiceType>>,
    /// `service.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `service.sourceRanges`.
    pub source_ranges: Vec<Spanned<IpNet>>,
    /// `replicas`; `None` leaves it to the chart's autoscaling.
    pub replicas: Option<Spanned<u32>>,
}

/// `service.type` of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceType {
    /// Addressed by the cluster's load balancer.
    LoadBalancer,
    /// Reached at node ports; needs `addresses`.
    NodePort,
    /// Reached inside the cluster alone; needs `addresses`.
    ClusterIp,
}

impl ServiceType {
    /// Kubernetes' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoadBalancer => "LoadBalancer",
            Self::NodePort => "NodePort",
            Self::ClusterIp => "ClusterIP",
        }
    }
}

/// An application namespace: `namespaces.NS`.
#[derive(Debug, Clone, PartialEq)]
pub struct Namespace {
    /// Its name, where it is declared.
    pub name: Spanned<NamespaceName>,
    /// `injection`, by default enabled.
    pub injection: Injection,
    /// `clusters`; `None` is all.
    pub clusters: Option<Vec<Spanned<ClusterName>>>,
}

impl Namespace {
    /// Whether it stands in a cluster.
    pub fn is_in(&self, cluster: &ClusterName) -> bool {
        self.clusters.as_ref().is_none_or(|named| named.iter().any(|name| name.value == *cluster))
    }
}

/// `injection` of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Injection {
    /// Label `istio-injection: enabled`.
    #[default]
    Enabled,
    /// Label `istio-injection: disabled`.
    Disabled,
    /// No label of ours: somebody else decides.
    Manual,
}

impl Topology {
    /// The version of Istio that applies.
    pub fn version(&self) -> IstioVersion {
        self.istio.version.as_ref().map_or(IstioVersion::NEWEST, |version| version.value)
    }

    /// Whether the charts in the binary serve it: what only Istio's own know is of no use to it.
    pub fn is_on_embedded_charts(&self) -> bool {
        match self.istio.charts.as_ref().map(|charts| &charts.value) {
            Some(Charts::Embedded) | None => true,
            Some(Charts::Path(_) | Charts::Source(_) | Charts::External) => false,
        }
    }

    /// Every name in use for a cluster, for suggestions.
    pub fn cluster_names(&self) -> BTreeSet<&ClusterName> {
        self.clusters.keys().collect()
    }
}

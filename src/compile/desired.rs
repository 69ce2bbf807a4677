//! What should be live, as values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Awaited, Renders};
use crate::chart::{Capabilities, ChartSet};
use crate::graph::{Edge, Unit};
use crate::object::{Object, ObjectRef};
use crate::topology::{ChartName, ClusterName, IstioVersion, NetworkName, Rollout, UnitName};

/// All that a topology asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The mesh.
    pub mesh: MeshFacts,
    /// Each cluster.
    pub clusters: BTreeMap<ClusterName, DesiredCluster>,
    /// The units in apply order: by stage, then cluster, then file number.
    pub units: Vec<DesiredUnit>,
    /// The order in which clusters take a disruptive change.
    pub rollout: Rollout,
}

impl Desired {
    /// The unit of this name.
    pub fn unit(&self, unit: &Unit) -> Option<&DesiredUnit> {
        self.units.iter().find(|desired| desired.unit == *unit)
    }
}

/// What the stages behind `compile` need to know of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshFacts {
    /// Its ID.
    pub id: String,
    /// The mesh namespace.
    pub namespace: String,
    /// Its trust domain.
    pub trust_domain: String,
    /// Which Istio.
    pub version: IstioVersion,
    /// Who installs the base, the control planes and the gateways.
    pub installer: Installer,
    /// From which charts, in words: `embedded charts`.
    pub charts: String,
    /// How many networks clusters stand on.
    pub networks: usize,
    /// Whom certificates go back to.
    pub root: RootFacts,
}

/// Who installs the releases of a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installer {
    /// Stolos, object by object.
    Stolos,
    /// Somebody else, such as Argo CD, Flux or Helm. No object of a release is ever written: what is to be
    /// there is looked at.
    Others,
}

/// How the mesh's root of trust comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootFacts {
    /// Generated, kept by this primary.
    Generated {
        /// Where Secret `stolos-root` lives.
        keeper: ClusterName,
    },
    /// From files.
    Files {
        /// Path of the PEM certificate, as the topology names it.
        certificate: String,
        /// Path of the PEM key.
        key: String,
    },
    /// Each istiod's own.
    Istiod,
}

/// What the stages behind `compile` need to know of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredCluster {
    /// Its ID in the mesh.
    pub id: String,
    /// The kubeconfig context that reaches it.
    pub context: String,
    /// Its network.
    pub network: NetworkName,
    /// None for a primary; for a remote whom it is served by.
    pub primaries: Option<Vec<ClusterName>>,
    /// Whether it gets an east-west gateway.
    pub gateway: bool,
    /// How long a step of its units may take, where the topology says so.
    pub timeouts: BTreeMap<UnitName, Duration>,
}

/// A unit with what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredUnit {
    /// Which unit.
    pub unit: Unit,
    /// Its stage, from 1.
    pub stage: usize,
    /// What it waits for.
    pub after: Vec<Edge>,
    /// What it is made of.
    pub content: Content,
    /// When it is done.
    pub done: Done,
}

/// What a unit is made of: at most one release, and objects of ours.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Content {
    /// A chart with its values.
    pub release: Option<Release>,
    /// Objects that no chart renders. Holes stand in their texts as markers; Secrets hold `stringData`.
    pub objects: Vec<Object>,
}

/// A Helm release: chart, version, values.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// The chart.
    pub chart: ChartName,
    /// The charts that it is one of; never rendered where others install it.
    pub charts: ChartSet,
    /// The release's name: `istio-eastwestgateway`.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The values over the chart's defaults. Holes stand in their texts as markers.
    pub values: Arc<Map<String, Value>>,
    /// What its templates are told of the cluster.
    pub capabilities: Arc<Capabilities>,
    /// The renders that it shares with the other releases of its compilation.
    pub renders: Renders,
}

/// What makes a unit done. Names are of objects in the unit's own cluster unless said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Its objects exist.
    Exists,
    /// Its CustomResourceDefinitions are Established.
    Established,
    /// The newest form of a DaemonSet runs on all nodes that it is for, be they none.
    RolledOut {
        /// The DaemonSet.
        daemon_set: ObjectRef,
    },
    /// istiod is available and its webhook has a `caBundle`.
    ControlPlane {
        /// The Deployment.
        deployment: ObjectRef,
        /// The injecting webhook configuration.
        webhook: ObjectRef,
    },
    /// The gateway is available; where its address is observed, it has one.
    Gateway {
        /// The Deployment.
        deployment: ObjectRef,
        /// The Service that must have a load balancer's address; none where addresses are declared.
        address: Option<ObjectRef>,
    },
    /// Others have installed their release as the topology asks.
    Installed(Box<Awaited>),
    /// A Service has a load balancer's address.
    Address {
        /// The Service.
        service: ObjectRef,
    },
    /// The token Secret holds token and authority.
    Token {
        /// The Secret.
        secret: ObjectRef,
    },
    /// istiod uses the secret. `effects` is none where this primary does not serve
    /// that cluster: nothing shows there, and written is all that can be known.
    Registered {
        /// The cluster that the secret leads to.
        cluster: ClusterName,
        /// What istiod leaves in that cluster once it serves it.
        effects: Option<Box<Effects>>,
    },
}

impl Done {
    /// Whether it is about objects that others install, which do not carry our label.
    pub fn is_about_others(&self) -> bool {
        matches!(self, Self::Installed(_))
    }
}

/// What a serving primary leaves in its remote, and what it needs to do so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    /// The remote's webhook configuration, whose `caBundle` the primary fills.
    pub webhook: ObjectRef,
    /// The ConfigMap with the root, in the remote's mesh namespace.
    pub root: ObjectRef,
    /// The remote's mesh namespace, whose annotation must name the primary.
    pub namespace: ObjectRef,
    /// The primary's Deployment, whose `EXTERNAL_ISTIOD` must be `true`.
    pub deployment: ObjectRef,
    /// The remote secret in the primary.
    pub secret: ObjectRef,
    /// The primary's ID, as the annotation must name it.
    pub primary_id: String,
}

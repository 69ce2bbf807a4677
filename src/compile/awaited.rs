//! What the rest of a mesh leans on in a release that others install.
//!
//! Demands on live objects, as values: `compile` derives them from the topology, `plan` holds them against what
//! is live. Each names the chart's value that brings it about, so that whoever reads of a difference knows what
//! to change. They are few on purpose: how an owner runs its istiod otherwise is its own affair.

use serde_json::Value;

use crate::object::ObjectRef;
use crate::topology::IstioVersion;

/// A release that others are to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Its name: `istio-eastwestgateway`.
    pub release: String,
    /// Where `compile --values` writes its values: `cluster1/gateway.yaml`.
    pub values: String,
    /// What must be so before anything is built on it.
    pub demands: Vec<Demand>,
}

/// One thing that must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Of which object.
    pub object: ObjectRef,
    /// What.
    pub look: Look,
    /// The value of the chart that makes it so: `global.network`. None where it takes no value.
    pub key: Option<&'static str>,
}

/// What is looked at in an object, and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It is there.
    Exists,
    /// Its kind is served: it is a CustomResourceDefinition.
    Established,
    /// It is a Deployment, available in its newest form.
    Available,
    /// It is a DaemonSet that runs in its newest form on every node that it is for.
    RolledOut,
    /// Its chart is of this version, as far as its labels say.
    Version(IstioVersion),
    /// A value in it.
    Value {
        /// Where.
        at: Place,
        /// What stands there.
        wanted: Value,
    },
    /// Each of its webhooks has a `caBundle`.
    Trusted,
    /// Each of its webhooks asks at this path.
    Path(String),
    /// It leads to this address: it is the Endpoints or the EndpointSlice of a Service.
    LeadsTo(String),
    /// It is a Service with this port, and where one is named at this port of every node.
    Port {
        /// The Service's own.
        port: u16,
        /// That of the nodes.
        node_port: Option<u16>,
    },
    /// It is a Service with a load balancer's address.
    Addressed,
    /// Where it is there, it holds the root of trust that a Secret has: istiod writes it as it starts.
    RootOf {
        /// The Secret with istiod's certificate.
        secret: ObjectRef,
        /// The command that mends it.
        mend: String,
    },
}

/// Where a value stands in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At a path of fields.
    Field(&'static [&'static str]),
    /// In the environment of a container.
    Env(&'static str),
    /// In a YAML or JSON text under this key of `data`, at a path in it.
    Data(&'static str, &'static [&'static str]),
}

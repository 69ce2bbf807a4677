//! What is demanded of releases that others install: one list for each chart and role.
//!
//! Names and forms are those of Istio's own charts, 1.24.6 to 1.31.0-rc.0, which the embedded ones share; what
//! differs between versions is in the table of version rules.

use serde_json::Value;

use super::gateway::{GATEWAY, node_ports};
use super::{Context, entrance_text};
use crate::compile::awaited::{Awaited, Demand, Look, Place};
use crate::compile::{Done, Release, shell_word};
use crate::object::{ObjectRef, kinds};
use crate::topology::{Cluster, Expose, Gateway, Root, VersionRule};

/// The account that comes with chart `base`.
const READER: &str = "istio-reader-service-account";

/// The label by which Gateways select the pods of an east-west gateway.
const ISTIO_LABEL: &[&str] = &["spec", "template", "metadata", "labels", "istio"];

/// The label by which istiod takes a Service for a gateway of a network.
const NETWORK_LABEL: &[&str] = &["metadata", "labels", "topology.istio.io/network"];

/// A list of demands that grows.
#[derive(Default)]
struct Demands(Vec<Demand>);

impl Demands {
    /// Something that every installation of the chart comes with.
    fn look(&mut self, object: &ObjectRef, look: Look) {
        self.0.push(Demand { object: object.clone(), look, key: None });
    }

    /// Something that a value of the chart decides.
    fn by_value(&mut self, object: &ObjectRef, key: &'static str, look: Look) {
        self.0.push(Demand { object: object.clone(), look, key: Some(key) });
    }

    /// A value in an object that is that of a value of the chart.
    fn value(&mut self, object: &ObjectRef, at: Place, wanted: impl Into<Value>, key: &'static str) {
        self.by_value(object, key, Look::Value { at, wanted: wanted.into() });
    }

    fn of(self, cluster: &Cluster, release: &Release) -> Done {
        Done::Installed(Box::new(Awaited {
            release: release.name.clone(),
            values: release.values_file(&cluster.name.value),
            demands: self.0,
        }))
    }
}

impl Context<'_> {
    /// Istio's kinds, but those that the user's values leave out, and the account by which primaries read.
    pub(super) fn awaited_base(&self, cluster: &Cluster, release: &Release) -> Done {
        let version = self.topology.version();
        let mut demands = Demands::default();
        let left_out = release.values.get("base").and_then(|base| base.get("excludedCRDs")?.as_array());
        let is_left_out = |name: &str| left_out.into_iter().flatten().any(|left| left == name);
        let known = kinds::TABLE.iter().filter(|kind| kind.origin == kinds::Origin::Istio);
        for kind in known {
            let name = format!("{}.{}", kind.plural, kind.group);
            let is_new = kind.kind == "TrafficExtension";
            if is_left_out(&name) || is_new && !VersionRule::HasTrafficExtension.holds(version) {
                continue;
            }
            let definition = cluster_wide("apiextensions.k8s.io", "CustomResourceDefinition", name);
            demands.look(&definition, Look::Established);
        }
        let reader = self.in_mesh_namespace("", "ServiceAccount", READER);
        demands.look(&reader, Look::Version(version));
        demands.of(cluster, release)
    }

    /// The node agent, on every node.
    pub(super) fn awaited_cni(&self, cluster: &Cluster, release: &Release, agent: &ObjectRef) -> Done {
        let mut demands = Demands::default();
        demands.look(agent, Look::Version(self.topology.version()));
        demands.look(agent, Look::RolledOut);
        demands.of(cluster, release)
    }

    /// istiod with the mesh's identity, its configuration and its injector.
    pub(super) fn awaited_primary(&self, cluster: &Cluster, release: &Release) -> Done {
        let topology = self.topology;
        let mut demands = Demands::default();
        let istiod = self.istiod();
        demands.look(&istiod, Look::Version(topology.version()));
        demands.value(&istiod, Place::Env("CLUSTER_ID"), cluster.id(), "global.multiCluster.clusterName");
        if topology.serves_remotes(&cluster.name.value) {
            demands.value(&istiod, Place::Env("EXTERNAL_ISTIOD"), "true", "global.externalIstiod");
        }
        self.awaited_mesh_config(&mut demands);
        let injector = self.in_mesh_namespace("", "ConfigMap", "istio-sidecar-injector");
        let mut inject = |path: &'static [&'static str], wanted: &str, key: &'static str| {
            demands.value(&injector, Place::Data("values", path), wanted, key);
        };
        inject(&["global", "meshID"], &topology.mesh.id.value, "global.meshID");
        inject(&["global", "network"], cluster.network.value.as_str(), "global.network");
        inject(&["global", "multiCluster", "clusterName"], cluster.id(), "global.multiCluster.clusterName");
        self.awaited_reader(&mut demands);
        demands.look(&istiod, Look::Available);
        demands.look(&self.webhook(), Look::Trusted);
        if !matches!(topology.root.as_ref().map(|root| &root.value), Some(Root::Istiod)) {
            let namespace = self.mesh_namespace();
            let context = shell_word(cluster.context());
            demands.look(
                &self.in_mesh_namespace("", "ConfigMap", "istio-ca-root-cert"),
                Look::RootOf {
                    secret: self.in_mesh_namespace("", "Secret", "cacerts"),
                    mend: format!(
                        "kubectl --context {context} -n {namespace} rollout restart deployment/istiod"
                    ),
                },
            );
        }
        demands.of(cluster, release)
    }

    /// What stands in ConfigMap `istio`, as far as clusters must agree on it.
    fn awaited_mesh_config(&self, demands: &mut Demands) {
        let topology = self.topology;
        let config = self.in_mesh_namespace("", "ConfigMap", "istio");
        let mut mesh = |path: &'static [&'static str], wanted: &str, key: &'static str| {
            demands.value(&config, Place::Data("mesh", path), wanted, key);
        };
        mesh(&["trustDomain"], &topology.mesh.trust_domain, "meshConfig.trustDomain");
        mesh(&["defaultConfig", "meshId"], &topology.mesh.id.value, "global.meshID");
        if topology.captures_dns() {
            mesh(
                &["defaultConfig", "proxyMetadata", "ISTIO_META_DNS_CAPTURE"],
                "true",
                "meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE",
            );
        }
        let networks = self.declared_gateways();
        if !networks.is_empty() {
            demands.value(
                &config,
                Place::Data("meshNetworks", &["networks"]),
                networks,
                "global.meshNetworks",
            );
        }
    }

    /// A Service that leads to the primary, and a webhook that asks there for this cluster and network.
    pub(super) fn awaited_remote(&self, cluster: &Cluster, release: &Release) -> Done {
        let topology = self.topology;
        let version = topology.version();
        let mut demands = Demands::default();
        demands.look(&self.in_mesh_namespace("", "Service", "istiod"), Look::Exists);
        if let Some(address) = entrance_text(&topology.entrance(cluster)) {
            let leader = match VersionRule::RemoteWritesSlice.holds(version) {
                true => self.in_mesh_namespace("discovery.k8s.io", "EndpointSlice", "istiod"),
                false => self.in_mesh_namespace("", "Endpoints", "istiod"),
            };
            demands.by_value(&leader, "global.remotePilotAddress", Look::LeadsTo(address));
        }
        let webhook = self.webhook();
        demands.look(&webhook, Look::Version(version));
        demands.by_value(&webhook, "istiodRemote.injectionPath", Look::Path(super::injection_path(cluster)));
        if topology.names_services_of_remotes() {
            let config = self.in_mesh_namespace("", "ConfigMap", "istio");
            let domain = topology.mesh.trust_domain.as_str();
            demands.value(&config, Place::Data("mesh", &["trustDomain"]), domain, "meshConfig.trustDomain");
        }
        self.awaited_reader(&mut demands);
        demands.of(cluster, release)
    }

    /// The rights of the reader, without which no primary reads the cluster. They come with chart `istiod`.
    fn awaited_reader(&self, demands: &mut Demands) {
        let name = format!("istio-reader-clusterrole-{}", self.mesh_namespace());
        for kind in ["ClusterRole", "ClusterRoleBinding"] {
            demands.look(&cluster_wide("rbac.authorization.k8s.io", kind, name.clone()), Look::Exists);
        }
    }

    /// A gateway that is known as one of its network, with the ports that others reach it at.
    pub(super) fn awaited_gateway(&self, cluster: &Cluster, release: &Release, settings: &Gateway) -> Done {
        let mut demands = Demands::default();
        let deployment = self.in_mesh_namespace("apps", "Deployment", GATEWAY);
        let service = self.in_mesh_namespace("", "Service", GATEWAY);
        let network = cluster.network.value.as_str();
        let by_hand = node_ports(settings).is_some();
        let key = |by_hand_key| if by_hand { by_hand_key } else { "networkGateway" };
        demands.look(&deployment, Look::Version(self.topology.version()));
        demands.value(&deployment, Place::Field(ISTIO_LABEL), "eastwestgateway", "name");
        demands.value(
            &deployment,
            Place::Env("ISTIO_META_REQUESTED_NETWORK_VIEW"),
            network,
            key("env.ISTIO_META_REQUESTED_NETWORK_VIEW"),
        );
        demands.value(
            &service,
            Place::Field(NETWORK_LABEL),
            network,
            key(r"labels.topology\.istio\.io/network"),
        );
        let exposes = cluster.is_primary()
            && self.topology.serves_remotes(&cluster.name.value)
            && self.topology.exposure(cluster) == Expose::EastWestGateway;
        let ports: &[u16] = if exposes { &[15443, 15012, 15017] } else { &[15443] };
        for port in ports {
            let node_port = settings.ports.get(port).filter(|_| by_hand).map(|port| port.value);
            demands.by_value(&service, key("service.ports"), Look::Port { port: *port, node_port });
        }
        demands.look(&deployment, Look::Available);
        if settings.addresses.is_empty() {
            demands.look(&service, Look::Addressed);
        }
        demands.of(cluster, release)
    }
}

fn cluster_wide(group: &str, kind: &str, name: String) -> ObjectRef {
    ObjectRef { group: group.to_owned(), kind: kind.to_owned(), namespace: None, name }
}

//! The east-west gateway.

use serde_json::{Map, Value, json};

use super::Context;
use super::values::Computed;
use crate::compile::{Content, Done};
use crate::topology::{ChartName, Cluster, Gateway, ServiceType};

/// The release, the Deployment and the Service, as Istio's guides name them.
pub(super) const GATEWAY: &str = "istio-eastwestgateway";

/// The gateway's ports by the names of the official chart's `networkGatewayPorts`
/// (manifests/charts/gateway/values.yaml, 1.30.3).
const PORTS: [(&str, u16); 4] =
    [("status-port", 15021), ("tls", 15443), ("tls-istiod", 15012), ("tls-webhook", 15017)];

impl Context<'_> {
    /// The gateway of a cluster that has one.
    pub(super) fn gateway(&self, cluster: &Cluster) -> (Content, Done) {
        let settings = self.topology.gateway_of(cluster).map(|gateway| gateway.settings).unwrap_or_default();
        let mut computed = Computed::default();
        computed.set("name", GATEWAY);
        computed.set("networkGateway", cluster.network.value.as_str());
        if let Some(service_type) = settings.service_type {
            computed.set("service.type", service_type.as_str());
        }
        if !settings.annotations.is_empty() {
            let annotations: Map<String, Value> = settings
                .annotations
                .iter()
                .map(|(key, value)| (key.clone(), value.as_str().into()))
                .collect();
            computed.set("service.annotations", annotations);
        }
        if !settings.source_ranges.is_empty() {
            let ranges: Vec<Value> =
                settings.source_ranges.iter().map(|range| range.to_string().into()).collect();
            computed.set("service.loadBalancerSourceRanges", ranges);
        }
        if let Some(replicas) = settings.replicas {
            computed.set("replicaCount", replicas.value);
            computed.set("autoscaling.enabled", false);
        }
        for (port, node_port) in node_ports(&settings) {
            computed.set(&format!("networkGatewayPorts.{port}.nodePort"), node_port);
        }
        let release = self.release(cluster, ChartName::Gateway, GATEWAY, computed);
        let address = settings.addresses.is_empty().then(|| self.in_mesh_namespace("", "Service", GATEWAY));
        let deployment = self.in_mesh_namespace("apps", "Deployment", GATEWAY);
        (Content { release: Some(release), objects: Vec::new() }, Done::Gateway { deployment, address })
    }

    /// `cross-network-gateway`: lets other networks reach services by SNI, in every primary.
    pub(super) fn exposed_services(&self, cluster: &Cluster) -> (Content, Done) {
        let gateway = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": { "name": "cross-network-gateway", "namespace": self.mesh_namespace() },
            "spec": {
                "selector": { "istio": "eastwestgateway" },
                "servers": [{
                    "port": { "number": 15443, "name": "tls", "protocol": "TLS" },
                    "tls": { "mode": "AUTO_PASSTHROUGH" },
                    "hosts": [super::exposure::service_hosts(cluster)],
                }],
            },
        });
        (super::objects([gateway]), Done::Exists)
    }
}

/// The node ports to ask for: `ports` names them where the Service has node ports of its own,
/// else it only says where somebody else's load balancer listens.
fn node_ports(settings: &Gateway) -> Vec<(&'static str, u16)> {
    if settings.service_type.map(|service_type| service_type.value) != Some(ServiceType::NodePort) {
        return Vec::new();
    }
    PORTS
        .iter()
        .filter_map(|(name, port)| settings.ports.get(port).map(|node_port| (*name, node_port.value)))
        .collect()
}

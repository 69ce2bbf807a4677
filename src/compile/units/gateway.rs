//! The east-west gateway.

use serde_json::{Map, Value, json};

use super::Context;
use super::values::Computed;
use crate::compile::{Content, Done, Installer};
use crate::topology::{ChartName, Cluster, Gateway, ServiceType};

/// The release, the Deployment and the Service, as Istio's guides name them.
pub(super) const GATEWAY: &str = "istio-eastwestgateway";

/// The gateway's ports, named as the official chart names those of a network gateway
/// (manifests/charts/gateway/templates/service.yaml, 1.30.3).
const PORTS: [(&str, u16); 4] =
    [("status-port", 15021), ("tls", 15443), ("tls-istiod", 15012), ("tls-webhook", 15017)];

impl Context<'_> {
    /// The gateway of a cluster that has one.
    pub(super) fn gateway(&self, cluster: &Cluster) -> (Content, Done) {
        let settings = self.topology.gateway_of(cluster).map(|gateway| gateway.settings).unwrap_or_default();
        let mut computed = Computed::default();
        computed.set("name", GATEWAY);
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
        let network = cluster.network.value.as_str();
        match node_ports(&settings) {
            None => computed.set("networkGateway", network),
            Some(ports) => {
                // `networkGateway` brings ports of its own, without node ports in any version of the chart
                // (1.29 has no key for them, 1.30 drops it): the same by hand.
                computed.set("service.ports", ports);
                computed.set("labels", json!({ "topology.istio.io/network": network }));
                computed.set("env.ISTIO_META_REQUESTED_NETWORK_VIEW", network);
            }
        }
        let release = self.release(cluster, ChartName::Gateway, GATEWAY, computed);
        let done = match self.installer() {
            Installer::Stolos => Done::Gateway {
                deployment: self.in_mesh_namespace("apps", "Deployment", GATEWAY),
                address: settings
                    .addresses
                    .is_empty()
                    .then(|| self.in_mesh_namespace("", "Service", GATEWAY)),
            },
            Installer::Others => self.awaited_gateway(cluster, &release, &settings),
        };
        (Content { release: Some(release), objects: Vec::new() }, done)
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

/// The Service's ports with the node ports that `ports` names, where it is a Service with node ports
/// of its own. Else `ports` only says where somebody else's load balancer listens.
pub(super) fn node_ports(settings: &Gateway) -> Option<Vec<Value>> {
    let of_nodes =
        settings.service_type.map(|service_type| service_type.value) == Some(ServiceType::NodePort);
    if !of_nodes || settings.ports.is_empty() {
        return None;
    }
    let ports = PORTS.iter().map(|(name, port)| {
        let mut entry = json!({ "name": name, "port": port, "targetPort": port, "protocol": "TCP" });
        if let Some(node_port) = settings.ports.get(port) {
            entry["nodePort"] = node_port.value.into();
        }
        entry
    });
    Some(ports.collect())
}

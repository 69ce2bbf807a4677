//! How remotes reach a primary's istiod.

use serde_json::json;

use super::{Context, objects};
use crate::compile::{Content, Done};
use crate::topology::{ChartName, Cluster, Expose};

/// The Service before istiod where a load balancer of its own exposes it.
const LOAD_BALANCER: &str = "istiod-external";

impl Context<'_> {
    /// What opens istiod to remotes: passthrough at the east-west gateway (samples/multicluster/expose-istiod.yaml,
    /// 1.30.3), or a load balancer.
    pub(super) fn exposed_control_plane(&self, cluster: &Cluster) -> (Content, Done) {
        match self.topology.exposure(cluster) {
            Expose::LoadBalancer => self.behind_load_balancer(),
            Expose::EastWestGateway | Expose::None => self.behind_gateway(cluster),
        }
    }

    fn behind_gateway(&self, cluster: &Cluster) -> (Content, Done) {
        let namespace = self.mesh_namespace();
        let server = |number: u16, name: &str| {
            json!({
                "port": { "number": number, "name": name, "protocol": "TLS" },
                "tls": { "mode": "PASSTHROUGH" },
                "hosts": ["*"],
            })
        };
        let gateway = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": { "name": "istiod-gateway", "namespace": namespace },
            "spec": {
                "selector": { "istio": "eastwestgateway" },
                "servers": [server(15012, "tls-istiod"), server(15017, "tls-istiodwebhook")],
            },
        });
        let host = format!("istiod.{namespace}.svc.{}", cluster_domain(cluster));
        let route = |from: u16, to: u16| {
            json!({
                "match": [{ "port": from, "sniHosts": ["*"] }],
                "route": [{ "destination": { "host": host, "port": { "number": to } } }],
            })
        };
        let service = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": "istiod-vs", "namespace": namespace },
            "spec": {
                "hosts": ["*"],
                "gateways": ["istiod-gateway"],
                "tls": [route(15012, 15012), route(15017, 443)],
            },
        });
        (objects([gateway, service]), Done::Exists)
    }

    /// A Service of its own with the two ports at which remotes look for istiod, as Istio's
    /// tests expose it where there is no gateway.
    fn behind_load_balancer(&self) -> (Content, Done) {
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": LOAD_BALANCER,
                "namespace": self.mesh_namespace(),
                "labels": { "app": "istiod", "istio": "pilot" },
            },
            "spec": {
                "type": "LoadBalancer",
                "selector": { "app": "istiod", "istio": "pilot" },
                "ports": [
                    { "name": "tls-istiod", "port": 15012, "targetPort": 15012, "protocol": "TCP" },
                    { "name": "tls-webhook", "port": 15017, "targetPort": 15017, "protocol": "TCP" },
                ],
            },
        });
        (objects([service]), Done::Address { service: self.in_mesh_namespace("", "Service", LOAD_BALANCER) })
    }
}

/// The hosts of every service of a cluster: `*.local` for `cluster.local` and its like.
pub(super) fn service_hosts(cluster: &Cluster) -> String {
    match cluster_domain(cluster) {
        domain if domain.ends_with(".local") => "*.local".to_owned(),
        domain => format!("*.{domain}"),
    }
}

/// `global.proxy.clusterDomain` of the user's values, by default `cluster.local`.
fn cluster_domain(cluster: &Cluster) -> &str {
    let values = cluster.values.by_chart.get(&ChartName::Istiod);
    let domain =
        values.and_then(|values| values.map.get("global")?.get("proxy")?.get("clusterDomain")?.as_str());
    domain.unwrap_or("cluster.local")
}

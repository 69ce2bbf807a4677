//! A gateway that gets no address and is given none.

use super::*;
use crate::topology::ServiceType;

static CODE: Code = Code {
    name: "gateway-address-missing",
    summary: "this gateway gets no address by itself and none is declared",
    page: include_str!("../pages/gateway-address-missing.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let overview = topology.overview();
    for cluster in topology.clusters.values() {
        let Some(gateway) = overview.gateway_of(cluster) else { continue };
        let Some(service_type) = gateway.settings.service_type else { continue };
        let where_from = match service_type.value {
            ServiceType::LoadBalancer => continue,
            ServiceType::NodePort => "those of nodes that others can reach",
            ServiceType::ClusterIp => "those of whatever stands before it",
        };
        if gateway.settings.addresses.is_empty() {
            found.push(
                Diagnostic::error(
                    &CODE,
                    service_type.span,
                    format!("Kubernetes assigns no address to a {}", service_type.value.as_str()),
                )
                .with_label(cluster.name.span, "this cluster's gateway declares none")
                .with_help(format!(
                    "add `clusters.{}.eastWestGateway.addresses`, {where_from}.",
                    cluster.name.value
                )),
            );
        }
    }
}

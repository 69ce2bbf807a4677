//! Source ranges at a Service that heeds none.

use super::*;
use crate::topology::ServiceType;

static CODE: Code = Code {
    name: "source-ranges-ignored",
    summary: "source ranges restrict a load balancer only",
    page: include_str!("../pages/source-ranges-ignored.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let overview = topology.overview();
    for cluster in topology.clusters.values() {
        let Some(gateway) = overview.gateway_of(cluster) else { continue };
        let (Some(range), Some(service_type)) =
            (gateway.settings.source_ranges.first(), gateway.settings.service_type)
        else {
            continue;
        };
        match service_type.value {
            ServiceType::LoadBalancer => {}
            ServiceType::NodePort | ServiceType::ClusterIp => found.push(
                Diagnostic::warning(&CODE, range.span, "nothing heeds this")
                    .with_label(service_type.span, format!("a {}", service_type.value.as_str()))
                    .with_help("restrict the nodes' or the proxy's firewall instead, or use a LoadBalancer."),
            ),
        }
    }
}

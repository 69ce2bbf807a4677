//! A network that other networks cannot reach.

use super::*;
use crate::topology::GatewayChoice;

static CODE: Code = Code {
    name: "network-without-gateway",
    summary: "no cluster of this network has an east-west gateway",
    page: include_str!("../pages/network-without-gateway.md"),
};

/// How many of the refusals are pointed at.
const SHOWN: usize = 3;

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let overview = topology.overview();
    if !overview.spans_networks() {
        return;
    }
    for (name, clusters) in by_network(topology) {
        let Some(network) = topology.networks.get(name) else { continue };
        if clusters.iter().any(|cluster| overview.gateway_of(cluster).is_some()) {
            continue;
        }
        let mut finding =
            Diagnostic::error(&CODE, network.name.span, "the other networks have no way into this one");
        let refusals = clusters.iter().filter_map(|cluster| cluster.east_west_gateway.as_ref());
        let mut pointed_at = Vec::new();
        for refusal in refusals.filter(|choice| matches!(choice.value, GatewayChoice::Off)) {
            if pointed_at.len() < SHOWN && !pointed_at.contains(&refusal.span) {
                pointed_at.push(refusal.span);
                finding = finding.with_label(refusal.span, "turned off here");
            }
        }
        let names = listed(clusters.iter().map(|cluster| cluster.name.as_str()));
        found.push(finding.with_help(format!("leave one gateway of it on; its clusters: {names}.")));
    }
}

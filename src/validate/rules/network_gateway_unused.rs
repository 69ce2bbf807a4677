//! Settings for gateways of a network that has none.

use super::*;

static CODE: Code = Code {
    name: "network-gateway-unused",
    summary: "these settings are for gateways that do not exist",
    page: include_str!("../pages/network-gateway-unused.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let overview = topology.overview();
    // With several networks every cluster has one; a network without is network-without-gateway.
    if overview.spans_networks() {
        return;
    }
    for (name, clusters) in by_network(topology) {
        let settings = topology.networks.get(name).and_then(|network| network.east_west_gateway.as_ref());
        let Some(settings) = settings else { continue };
        if clusters.iter().all(|cluster| overview.gateway_of(cluster).is_none()) {
            found.push(
                Diagnostic::warning(&CODE, settings.span, "no cluster of this network has a gateway")
                    .with_help(
                        "remove them; with one network only a primary that serves remotes gets a gateway, \
                     or a cluster that asks for one with `eastWestGateway: {}`.",
                    ),
            );
        }
    }
}

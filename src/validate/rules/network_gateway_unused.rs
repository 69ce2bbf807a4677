//! Settings for gateways of a network that has none.

use super::*;

static CODE: Code = Code {
    name: "network-gateway-unused",
    summary: "these settings are for gateways that do not exist",
    page: include_str!("../pages/network-gateway-unused.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for network in topology.networks.values() {
        let Some(settings) = &network.east_west_gateway else { continue };
        let mut clusters = clusters_on(topology, &network.name.value).peekable();
        // A network without clusters is network-unused, one that needs a gateway network-without-gateway.
        if clusters.peek().is_none() || topology.spans_networks() {
            continue;
        }
        if clusters.all(|cluster| topology.gateway_of(cluster).is_none()) {
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

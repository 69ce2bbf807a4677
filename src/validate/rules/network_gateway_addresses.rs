//! Addresses of a gateway stand at a network, where no gateway is.

use super::*;

static CODE: Code = Code {
    name: "network-gateway-addresses",
    summary: "a network cannot give its gateways addresses",
    page: include_str!("../pages/network-gateway-addresses.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let clusters_of = by_network(topology);
    for network in topology.networks.values() {
        let address = network.east_west_gateway.as_ref().and_then(|gateway| gateway.addresses.first());
        if let Some(address) = address {
            let clusters = listed(
                clusters_of
                    .get(&network.name.value)
                    .into_iter()
                    .flatten()
                    .map(|cluster| cluster.name.as_str()),
            );
            found.push(
                Diagnostic::error(&CODE, address.span, "whose gateway has this address?").with_help(format!(
                    "move it to the `eastWestGateway` of the cluster that has it; clusters of this network: {clusters}."
                )),
            );
        }
    }
}

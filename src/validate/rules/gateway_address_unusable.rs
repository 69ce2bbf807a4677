//! A gateway's address at which no other cluster reaches it.

use super::*;
use crate::topology::Host;

static CODE: Code = Code {
    name: "gateway-address-unusable",
    summary: "no other cluster can reach a gateway at this address",
    page: include_str!("../pages/gateway-address-unusable.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for (gateway, level) in declared_gateways(topology) {
        // At a network no address stands at all: network-gateway-addresses.
        if level == Level::Network {
            continue;
        }
        for address in &gateway.addresses {
            let why = match &address.value {
                Host::Ip(ip) => grammar::unusable_address(*ip),
                Host::Name(_) if is_loopback(&address.value) => Some("this name leads back to whoever asks"),
                Host::Name(_) => None,
            };
            if let Some(why) = why {
                found.push(
                    Diagnostic::error(&CODE, address.span, why)
                        .with_help("write the address at which the other networks reach the gateway."),
                );
            }
        }
    }
}

//! A block of addresses is written with the address of a host.

use super::*;

static CODE: Code = Code {
    name: "cidr-host-bits",
    summary: "a block of addresses has bits set past its length",
    page: include_str!("../pages/cidr-host-bits.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let clusters = topology.clusters.values();
    let of_clusters = clusters.clone().flat_map(|cluster| cluster.pods.iter().chain(&cluster.services));
    let of_gateways = declared_gateways(topology).flat_map(|(gateway, _)| gateway.source_ranges.iter());
    for net in of_clusters.chain(of_gateways) {
        if net.value.addr() != net.value.network() {
            found.push(
                Diagnostic::error(
                    &CODE,
                    net.span,
                    format!("{} is one address in the block", net.value.addr()),
                )
                .with_help(format!("write `{}` if the whole block is meant.", net.value.trunc())),
            );
        }
    }
}

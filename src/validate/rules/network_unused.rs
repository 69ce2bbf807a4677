//! A network on which no cluster stands.

use super::*;

static CODE: Code = Code {
    name: "network-unused",
    summary: "no cluster stands on this network",
    page: include_str!("../pages/network-unused.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    // A mistyped name elsewhere is told of by network-unknown, and may well mean this one.
    if topology.clusters.values().any(|cluster| !topology.networks.contains_key(&cluster.network.value)) {
        return;
    }
    let used = by_network(topology);
    for network in topology.networks.values() {
        if !used.contains_key(&network.name.value) {
            found.push(
                Diagnostic::warning(&CODE, network.name.span, "declared here, and named by no cluster")
                    .with_help("remove it, or put a cluster on it."),
            );
        }
    }
}

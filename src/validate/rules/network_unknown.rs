//! A cluster stands on a network that is not declared.

use super::*;

static CODE: Code = Code {
    name: "network-unknown",
    summary: "cluster names a network that is not declared",
    page: include_str!("../pages/network-unknown.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for cluster in topology.clusters.values() {
        let name = &cluster.network;
        if topology.networks.contains_key(&name.value) {
            continue;
        }
        let declared = topology.networks.keys().map(|network| network.as_str());
        found.push(Diagnostic::error(&CODE, name.span, "no network is called this").with_help(suggestion(
            "Declared",
            found.len(),
            name.as_str(),
            declared,
        )));
    }
}

//! Clusters share a network, and it is not said which addresses their pods have.

use super::*;

static CODE: Code = Code {
    name: "flat-network-undeclared",
    summary: "clusters share a network without saying which addresses their pods have",
    page: include_str!("../pages/flat-network-undeclared.md"),
};

/// How many clusters are pointed at, of those without addresses.
const SHOWN: usize = 3;

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for (name, clusters) in by_network(topology) {
        let Some(network) = topology.networks.get(name) else { continue };
        let silent: Vec<_> = clusters.iter().filter(|cluster| cluster.pods.is_empty()).collect();
        if clusters.len() < 2 || silent.is_empty() {
            continue;
        }
        let mut finding =
            Diagnostic::warning(&CODE, network.name.span, format!("{} clusters stand on it", clusters.len()));
        for cluster in silent.iter().take(SHOWN) {
            finding = finding.with_label(cluster.name.span, "has no `pods`");
        }
        let names = listed(silent.iter().map(|cluster| cluster.name.as_str()));
        found.push(finding.with_help(format!(
            "add `pods: [CIDR]` to {names}, so that an overlap is found here and not by lost traffic; \
             or give a cluster whose pods cannot be reached directly a network of its own."
        )));
    }
}

//! A cluster's name is no DNS label.

use super::*;

static CODE: Code = Code {
    name: "cluster-name-malformed",
    summary: "the name of a cluster is no DNS label",
    page: include_str!("../pages/cluster-name-malformed.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for cluster in topology.clusters.values() {
        if let Some(fault) = grammar::dns_label_fault(cluster.name.as_str()) {
            let help = instead(grammar::as_dns_label(cluster.name.as_str()), DNS_LABEL);
            found.push(
                Diagnostic::error(&CODE, cluster.name.span, fault)
                    .with_help(format!("{help} What a kubeconfig calls it goes into `context`.")),
            );
        }
    }
}

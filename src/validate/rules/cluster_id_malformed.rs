//! A cluster's ID is no DNS label.

use super::*;

static CODE: Code = Code {
    name: "cluster-id-malformed",
    summary: "the ID of a cluster is no DNS label",
    page: include_str!("../pages/cluster-id-malformed.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    // An ID that is not written is the name, of which cluster-name-malformed tells.
    for id in topology.clusters.values().filter_map(|cluster| cluster.id.as_ref()) {
        let Some(fault) = grammar::dns_label_fault(&id.value) else { continue };
        // Istio's own default, on which cluster-id-reserved has its say.
        if id.value == ISTIO_DEFAULT_ID {
            continue;
        }
        found.push(
            Diagnostic::error(&CODE, id.span, fault)
                .with_help(instead(grammar::as_dns_label(&id.value), DNS_LABEL)),
        );
    }
}

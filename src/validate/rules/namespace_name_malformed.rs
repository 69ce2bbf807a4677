//! A namespace's name is no DNS label.

use super::*;

static CODE: Code = Code {
    name: "namespace-name-malformed",
    summary: "the name of a namespace is no DNS label",
    page: include_str!("../pages/namespace-name-malformed.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let applications =
        topology.namespaces.values().map(|namespace| (&namespace.name.value, namespace.name.span));
    let mesh = topology.mesh.namespace_span.map(|span| (&topology.mesh.namespace, span));
    for (name, span) in applications.chain(mesh) {
        if let Some(fault) = grammar::dns_label_fault(name.as_str()) {
            found.push(
                Diagnostic::error(&CODE, span, fault)
                    .with_help(instead(grammar::as_dns_label(name.as_str()), DNS_LABEL)),
            );
        }
    }
}

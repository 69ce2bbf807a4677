//! A namespace that stands in no cluster.

use super::*;

static CODE: Code = Code {
    name: "namespace-nowhere",
    summary: "a namespace stands in no cluster",
    page: include_str!("../pages/namespace-nowhere.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for namespace in topology.namespaces.values() {
        if namespace.clusters.as_ref().is_some_and(Vec::is_empty) {
            found.push(
                Diagnostic::warning(&CODE, namespace.name.span, "its list of clusters is empty")
                    .with_help("leave `clusters` out for all of them, or remove the namespace."),
            );
        }
    }
}

//! A remote is served by a cluster that is not declared.

use super::*;

static CODE: Code = Code {
    name: "primary-unknown",
    summary: "remote names a primary that is not declared",
    page: include_str!("../pages/primary-unknown.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for remote in topology.clusters.values() {
        for name in remote.primaries() {
            if topology.clusters.contains_key(&name.value) {
                continue;
            }
            let primaries = topology.primaries().map(|primary| primary.name.as_str());
            found.push(
                Diagnostic::error(&CODE, name.span, "no cluster is called this").with_help(suggestion(
                    "Primaries",
                    found.len(),
                    name.as_str(),
                    primaries,
                )),
            );
        }
    }
}

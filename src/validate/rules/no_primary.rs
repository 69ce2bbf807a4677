//! A mesh without a control plane.

use super::*;

static CODE: Code = Code {
    name: "no-primary",
    summary: "no cluster of the mesh is a primary",
    page: include_str!("../pages/no-primary.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    if topology.primaries().next().is_some() {
        return;
    }
    // The first role in the file is the line to change. A mesh of no cluster is the decoder's to tell of.
    let Some(first) = topology.clusters.values().min_by_key(|cluster| cluster.role.span) else { return };
    found.push(
        Diagnostic::error(&CODE, first.role.span, "every cluster is a remote like this one")
            .with_help("give the cluster that hosts istiod `role: primary`."),
    );
}

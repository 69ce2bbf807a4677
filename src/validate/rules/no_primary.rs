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
    // The first role in the file, where there is one: that is the line to change.
    let first = topology.clusters.values().min_by_key(|cluster| cluster.role.span);
    found.push(match first {
        Some(cluster) => {
            Diagnostic::error(&CODE, cluster.role.span, "every cluster is a remote like this one")
                .with_help("give the cluster that hosts istiod `role: primary`.")
        }
        None => Diagnostic::error(&CODE, topology.mesh.id.span, "this mesh has no cluster")
            .with_help("declare one: `clusters: { cluster1: { network: network1, role: primary } }`."),
    });
}

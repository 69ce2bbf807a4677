//! Two clusters have one ID.

use super::*;

static CODE: Code = Code {
    name: "cluster-id-duplicate",
    summary: "two clusters have the same ID",
    page: include_str!("../pages/cluster-id-duplicate.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let ids = topology
        .clusters
        .values()
        .map(|cluster| (cluster.id(), cluster.id.as_ref().map_or(cluster.name.span, |id| id.span)));
    for repeat in repeats(ids) {
        found.push(
            repeat
                .error(&CODE, "another cluster has this ID already")
                .with_help("give each cluster an `id` of its own; without one its name is its ID."),
        );
    }
}

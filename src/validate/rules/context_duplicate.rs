//! Two clusters are reached through one context.

use super::*;

static CODE: Code = Code {
    name: "context-duplicate",
    summary: "two clusters are reached through the same context",
    page: include_str!("../pages/context-duplicate.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let contexts = topology.clusters.values().map(|cluster| {
        (cluster.context(), cluster.context.as_ref().map_or(cluster.name.span, |context| context.span))
    });
    for repeat in repeats(contexts) {
        found.push(
            repeat.error(&CODE, "another cluster has this context already").with_help(
                "give each cluster the `context` of its own; without one it is the cluster's name.",
            ),
        );
    }
}

//! One list names a cluster twice.

use super::*;
use crate::document::Spanned;
use crate::topology::ClusterName;

static CODE: Code = Code {
    name: "cluster-listed-twice",
    summary: "a list names one cluster twice",
    page: include_str!("../pages/cluster-listed-twice.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let of_sets = "name it once; the first primary of a list is the one whose address is used.";
    for cluster in topology.clusters.values() {
        check_list(cluster.primaries(), of_sets, found);
    }
    for namespace in topology.namespaces.values() {
        check_list(namespace.clusters.as_deref().unwrap_or_default(), of_sets, found);
    }
    let of_waves = "name it in one wave: a cluster takes a change once.";
    check_list(rollout_names(topology), of_waves, found);
}

fn check_list<'a>(
    names: impl IntoIterator<Item = &'a Spanned<ClusterName>>,
    help: &str,
    found: &mut Vec<Diagnostic>,
) {
    let entries = names.into_iter().map(|name| (name.as_str(), name.span));
    for repeat in repeats(entries) {
        found.push(
            Diagnostic::error(&CODE, repeat.again, "named again")
                .with_label(repeat.first, "named here first")
                .with_help(help),
        );
    }
}

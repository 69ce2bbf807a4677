//! A namespace, the root of trust or a wave of `rollout` names a cluster that is not declared.

use super::*;

static CODE: Code = Code {
    name: "cluster-unknown",
    summary: "a cluster is named that is not declared",
    page: include_str!("../pages/cluster-unknown.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let named = topology.namespaces.values().filter_map(|namespace| namespace.clusters.as_ref()).flatten();
    for name in named.chain(root_keeper(topology)).chain(rollout_names(topology)) {
        if !topology.clusters.contains_key(&name.value) {
            let declared = topology.clusters.keys().map(|cluster| cluster.as_str());
            found.push(
                Diagnostic::error(&CODE, name.span, "no cluster is called this").with_help(suggestion(
                    "Declared",
                    found.len(),
                    name.as_str(),
                    declared,
                )),
            );
        }
    }
}

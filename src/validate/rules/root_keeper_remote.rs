//! The generated root is to be kept in a remote.

use super::*;

static CODE: Code = Code {
    name: "root-keeper-remote",
    summary: "the root of trust is to be kept in a cluster that is no primary",
    page: include_str!("../pages/root-keeper-remote.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let Some(name) = root_keeper(topology) else { return };
    let Some(keeper) = topology.clusters.get(&name.value) else { return };
    if keeper.is_primary() || topology.primaries().next().is_none() {
        return;
    }
    let primaries = listed(topology.primaries().map(|primary| primary.name.as_str()));
    found.push(
        Diagnostic::error(&CODE, name.span, "only a primary keeps a root")
            .with_label(keeper.role.span, format!("{} is a remote", name.value))
            .with_help(format!(
                "name a primary ({primaries}), or leave `in` out: the first by name keeps it."
            )),
    );
}

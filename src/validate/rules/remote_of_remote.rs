//! A remote is served by a cluster that hosts no control plane.

use super::*;

static CODE: Code = Code {
    name: "remote-of-remote",
    summary: "remote is served by a cluster that is no primary",
    page: include_str!("../pages/remote-of-remote.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    // With no primary at all every remote is one of these; no-primary says it once.
    if topology.primaries().next().is_none() {
        return;
    }
    let primaries = listed(topology.primaries().map(|primary| primary.name.as_str()));
    for remote in topology.clusters.values() {
        for name in remote.primaries() {
            let Some(server) = topology.clusters.get(&name.value) else { continue };
            if server.is_primary() {
                continue;
            }
            let finding = if server.name == remote.name {
                Diagnostic::error(&CODE, name.span, "a remote cannot serve itself")
            } else {
                Diagnostic::error(&CODE, name.span, format!("{} hosts no control plane", name.value))
                    .with_label(server.role.span, format!("{} is a remote itself", name.value))
            };
            found.push(
                finding.with_help(format!("name a primary ({primaries}), or make this one a primary.")),
            );
        }
    }
}

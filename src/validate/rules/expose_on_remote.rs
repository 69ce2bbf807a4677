//! A remote is to expose a control plane that it does not have.

use super::*;

static CODE: Code = Code {
    name: "expose-on-remote",
    summary: "a remote has no control plane to expose",
    page: include_str!("../pages/expose-on-remote.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    // What primaries take from `defaults` is meant for them, and remotes take it along.
    let of_primaries: BTreeSet<Span> = topology
        .primaries()
        .filter_map(|primary| primary.control_plane.expose.map(|expose| expose.span))
        .collect();
    for remote in topology.clusters.values().filter(|cluster| !cluster.is_primary()) {
        let Some(expose) = remote.control_plane.expose else { continue };
        if of_primaries.contains(&expose.span) {
            continue;
        }
        found.push(
            Diagnostic::error(&CODE, expose.span, "exposes nothing")
                .with_label(remote.role.span, format!("{} is a remote", remote.name.value))
                .with_help(format!(
                    "write it at the primary ({}); a remote may have `controlPlane.address`.",
                    listed(remote.primaries().iter().map(|name| name.as_str()))
                )),
        );
    }
}

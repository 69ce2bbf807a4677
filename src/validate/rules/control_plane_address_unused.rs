//! An address of a control plane that nobody asks for.

use super::*;

static CODE: Code = Code {
    name: "control-plane-address-unused",
    summary: "no remote uses this address",
    page: include_str!("../pages/control-plane-address-unused.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    // A mistyped primary is told of by primary-unknown, and may well mean this one.
    let mistyped = topology
        .clusters
        .values()
        .flat_map(|cluster| cluster.primaries())
        .any(|name| !topology.clusters.contains_key(&name.value));
    if mistyped {
        return;
    }
    let overview = topology.overview();
    let used: BTreeSet<Span> = control_plane_addresses(topology).map(|address| address.span).collect();
    for primary in topology.primaries() {
        let Some(address) = &primary.control_plane.address else { continue };
        if used.contains(&address.span) {
            continue;
        }
        let name = &primary.name.value;
        let why = if overview.serves_remotes(name) {
            "its remotes have addresses of their own, or name another primary first"
        } else {
            "this primary serves no remotes"
        };
        found.push(
            Diagnostic::warning(&CODE, address.span, why)
                .with_help(format!("remove it, or put {name} first among the `primaries` of a remote.")),
        );
    }
}

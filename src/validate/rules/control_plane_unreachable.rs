//! A remote that has no way to its control plane.

use super::*;
use crate::topology::{Entrance, Expose};

static CODE: Code = Code {
    name: "control-plane-unreachable",
    summary: "remote has no way to reach its control plane",
    page: include_str!("../pages/control-plane-unreachable.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let overview = topology.overview();
    for remote in topology.clusters.values() {
        // Unknown primaries, remotes among them and gateways turned off have codes of their own.
        let Some(primary) = first_primary(topology, remote) else { continue };
        if overview.exposure(primary) != Expose::None || overview.entrance(remote) != Entrance::Missing {
            continue;
        }
        let finding = Diagnostic::error(&CODE, remote.name.span, "no `controlPlane.address` here");
        let finding = match &primary.control_plane.expose {
            Some(expose) => {
                finding.with_label(expose.span, format!("{} does not expose its own", primary.name.value))
            }
            None => finding,
        };
        found.push(finding.with_help(format!(
            "add `controlPlane: {{ address: ADDRESS }}` to {} (or to this remote alone), or expose it with \
             `expose: eastWestGateway` or `expose: loadBalancer`.",
            primary.name.value
        )));
    }
}

//! A control plane is to be exposed through a gateway that is turned off.

use super::*;
use crate::topology::Expose;

static CODE: Code = Code {
    name: "expose-without-gateway",
    summary: "the control plane is exposed through a gateway that is turned off",
    page: include_str!("../pages/expose-without-gateway.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let overview = topology.overview();
    let mut remotes: BTreeMap<&ClusterName, &Cluster> = BTreeMap::new();
    for remote in topology.clusters.values() {
        for name in remote.primaries() {
            remotes.entry(&name.value).or_insert(remote);
        }
    }
    for primary in topology.primaries() {
        let Some(off) = turned_off(primary) else { continue };
        if overview.exposure(primary) != Expose::EastWestGateway {
            continue;
        }
        let finding = Diagnostic::error(&CODE, off, "the gateway is turned off");
        let finding = match &primary.control_plane.expose {
            Some(expose) => finding.with_label(expose.span, "and is to expose the control plane"),
            None => match remotes.get(&primary.name.value) {
                Some(remote) => finding.with_label(remote.role.span, "this remote has to get through it"),
                None => finding,
            },
        };
        found.push(finding.with_help(
            "leave the gateway on, or write `controlPlane: { expose: loadBalancer }`, \
             or `{ expose: none, address: ADDRESS }` if something else exposes it.",
        ));
    }
}

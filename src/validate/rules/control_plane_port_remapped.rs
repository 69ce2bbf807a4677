//! A gateway that exposes a control plane is reached at other ports than istiod's.

use super::*;

static CODE: Code = Code {
    name: "control-plane-port-remapped",
    summary: "remotes cannot reach a control plane at another port",
    page: include_str!("../pages/control-plane-port-remapped.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let overview = topology.overview();
    let mut told = BTreeSet::new();
    for remote in topology.clusters.values() {
        let Some(primary) = first_primary(topology, remote) else { continue };
        // Whoever writes an address down may have something there that forwards the right ports.
        let is_declared = remote.control_plane.address.is_some() || primary.control_plane.address.is_some();
        if is_declared
            || overview.exposure(primary) != Expose::EastWestGateway
            || !told.insert(&primary.name.value)
        {
            continue;
        }
        let Some(gateway) = overview.gateway_of(primary) else { continue };
        let remapped: Vec<_> = CONTROL_PLANE_PORTS
            .iter()
            .filter_map(|port| {
                Some((*port, gateway.settings.ports.get(port).filter(|at| at.value != *port)?))
            })
            .collect();
        let Some(((port, at), others)) = remapped.split_first() else { continue };
        let mut finding = Diagnostic::error(&CODE, at.span, format!("in place of {port}"))
            .with_label(remote.name.span, "this remote asks at istiod's own ports");
        for (port, at) in others {
            finding = finding.with_label(at.span, format!("in place of {port}"));
        }
        found.push(finding.with_help(format!(
            "expose 15012 and 15017 as they are, or set `clusters.{}.controlPlane.address` to something that \
             forwards them.",
            primary.name.value
        )));
    }
}

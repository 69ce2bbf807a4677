//! An IPv6 address of a control plane, on an Istio that makes a name of it.

use super::*;
use crate::topology::{Host, IstioVersion, VersionRule};

static CODE: Code = Code {
    name: "control-plane-address-ipv6",
    summary: "remotes of this Istio cannot reach a control plane over IPv6",
    page: include_str!("../pages/control-plane-address-ipv6.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    if VersionRule::RemoteTakesIpv6.holds(topology.version()) {
        return;
    }
    for address in control_plane_addresses(topology) {
        match &address.value {
            Host::Ip(ip) if ip.is_ipv6() => {
                let finding = Diagnostic::error(&CODE, address.span, "an IPv6 address");
                let finding = match &topology.istio.version {
                    Some(version) => finding.with_label(version.span, "needs 1.30 or newer"),
                    None => finding,
                };
                found.push(finding.with_help(format!(
                    "write an IPv4 address, or `istio: {{ version: {} }}`.",
                    IstioVersion::NEWEST
                )));
            }
            Host::Ip(_) | Host::Name(_) => {}
        }
    }
}

//! A remote is to reach its control plane by a name, which webhooks cannot.

use super::*;
use crate::topology::Host;

/// Raised for a declared address here, and by `plan` for one that a load balancer was given.
pub static CODE: Code = Code {
    name: "control-plane-address-hostname",
    summary: "remotes need the address of their control plane as an IP",
    page: include_str!("../pages/control-plane-address-hostname.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for address in control_plane_addresses(topology) {
        match &address.value {
            Host::Ip(_) => {}
            // control-plane-address-unusable knows these names.
            Host::Name(_) if is_loopback(&address.value) => {}
            Host::Name(_) => found.push(
                Diagnostic::error(
                    &CODE,
                    address.span,
                    "a name; the remote's API server cannot send webhooks to it",
                )
                .with_help("write an IP address that stays, such as a reserved one of the load balancer."),
            ),
        }
    }
}

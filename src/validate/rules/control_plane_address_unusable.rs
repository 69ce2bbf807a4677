//! A control plane's address that Kubernetes takes for no endpoint.

use super::*;
use crate::topology::Host;

static CODE: Code = Code {
    name: "control-plane-address-unusable",
    summary: "no remote can reach a control plane at this address",
    page: include_str!("../pages/control-plane-address-unusable.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for address in topology.clusters.values().filter_map(|cluster| cluster.control_plane.address.as_ref()) {
        let why = match &address.value {
            Host::Ip(ip) => grammar::unusable_address(*ip),
            Host::Name(_) if is_loopback(&address.value) => Some("this name leads back to whoever asks"),
            Host::Name(_) => None,
        };
        if let Some(why) = why {
            found.push(
                Diagnostic::error(&CODE, address.span, why).with_help(
                    "write the address at which the remotes reach istiod's ports 15012 and 15017.",
                ),
            );
        }
    }
}

//! Proxies leave look-ups to clusters that know only their own Services.

use super::*;
use crate::topology::Dns;

static CODE: Code = Code {
    name: "dns-capture-off",
    summary: "Services of other clusters will not resolve everywhere",
    page: include_str!("../pages/dns-capture-off.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let Some(dns) = &topology.mesh.dns else { return };
    match dns.value {
        Dns::Off if topology.clusters.len() > 1 => found.push(
            Diagnostic::warning(&CODE, dns.span, "a cluster's own DNS knows its own Services alone")
                .with_help("write `dns: capture`, or keep a Service of the same name in every cluster that calls it."),
        ),
        Dns::Off | Dns::Capture => {}
    }
}

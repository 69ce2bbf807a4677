//! A remote that others install, whose way to its control plane nobody can write down yet.

use super::*;
use crate::topology::Charts;

static CODE: Code = Code {
    name: "external-address-undeclared",
    summary: "the address of a control plane is not declared, and others need it to install",
    page: include_str!("../pages/external-address-undeclared.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let Some(charts) = topology.istio.charts.as_ref().filter(|charts| charts.value == Charts::External)
    else {
        return;
    };
    let overview = topology.overview();
    for remote in topology.clusters.values().filter(|cluster| !cluster.is_primary()) {
        let (primary, what) = match overview.entrance(remote) {
            Entrance::GatewayOf(primary) => (primary, "its east-west gateway"),
            Entrance::LoadBalancerOf(primary) => (primary, "the load balancer before its istiod"),
            // A remote without any way has a code of its own.
            Entrance::Declared(_) | Entrance::Missing => continue,
        };
        let label = format!("its values need the address of {primary}, which {what} has only once it runs");
        found.push(
            Diagnostic::error(&CODE, remote.name.span, label)
                .with_label(charts.span, "others install it with values from a file")
                .with_help(format!(
                    "reserve an address, and write it as `controlPlane: {{ address: ADDRESS }}` in {primary} (or \
                     in this remote alone)."
                )),
        );
    }
}

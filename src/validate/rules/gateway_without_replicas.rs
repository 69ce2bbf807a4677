//! A gateway of no pods.

use super::*;

static CODE: Code = Code {
    name: "gateway-without-replicas",
    summary: "a gateway of no replicas lets nothing through",
    page: include_str!("../pages/gateway-without-replicas.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for (gateway, level) in declared_gateways(topology) {
        let Some(replicas) = gateway.replicas.filter(|replicas| replicas.value == 0) else { continue };
        let help = match level {
            Level::Cluster => "write `eastWestGateway: false` to have none, or a number from 1 on.",
            Level::Network => {
                "write a number from 1 on; a cluster turns its gateway off by `eastWestGateway: false`."
            }
        };
        found.push(Diagnostic::error(&CODE, replicas.span, "no pod would serve it").with_help(help));
    }
}

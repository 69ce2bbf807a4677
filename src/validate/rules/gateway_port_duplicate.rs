//! Two ports of a gateway are reached at one.

use super::*;

static CODE: Code = Code {
    name: "gateway-port-duplicate",
    summary: "two ports of a gateway are reached at the same one",
    page: include_str!("../pages/gateway-port-duplicate.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for (gateway, _) in declared_gateways(topology) {
        for repeat in repeats(gateway.ports.values().map(|at| (at.value, at.span))) {
            found.push(
                Diagnostic::error(&CODE, repeat.again, "taken already")
                    .with_label(repeat.first, "taken here")
                    .with_help("give each port of the gateway a port of its own."),
            );
        }
    }
}

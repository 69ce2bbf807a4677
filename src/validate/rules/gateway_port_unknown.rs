//! A port that an east-west gateway does not have.

use super::*;

static CODE: Code = Code {
    name: "gateway-port-unknown",
    summary: "an east-west gateway has no such port",
    page: include_str!("../pages/gateway-port-unknown.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for (gateway, _) in declared_gateways(topology) {
        for (port, at) in &gateway.ports {
            if !GATEWAY_PORTS.contains(port) {
                found.push(
                    Diagnostic::error(&CODE, at.span, format!("for {port}, which is no port of it"))
                        .with_help(
                            "its ports: 15443 (traffic), 15012 and 15017 (control plane), 15021 (health).",
                        ),
                );
            }
        }
    }
}

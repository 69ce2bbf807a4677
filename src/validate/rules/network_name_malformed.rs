//! A network's name is no value of a label.

use super::*;

static CODE: Code = Code {
    name: "network-name-malformed",
    summary: "the name of a network is no label value",
    page: include_str!("../pages/network-name-malformed.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for network in topology.networks.values() {
        if let Some(fault) = grammar::label_value_fault(network.name.as_str()) {
            found.push(Diagnostic::error(&CODE, network.name.span, fault).with_help(instead(
                grammar::as_label_value(network.name.as_str()),
                "letters, digits, `-`, `_` and `.`, at most 63, with a letter or a digit at both ends",
            )));
        }
    }
}

//! The file does not say whom certificates go back to.

use super::*;
use crate::validate::Use;

static CODE: Code = Code {
    name: "trust-not-chosen",
    summary: "the root of trust is not chosen",
    page: include_str!("../pages/trust-not-chosen.md"),
};

pub(super) const RULE: Rule = Rule::by_use(&CODE, check);

fn check(topology: &Topology, for_use: Use, found: &mut Vec<Diagnostic>) {
    if topology.root.is_some() {
        return;
    }
    let span = topology.mesh.id.span;
    let finding = match for_use {
        Use::Sandbox => return,
        Use::Offline => Diagnostic::warning(
            &CODE,
            span,
            "this mesh gets a generated root in the sandbox, and none on real clusters",
        ),
        Use::RealClusters => Diagnostic::error(&CODE, span, "this mesh has no `trust.root`"),
    };
    found.push(finding.with_help(
        "add `trust: { root: generate }`, or `trust: { root: { certificate: ca/root.pem, key: ca/root.key } }`.",
    ));
}

//! A node agent, which the embedded charts do not have.

use super::*;
use crate::topology::Charts;

static CODE: Code = Code {
    name: "cni-not-embedded",
    summary: "the embedded charts leave redirection to the pods",
    page: include_str!("../pages/cni-not-embedded.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    match topology.istio.charts.as_ref().map(|charts| &charts.value) {
        Some(Charts::Path(_)) => return,
        Some(Charts::Embedded) | None => {}
    }
    if let Some(cni) = &topology.istio.cni {
        let finding = Diagnostic::error(&CODE, cni.span, "only Istio's own charts know this");
        found.push(finding.with_help("take Istio's own, `charts: {path: DIR}`, or leave it out."));
    }
}

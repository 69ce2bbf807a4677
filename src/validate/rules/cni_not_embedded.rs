//! A node agent, which the embedded charts do not have.

use super::*;

static CODE: Code = Code {
    name: "cni-not-embedded",
    summary: "the embedded charts leave redirection to the pods",
    page: include_str!("../pages/cni-not-embedded.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    if !topology.is_on_embedded_charts() {
        return;
    }
    if let Some(cni) = &topology.istio.cni {
        let finding = Diagnostic::error(&CODE, cni.span, "only Istio's own charts know this");
        found.push(finding.with_help("take Istio's own, `charts: { repo: URL }`, or leave it out."));
    }
}

//! The file does not say which charts are installed.

use super::*;
use crate::validate::Use;

static CODE: Code = Code {
    name: "charts-not-chosen",
    summary: "the charts are not chosen",
    page: include_str!("../pages/charts-not-chosen.md"),
};

pub(super) const RULE: Rule = Rule::by_use(&CODE, check);

fn check(topology: &Topology, for_use: Use, found: &mut Vec<Diagnostic>) {
    if topology.istio.charts.is_some() {
        return;
    }
    let span = topology.istio.version.as_ref().map_or(topology.mesh.id.span, |version| version.span);
    let finding = match for_use {
        Use::Sandbox => return,
        Use::Offline => Diagnostic::warning(
            &CODE,
            span,
            "from the embedded charts in the sandbox, and from none on real clusters",
        ),
        Use::RealClusters => Diagnostic::error(&CODE, span, "from which charts?"),
    };
    found.push(
        finding.with_help(
            "add `charts: embedded` to `istio`, or `charts: { repo: URL }` with Istio's own, or `charts: external` \
             where others install them.",
        ),
    );
}

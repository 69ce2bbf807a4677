//! A version that the embedded charts are not for.

use super::*;
use crate::topology::{EMBEDDED_MINORS, IstioVersion};

static CODE: Code = Code {
    name: "istio-version-not-embedded",
    summary: "the embedded charts are not for this Istio version",
    page: include_str!("../pages/istio-version-not-embedded.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let charts = topology.istio.charts.as_ref();
    if !topology.is_on_embedded_charts() {
        return;
    }
    let Some(version) = topology.istio.version.as_ref().filter(|version| !version.value.is_embedded()) else {
        return;
    };
    let finding = Diagnostic::error(&CODE, version.span, "no embedded charts are for it");
    let finding = match charts {
        Some(charts) => finding.with_label(charts.span, "these charts"),
        None => finding,
    };
    let minors = EMBEDDED_MINORS.map(|minor| format!("1.{minor}"));
    found.push(finding.with_help(format!(
        "they are for {}: write `{}`, or take Istio's own: `charts: {{ repo: URL }}`.",
        listed(minors.iter().map(String::as_str)),
        IstioVersion::NEWEST
    )));
}

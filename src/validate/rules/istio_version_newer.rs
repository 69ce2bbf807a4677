//! A version that came after all that are known, on Istio's own charts.

use super::*;
use crate::topology::KNOWN_VERSIONS;

static CODE: Code = Code {
    name: "istio-version-newer",
    summary: "this Istio version is newer than all that are known",
    page: include_str!("../pages/istio-version-newer.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    if topology.is_on_embedded_charts() {
        return;
    }
    let newer = topology.istio.version.as_ref().filter(|version| version.value.is_newer_than_known());
    if let Some(version) = newer {
        let newest = KNOWN_VERSIONS.last().map_or(0, |known| known.minor);
        let finding = Diagnostic::warning(&CODE, version.span, "its charts have not been seen");
        found.push(finding.with_help(format!(
            "up to 1.{newest} is known: read the compiled manifests before you apply them, or look for a newer \
             stolos."
        )));
    }
}

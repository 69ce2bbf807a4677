//! A profile or a platform, which the embedded charts do not have.

use super::*;

static CODE: Code = Code {
    name: "profile-not-embedded",
    summary: "the embedded charts have no profiles and no platforms",
    page: include_str!("../pages/profile-not-embedded.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let istio = &topology.istio;
    if !topology.is_on_embedded_charts() {
        return;
    }
    let profile = istio.profile.as_ref().map(|profile| (profile.span, "a profile of Istio's own charts"));
    let platform =
        istio.platform.as_ref().map(|platform| (platform.span, "a platform of Istio's own charts"));
    for (span, label) in profile.into_iter().chain(platform) {
        let finding = Diagnostic::error(&CODE, span, label);
        found.push(finding.with_help("take Istio's own, `charts: { repo: URL }`, or leave it out."));
    }
}

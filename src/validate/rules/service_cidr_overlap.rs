//! Two clusters of one network give Services the same addresses.

use super::*;
use crate::diagnostic::Severity;

static CODE: Code = Code {
    name: "service-cidr-overlap",
    summary: "two clusters of one network share Service addresses",
    page: include_str!("../pages/service-cidr-overlap.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let shared = shared_addresses(topology, &CODE, "Services", |cluster| &cluster.services);
    found.extend(shared.map(|finding| {
        let finding = finding.with_help(
            "Istio copes, for it keeps a Service's address per cluster; whatever else joins the two networks may not.",
        );
        Diagnostic { severity: Severity::Warning, ..finding }
    }));
}

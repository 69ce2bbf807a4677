//! Two clusters of one network give pods the same addresses.

use super::*;

static CODE: Code = Code {
    name: "pod-cidr-overlap",
    summary: "two clusters of one network share pod addresses",
    page: include_str!("../pages/pod-cidr-overlap.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let shared = shared_addresses(topology, &CODE, "pods", |cluster| &cluster.pods);
    found.extend(shared.map(|finding| {
        finding.with_help(
            "give the clusters addresses of their own, or networks of their own with gateways between.",
        )
    }));
}

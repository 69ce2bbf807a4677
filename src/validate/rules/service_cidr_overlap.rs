//! Two clusters of one network give Services the same addresses.

use super::*;
use crate::validate::overlap::{Block, overlaps};

static CODE: Code = Code {
    name: "service-cidr-overlap",
    summary: "two clusters of one network share Service addresses",
    page: include_str!("../pages/service-cidr-overlap.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for clusters in by_network(topology).values() {
        let blocks: Vec<_> = clusters
            .iter()
            .flat_map(|cluster| {
                cluster.services.iter().map(|net| Block {
                    net: net.value,
                    owner: &cluster.name.value,
                    span: net.span,
                })
            })
            .collect();
        for (one, other) in overlaps(&blocks) {
            let (first, second) = in_order_of_place(one, other);
            let finding = if first.span == second.span {
                Diagnostic::warning(
                    &CODE,
                    second.span,
                    format!("{} has these, and so has {}", first.owner, second.owner),
                )
            } else {
                Diagnostic::warning(&CODE, second.span, format!("Services of {}", second.owner))
                    .with_label(first.span, format!("Services of {}", first.owner))
            };
            found.push(finding.with_help("Istio copes, for it keeps a Service's address per cluster; whatever else joins the two networks may not."));
        }
    }
}

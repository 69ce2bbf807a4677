//! Two clusters of one network give pods the same addresses.

use super::*;
use crate::validate::overlap::{Block, overlaps};

static CODE: Code = Code {
    name: "pod-cidr-overlap",
    summary: "two clusters of one network share pod addresses",
    page: include_str!("../pages/pod-cidr-overlap.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for clusters in by_network(topology).values() {
        let blocks: Vec<_> = clusters
            .iter()
            .flat_map(|cluster| {
                cluster.pods.iter().map(|net| Block {
                    net: net.value,
                    owner: &cluster.name.value,
                    span: net.span,
                })
            })
            .collect();
        for (one, other) in overlaps(&blocks) {
            let (first, second) = in_order_of_place(one, other);
            let finding = if first.span == second.span {
                Diagnostic::error(
                    &CODE,
                    second.span,
                    format!("{} has these, and so has {}", first.owner, second.owner),
                )
            } else {
                Diagnostic::error(&CODE, second.span, format!("pods of {}", second.owner))
                    .with_label(first.span, format!("pods of {}", first.owner))
            };
            found.push(finding.with_help(
                "give the clusters addresses of their own, or networks of their own with gateways between.",
            ));
        }
    }
}

//! Pods of a network have addresses that are Services' too.

use super::*;
use crate::validate::overlap::{Block, overlaps};

static CODE: Code = Code {
    name: "pods-services-overlap",
    summary: "pods and Services of one network share addresses",
    page: include_str!("../pages/pods-services-overlap.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

/// Whose addresses a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Pods,
    Services,
}

impl Holder {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Services => "Services",
        }
    }
}

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for clusters in by_network(topology).values() {
        let mut blocks = Vec::new();
        for cluster in clusters {
            blocks.extend(cluster.pods.iter().map(|net| Block {
                net: net.value,
                owner: Holder::Pods,
                span: net.span,
            }));
            blocks.extend(cluster.services.iter().map(|net| Block {
                net: net.value,
                owner: Holder::Services,
                span: net.span,
            }));
        }
        for (one, other) in overlaps(&blocks) {
            let (first, second) = in_order_of_place(one, other);
            found.push(
                Diagnostic::error(&CODE, second.span, format!("these are {}", second.owner.as_str()))
                    .with_label(first.span, format!("these are {}", first.owner.as_str()))
                    .with_help(
                        "keep them apart: a node sends what goes to a Service's address to that Service.",
                    ),
            );
        }
    }
}

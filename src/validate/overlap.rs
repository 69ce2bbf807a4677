//! Which blocks of addresses overlap.
//!
//! Two blocks are nested or disjoint, so one pass over them, sorted by first
//! address and the larger first, with a stack of those that are still open,
//! finds every block that lies in another.

use ipnet::IpNet;

use crate::document::Span;

/// A block of addresses and whom it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block<G> {
    /// The addresses.
    pub(super) net: IpNet,
    /// Whom it belongs to: blocks of one owner never clash.
    pub(super) owner: G,
    /// Where it is declared.
    pub(super) span: Span,
}

/// Every block that lies in a block of another owner (or equals one), paired with the smallest such block.
///
/// A block that lies in another of its own owner is left out, for the larger
/// one clashes wherever it does. At most one pair a block: as many findings as
/// there are blocks, never their square.
pub(super) fn overlaps<G: Copy + Ord>(blocks: &[Block<G>]) -> Vec<(Block<G>, Block<G>)> {
    let mut sorted = without_own_parts(blocks);
    sorted.sort_by_key(|block| (first(block.net), block.net.prefix_len(), block.span));
    let mut open: Vec<Block<G>> = Vec::new();
    let mut pairs = Vec::new();
    for block in sorted {
        while open.last().is_some_and(|outer| !outer.net.trunc().contains(&block.net.trunc())) {
            open.pop();
        }
        if let Some(outer) = open.last() {
            pairs.push((block, *outer));
        }
        open.push(block);
    }
    pairs
}

/// The blocks, less those that lie in another of the same owner.
fn without_own_parts<G: Copy + Ord>(blocks: &[Block<G>]) -> Vec<Block<G>> {
    let mut sorted = blocks.to_vec();
    sorted.sort_by_key(|block| (block.owner, first(block.net), block.net.prefix_len(), block.span));
    let mut kept: Vec<Block<G>> = Vec::with_capacity(sorted.len());
    for block in sorted {
        let inside = kept
            .last()
            .is_some_and(|last| last.owner == block.owner && last.net.trunc().contains(&block.net.trunc()));
        if !inside {
            kept.push(block);
        }
    }
    kept
}

fn first(net: IpNet) -> std::net::IpAddr {
    net.trunc().network()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    use ipnet::{Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    use super::*;
    use crate::document::SourceId;

    fn block(net: IpNet, owner: u8, at: usize) -> Block<u8> {
        let at = u32::try_from(at).expect("few blocks");
        Block { net, owner, span: Span { source: SourceId(0), start: at, end: at + 1 } }
    }

    /// Few distinct addresses, so that blocks do meet.
    fn any_net() -> impl Strategy<Value = IpNet> {
        prop_oneof![
            (0..16_u32, 8..=32_u8).prop_map(|(bits, length)| {
                let address = Ipv4Addr::from((10 << 24) | (bits << 16) | (bits & 3));
                IpNet::V4(Ipv4Net::new(address, length).expect("a length of IPv4"))
            }),
            (0..16_u128, 16..=128_u8).prop_map(|(bits, length)| {
                let address = Ipv6Addr::from((0xfd << 120) | (bits << 100) | (bits & 3));
                IpNet::V6(Ipv6Net::new(address, length).expect("a length of IPv6"))
            }),
        ]
    }

    /// The definition: whether two blocks have an address in common.
    fn share(one: IpNet, other: IpNet) -> bool {
        let (one, other) = (one.trunc(), other.trunc());
        one.network() <= other.broadcast()
            && other.network() <= one.broadcast()
            && one.network().is_ipv4() == other.network().is_ipv4()
    }

    proptest! {
        #[test]
        fn the_sweep_is_the_quadratic_definition(nets in prop::collection::vec((any_net(), 0..5_u8), 0..40)) {
            let blocks: Vec<Block<u8>> =
                nets.iter().enumerate().map(|(at, (net, owner))| block(*net, *owner, at)).collect();
            let mut expected = BTreeSet::new();
            for one in &blocks {
                for other in &blocks {
                    if one.owner != other.owner && share(one.net, other.net) {
                        expected.insert(one.owner);
                    }
                }
            }
            let mut involved = BTreeSet::new();
            for (inner, outer) in overlaps(&blocks) {
                prop_assert!(inner.owner != outer.owner && share(inner.net, outer.net));
                involved.insert(inner.owner);
                involved.insert(outer.owner);
            }
            prop_assert_eq!(involved, expected);
        }

        #[test]
        fn the_order_of_declaration_decides_no_pair(nets in prop::collection::vec((any_net(), 0..5_u8), 0..20)) {
            let blocks: Vec<Block<u8>> =
                nets.iter().enumerate().map(|(at, (net, owner))| block(*net, *owner, at)).collect();
            let turned: Vec<Block<u8>> = blocks.iter().rev().copied().collect();
            prop_assert_eq!(overlaps(&blocks), overlaps(&turned));
        }
    }

    #[test]
    fn a_thousand_clusters_on_one_block_are_a_thousand_findings() {
        let net = "10.0.0.0/16".parse().expect("a block");
        let blocks: Vec<Block<usize>> = (0..1000)
            .map(|owner| Block {
                net,
                owner,
                span: Span { source: SourceId(0), start: u32::try_from(owner).expect("small"), end: 2000 },
            })
            .collect();
        assert_eq!(overlaps(&blocks).len(), 999);
    }
}

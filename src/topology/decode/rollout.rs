//! `rollout`.

use super::reader::Reader;
use super::trust::cluster_name;
use crate::document::{Entry, Node, Spanned};
use crate::topology::NamedWave;

/// The waves, those that can be read.
pub(super) fn rollout(entry: &Entry, reader: &mut Reader) -> Option<Spanned<Vec<NamedWave>>> {
    let expected = "a list of waves, each a list of clusters: [[cluster1], [cluster2, cluster3]]";
    let waves = reader.list(&entry.value, expected)?;
    let waves = waves.iter().filter_map(|node| wave(node, reader)).collect();
    Some(Spanned::new(waves, entry.value.span))
}

fn wave(node: &Node, reader: &mut Reader) -> Option<NamedWave> {
    let names = reader.list(node, "a list of clusters' names: a wave may be one cluster, [cluster1]")?;
    let names = names.iter().filter_map(|name| cluster_name(name, reader)).collect();
    Some(Spanned::new(names, node.span))
}

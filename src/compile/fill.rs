//! Values into the place of markers.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Hole, Values};

/// The holes whose markers stand in a text, in the order in which they stand there.
pub fn markers_in(text: &str) -> Vec<Hole> {
    markers(text).map(|(_, hole)| hole).collect()
}

/// Replaces the markers whose values are known.
pub(super) fn fill_text(text: &str, values: &Values) -> Option<String> {
    let mut filled = String::new();
    let mut rest = 0;
    for (at, hole) in markers(text) {
        let Some(value) = values.get(&hole) else { continue };
        filled.push_str(&text[rest..at.start]);
        filled.push_str(value.expose());
        rest = at.end;
    }
    if rest == 0 {
        return None;
    }
    filled.push_str(&text[rest..]);
    Some(filled)
}

/// Replaces the known markers in every text of a tree.
pub(super) fn fill_tree(tree: &mut Json, values: &Values) {
    each_text(tree, &mut |text| {
        if let Some(filled) = fill_text(text, values) {
            *text = filled;
        }
    });
}

/// Collects the holes of every text of a tree.
pub(super) fn holes_of<'j>(trees: impl IntoIterator<Item = &'j Json>) -> BTreeSet<Hole> {
    fn walk(tree: &Json, holes: &mut BTreeSet<Hole>) {
        match tree {
            Json::String(text) => holes.extend(markers(text).map(|(_, hole)| hole)),
            Json::Array(items) => items.iter().for_each(|item| walk(item, holes)),
            Json::Object(map) => map.values().for_each(|value| walk(value, holes)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
    let mut holes = BTreeSet::new();
    for tree in trees {
        walk(tree, &mut holes);
    }
    holes
}

/// Visits every text of a tree; keys are no texts.
pub(super) fn each_text(tree: &mut Json, visit: &mut impl FnMut(&mut String)) {
    match tree {
        Json::String(text) => visit(text),
        Json::Array(items) => items.iter_mut().for_each(|item| each_text(item, visit)),
        Json::Object(map) => map.values_mut().for_each(|value| each_text(value, visit)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Each marker and its place. `${…}` that names no hole is somebody else's text.
fn markers(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, Hole)> {
    text.match_indices("${").filter_map(|(start, _)| {
        let inner = &text[start + 2..];
        let length = inner.find('}')?;
        Some((start..start + 2 + length + 1, inner[..length].parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_markers_are_replaced_and_other_texts_left() {
        let hole: Hole = "west/eastwest-gateway.address".parse().expect("a hole");
        let mut values = Values::default();
        values.insert(hole, "203.0.113.7");
        let text = "a ${west/eastwest-gateway.address} b ${east/eastwest-gateway.address} c ${HOME} ${";
        let filled = fill_text(text, &values).expect("one is known");
        assert_eq!(filled, "a 203.0.113.7 b ${east/eastwest-gateway.address} c ${HOME} ${");
    }

    #[test]
    fn every_hole_reads_back_from_its_marker() {
        for text in [
            "cluster1/eastwest-gateway.address",
            "cluster1/expose-control-plane.address",
            "cluster2/reader-credential.token",
            "cluster2/reader-credential.ca",
            "cluster1/trust.root-cert",
            "cluster1/trust.root-key",
            "cluster1/trust.ca-cert",
            "cluster1/trust.ca-key",
            "cluster1/trust.cert-chain",
            "cluster1.server",
        ] {
            let hole: Hole = text.parse().expect(text);
            assert_eq!(hole.marker(), format!("${{{text}}}"));
        }
        assert!("HOME".parse::<Hole>().is_err());
        assert!("cluster1/nothing.address".parse::<Hole>().is_err());
    }
}

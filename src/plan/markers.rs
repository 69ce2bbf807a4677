//! The open holes of an object.

use serde_json::Value;

use crate::compile::{Hole, Minted, Output};
use crate::graph::{Unit, UnitKind};
use crate::object::Object;

/// Whether a hole of an object is still open.
pub(super) fn has_markers(object: &Object) -> bool {
    object.as_map().values().any(|value| !markers_of(value).is_empty())
}

/// The holes whose markers stand in a value, each once, in the order in which they stand there.
pub(super) fn markers_of(value: &Value) -> Vec<Hole> {
    fn walk(value: &Value, holes: &mut Vec<Hole>) {
        match value {
            Value::String(text) => {
                for hole in markers_in(text) {
                    if !holes.contains(&hole) {
                        holes.push(hole);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, holes)),
            Value::Object(map) => map.values().for_each(|item| walk(item, holes)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut holes = Vec::new();
    walk(value, &mut holes);
    holes
}

/// The holes whose markers stand in a text.
pub(super) fn markers_in(text: &str) -> Vec<Hole> {
    text.match_indices("${")
        .filter_map(|(start, _)| {
            let inner = &text[start + 2..];
            hole(&inner[..inner.find('}')?])
        })
        .collect()
}

fn hole(text: &str) -> Option<Hole> {
    let (owner, value) = text.rsplit_once('.')?;
    let Ok(unit) = owner.parse::<Unit>() else {
        let is_name = owner.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        return (is_name && value == "server").then(|| Hole::Context { cluster: owner.into() });
    };
    for output in [Output::Address, Output::Token, Output::Ca] {
        if output.to_string() == value {
            return Some(Hole::Observed { unit, output });
        }
    }
    let pieces = [
        Minted::RootCertificate,
        Minted::RootKey,
        Minted::CaCertificate,
        Minted::CaKey,
        Minted::CertificateChain,
    ];
    let piece = pieces.into_iter().find(|piece| piece.to_string() == value)?;
    (unit.kind == UnitKind::Trust).then(|| Hole::Minted { cluster: unit.cluster.clone(), piece })
}

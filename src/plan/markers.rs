//! The open holes of desired values, and whether a live text could be what they become.

use serde_json::Value;

use crate::compile::{Hole, markers_in};
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

/// Whether `text` is `pattern` with something in the place of each of its markers.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = Vec::new();
    let mut rest = pattern;
    for hole in markers_in(pattern) {
        let Some((before, after)) = rest.split_once(hole.marker().as_str()) else { continue };
        parts.push(before);
        rest = after;
    }
    if parts.is_empty() {
        return pattern == text;
    }
    let Some(mut left) = text.strip_prefix(parts[0]) else { return false };
    for part in &parts[1..] {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_a_pattern_whose_markers_it_fills() {
        let pattern = "server: ${c2.server}\nca: ${c2/reader-credential.ca}\n";
        assert!(fits(pattern, "server: https://x\nca: cGVt\n"));
        assert!(!fits(pattern, "server: https://x\nca: cGVt\nmore"));
        assert!(!fits(pattern, "host: https://x\nca: cGVt\n"));
        assert!(fits("plain ${HOME}", "plain ${HOME}"));
        assert!(!fits("plain", "plainer"));
    }
}

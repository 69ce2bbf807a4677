//! Whether a filled object is the planned one with its markers replaced, and nothing else.

use serde_json::Value;

use crate::compile::markers_in;
use crate::object::Object;

/// How a filled object differs from the planned one beyond its markers; none where it does not.
///
/// Says the path and never a value, since either may be a secret.
pub(super) fn difference(planned: &Object, filled: &Object) -> Option<String> {
    let mut path = String::new();
    let differs = differs_map(planned.as_map().iter(), planned.as_map().len(), filled.as_map(), &mut path);
    differs.then(|| format!("{} differs", path.trim_start_matches('.')))
}

fn differs_map<'m>(
    planned: impl Iterator<Item = (&'m String, &'m Value)>,
    count: usize,
    filled: &serde_json::Map<String, Value>,
    path: &mut String,
) -> bool {
    let length = path.len();
    for (key, value) in planned {
        path.push('.');
        path.push_str(key);
        match filled.get(key) {
            Some(other) if !differs(value, other, path) => path.truncate(length),
            Some(_) | None => return true,
        }
    }
    count != filled.len()
}

fn differs(planned: &Value, filled: &Value, path: &mut String) -> bool {
    match (planned, filled) {
        (Value::Object(planned), Value::Object(filled)) => {
            differs_map(planned.iter(), planned.len(), filled, path)
        }
        (Value::Array(planned), Value::Array(filled)) => {
            let length = path.len();
            for (position, (one, other)) in planned.iter().zip(filled).enumerate() {
                path.push_str(&format!("[{position}]"));
                if differs(one, other, path) {
                    return true;
                }
                path.truncate(length);
            }
            planned.len() != filled.len()
        }
        (Value::String(planned), Value::String(filled)) => !text_fits(planned, filled),
        _ => planned != filled,
    }
}

/// Whether a text can come of another by putting something in the place of each marker.
fn text_fits(planned: &str, filled: &str) -> bool {
    let mut literals: Vec<&str> = Vec::new();
    let mut rest = planned;
    for hole in markers_in(planned) {
        let marker = hole.marker();
        let Some((before, after)) = rest.split_once(marker.as_str()) else { break };
        literals.push(before);
        rest = after;
    }
    let Some((first, between)) = literals.split_first() else { return planned == filled };
    let Some(mut left) = filled.strip_prefix(first) else { return false };
    for literal in between {
        // Every marker stands for at least one character.
        let Some(at) = left.char_indices().nth(1).map(|(at, _)| at) else { return false };
        let Some(found) = left[at..].find(literal) else { return false };
        left = &left[at + found + literal.len()..];
    }
    left.len() > rest.len() && left.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(address: &str, port: u16) -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "istiod"},
            "spec": {"address": address, "ports": [{"port": port}]},
        }))
        .expect("an object")
    }

    const MARKER: &str = "${cluster1/eastwest-gateway.address}";

    #[test]
    fn a_marker_may_become_anything() {
        assert_eq!(difference(&service(MARKER, 1), &service("203.0.113.7", 1)), None);
        assert_eq!(difference(&service(&format!("a {MARKER} b"), 1), &service("a 203.0.113.7 b", 1)), None);
    }

    #[test]
    fn nothing_else_may_change() {
        let planned = service(&format!("a {MARKER} b"), 1);
        assert_eq!(
            difference(&planned, &service("a 203.0.113.7 c", 1)),
            Some("spec.address differs".to_owned())
        );
        assert_eq!(difference(&planned, &service("a  b", 1)), Some("spec.address differs".to_owned()));
        assert_eq!(
            difference(&planned, &service("a 203.0.113.7 b", 2)),
            Some("spec.ports[0].port differs".to_owned())
        );
    }

    #[test]
    fn a_field_more_or_less_is_a_difference() {
        let mut more = service("x", 1);
        more.as_map_mut().insert("status".to_owned(), json!({}));
        assert!(difference(&service("x", 1), &more).is_some());
        assert!(difference(&more, &service("x", 1)).is_some());
    }
}

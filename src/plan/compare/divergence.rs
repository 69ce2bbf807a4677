//! Whether an object that was filled is still the one that was planned.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::{Open, differences};
use super::same::Exactness;
use super::{data_text, is_data, plain_text};
use crate::compile::markers_in;
use crate::object::{FieldPath, Object, kinds};
use crate::plan::markers::fits;

/// The fields in which an object that was filled is not the planned one with something in the place
/// of its markers; empty where `apply` may go on. Both [`settled`](super::settled).
pub fn divergence(planned: &Object, filled: &Object) -> Vec<String> {
    let known = kinds::find(&planned.reference().group, planned.kind());
    let shape = known.map_or_else(kinds::custom_shape, |kind| kind.shape);
    let open = Filled { is_secret: planned.kind() == "Secret" };
    let found = differences(planned, filled, shape, Exactness::Whole, &open);
    let back = differences(filled, planned, shape, Exactness::Whole, &open);
    let added = back.into_iter().filter(|difference| difference.before.is_none());
    let paths: BTreeSet<FieldPath> =
        found.into_iter().chain(added).map(|difference| difference.path).collect();
    paths.iter().map(ToString::to_string).collect()
}

/// Markers may have become anything.
struct Filled {
    is_secret: bool,
}

impl Open for Filled {
    fn agrees(&self, path: &FieldPath, planned: &str, filled: &Value) -> bool {
        let filled = if self.is_secret && is_data(path) { data_text(filled) } else { plain_text(filled) };
        !markers_in(planned).is_empty() && filled.is_some_and(|filled| fits(planned, &filled))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_markers_may_have_become_something_else() {
        let object = |endpoints: Value, more: Value| {
            Object::from_value(json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": "istiod", "labels": more}, "endpoints": endpoints,
            }))
            .unwrap()
        };
        let planned = object(json!([{"addresses": ["${c1/eastwest-gateway.address}"]}]), json!({"a": "b"}));
        let filled = |address: &str, more: Value| {
            divergence(&planned, &object(json!([{"addresses": [address]}]), more))
        };
        assert_eq!(filled("203.0.113.7", json!({"a": "b"})), Vec::<String>::new());
        assert_eq!(filled("203.0.113.7", json!({"a": "c"})), ["metadata.labels.a"]);
        assert_eq!(filled("203.0.113.7", json!({"a": "b", "c": "d"})), ["metadata.labels.c"]);
        assert_eq!(divergence(&planned, &object(json!([]), json!({"a": "b"}))), ["endpoints"]);
    }
}

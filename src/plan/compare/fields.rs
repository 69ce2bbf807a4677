//! The fields in which a live object is not what is asked for.

use serde_json::Value;

use super::same::{Exactness, is_nothing, same};
use crate::object::kinds::Shape;
use crate::object::{FieldPath, Object, PathElement};

/// A field that differs. The values are whole: showing them is another matter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    /// Which field.
    pub(super) path: FieldPath,
    /// What is live.
    pub(super) before: Option<Value>,
    /// What is asked for; none where a field of ours goes.
    pub(super) after: Option<Value>,
}

/// What decides whether a text with open markers differs from a live one.
pub(super) trait Open {
    /// Whether a desired value with open markers counts as what is live.
    fn agrees(&self, path: &FieldPath, desired: &str, live: &Value) -> bool;
}

/// Every desired field whose live value is another, in the order of their paths.
pub(super) fn differences(
    desired: &Object,
    live: &Object,
    shape: &'static Shape,
    exactness: Exactness,
    open: &impl Open,
) -> Vec<Difference> {
    let mut walk = Walk { exactness, open, found: Vec::new() };
    for (name, value) in desired.as_map() {
        let path = FieldPath(vec![PathElement::field(name)]);
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => walk.metadata(value, live.get(&["metadata"]), shape.field(name), &path),
            _ => walk.value(value, live.get(&[name]), shape.field(name), &path),
        }
    }
    walk.found.sort_by(|a, b| a.path.cmp(&b.path));
    walk.found
}

/// Every field of a desired item whose value in a live one is another.
pub(super) fn item_differences(
    desired: &Value,
    live: &Value,
    shape: &'static Shape,
    path: &FieldPath,
    exactness: Exactness,
    open: &impl Open,
) -> Vec<Difference> {
    let mut walk = Walk { exactness, open, found: Vec::new() };
    walk.value(desired, Some(live), shape, path);
    walk.found
}

struct Walk<'w, O> {
    exactness: Exactness,
    open: &'w O,
    found: Vec<Difference>,
}

impl<O: Open> Walk<'_, O> {
    /// Metadata without what names the object.
    fn metadata(&mut self, desired: &Value, live: Option<&Value>, shape: &'static Shape, path: &FieldPath) {
        for (name, value) in desired.as_object().into_iter().flatten() {
            if !matches!(name.as_str(), "name" | "namespace" | "creationTimestamp") {
                let live = live.and_then(|live| live.get(name));
                self.value(value, live, shape.field(name), &path.then(PathElement::field(name)));
            }
        }
    }

    fn value(&mut self, desired: &Value, live: Option<&Value>, shape: &'static Shape, path: &FieldPath) {
        let Some(live) = live else {
            let goes_unsaid =
                is_nothing(desired) && (desired.is_null() || self.exactness == Exactness::Subset);
            if !goes_unsaid {
                self.differs(path, None, desired);
            }
            return;
        };
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) if !shape.is_atomic_map() => {
                for (name, value) in desired {
                    let path = path.then(PathElement::field(name));
                    self.value(value, live.get(name), shape.field(name), &path);
                }
            }
            (Value::Array(items), Value::Array(_)) if shape.keyed_list().is_some() => {
                self.items(items, live, shape, path);
            }
            (Value::Null, _) => {}
            _ if same(desired, live, path, self.exactness, &|text, live| {
                self.open.agrees(path, text, live)
            }) => {}
            _ => self.differs(path, Some(live), desired),
        }
    }

    fn items(&mut self, items: &[Value], live: &Value, shape: &'static Shape, path: &FieldPath) {
        let Some(list) = shape.keyed_list() else { return };
        for item in items {
            let Some(element) = list.element_of(item) else { continue };
            let path = path.then(element.clone());
            match element.step(live) {
                Some(live) => self.value(item, Some(live), list.item, &path),
                None => self.differs(&path, None, item),
            }
        }
    }

    fn differs(&mut self, path: &FieldPath, before: Option<&Value>, after: &Value) {
        self.found.push(Difference {
            path: path.clone(),
            before: before.cloned(),
            after: Some(after.clone()),
        });
    }
}

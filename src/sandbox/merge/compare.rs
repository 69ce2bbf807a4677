//! Which fields differ between two states of an object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::object::kinds::Shape;
use crate::object::{FieldPath, FieldSet, PathElement};

/// The fields that differ between an old and a new state; no path is in two of the sets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Comparison {
    /// In the old state only.
    pub removed: FieldSet,
    /// In both, with another value.
    pub modified: FieldSet,
    /// In the new state only.
    pub added: FieldSet,
}

impl Comparison {
    /// Compares two whole objects.
    pub(crate) fn of(old: &Map<String, Value>, new: &Map<String, Value>, shape: &'static Shape) -> Self {
        let mut comparison = Self::default();
        comparison.maps(&FieldPath::default(), Some(old), Some(new), shape);
        comparison
    }

    /// Whether nothing differs.
    pub(crate) fn is_same(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    fn leaf(&mut self, path: &FieldPath, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (None, Some(_)) => self.added.insert(path),
            (Some(_), None) => self.removed.insert(path),
            (Some(old), Some(new)) if old != new => self.modified.insert(path),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    fn values(&mut self, path: &FieldPath, old: Option<&Value>, new: Option<&Value>, shape: &'static Shape) {
        // The form is that of either side; two forms that differ are compared as one leaf.
        let form = |value: &Value| match value {
            Value::Object(_) => Form::Map,
            Value::Array(_) => Form::List,
            Value::Null => Form::Null,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Form::Scalar,
        };
        let (old_form, new_form) = (old.map(form), new.map(form));
        let form = match (old_form, new_form) {
            (Some(a), Some(b)) if a == b => a,
            (Some(a), None | Some(Form::Null)) => a,
            (None | Some(Form::Null), Some(b)) => b,
            (Some(_), Some(_)) => Form::Scalar,
            (None, None) => return,
        };
        let is_empty = |value: Option<&Value>| match value {
            None | Some(Value::Null) => true,
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(map)) => map.is_empty(),
            Some(_) => false,
        };
        // Two empties are a leaf, which keeps null and empty apart.
        let both_empty = is_empty(old) && is_empty(new);
        match form {
            Form::Map if !shape.is_atomic_map() && !both_empty => {
                self.maps(path, old.and_then(Value::as_object), new.and_then(Value::as_object), shape);
            }
            Form::List if shape.keyed_list().is_some() && !both_empty => {
                self.lists(path, old.and_then(Value::as_array), new.and_then(Value::as_array), shape);
            }
            Form::Map | Form::List | Form::Scalar | Form::Null => return self.leaf(path, old, new),
        }
        match (old, new) {
            (None, Some(_)) => self.added.insert(path),
            (Some(_), None) => self.removed.insert(path),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    fn maps(
        &mut self,
        path: &FieldPath,
        old: Option<&Map<String, Value>>,
        new: Option<&Map<String, Value>>,
        shape: &'static Shape,
    ) {
        let names: BTreeSet<&String> = old.into_iter().chain(new).flat_map(Map::keys).collect();
        for name in names {
            let (old, new) = (old.and_then(|map| map.get(name)), new.and_then(|map| map.get(name)));
            // Equal on both sides differs nowhere below; most of an object is.
            if old != new {
                self.values(&path.then(PathElement::field(name.as_str())), old, new, shape.field(name));
            }
        }
    }

    fn lists(
        &mut self,
        path: &FieldPath,
        old: Option<&Vec<Value>>,
        new: Option<&Vec<Value>>,
        shape: &'static Shape,
    ) {
        let Some(list) = shape.keyed_list() else { return };
        let index = |items: Option<&Vec<Value>>| {
            let mut index: BTreeMap<PathElement, Vec<Value>> = BTreeMap::new();
            for item in items.into_iter().flatten() {
                if let Some(element) = list.element_of(item) {
                    index.entry(element).or_default().push(item.clone());
                }
            }
            index
        };
        let (old, new) = (index(old), index(new));
        let elements: BTreeSet<&PathElement> = old.keys().chain(new.keys()).collect();
        for element in elements {
            let here = path.then(element.clone());
            let olds = old.get(element).map(Vec::as_slice).unwrap_or_default();
            let news = new.get(element).map(Vec::as_slice).unwrap_or_default();
            // Several items under one key cannot be told apart and count as one leaf.
            match (olds, news) {
                ([] | [_], [] | [_]) => self.values(&here, olds.first(), news.first(), list.item),
                ([_, _, ..], [_, _, ..]) if olds != news => self.modified.insert(&here),
                ([_, _, ..], [_, _, ..]) => {}
                ([_, _, ..], [] | [_]) => {
                    self.values(&here, None, news.first(), list.item);
                    self.removed.insert(&here);
                }
                ([] | [_], [_, _, ..]) => {
                    self.values(&here, olds.first(), None, list.item);
                    self.added.insert(&here);
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Map,
    List,
    Scalar,
    Null,
}

//! Merging an applied object into a live one, and taking fields out of one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::object::fields::KeyedList;
use crate::object::kinds::Shape;
use crate::object::{FieldPath, FieldSet, PathElement};

/// Why two objects cannot be merged: a list whose items cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MergeFault {
    /// Two items of an applied list have the same key.
    #[error("{path}: duplicate entries for key {key}")]
    Duplicate {
        /// The list.
        path: String,
        /// The key.
        key: String,
    },
    /// An item of a list has none of the fields that tell items apart.
    #[error(
        "{path}: element {position}: associative list with keys has an element that omits all key fields {keys:?} (and doesn't have default values for any key fields)"
    )]
    NoKey {
        /// The list.
        path: String,
        /// Where in it.
        position: usize,
        /// What would tell it apart.
        keys: Vec<&'static str>,
    },
}

/// Refuses lists whose items cannot be told apart.
pub(crate) fn check_keys(map: &Map<String, Value>, shape: &'static Shape) -> Result<(), MergeFault> {
    check_map(&FieldPath::default(), map, shape)
}

fn check_map(path: &FieldPath, map: &Map<String, Value>, shape: &'static Shape) -> Result<(), MergeFault> {
    map.iter().try_for_each(|(name, value)| {
        check_value(&path.then(PathElement::field(name.as_str())), value, shape.field(name))
    })
}

fn check_value(path: &FieldPath, value: &Value, shape: &'static Shape) -> Result<(), MergeFault> {
    match value {
        Value::Object(map) if !shape.is_atomic_map() => check_map(path, map, shape),
        Value::Array(items) => {
            let Some(list) = shape.keyed_list() else { return Ok(()) };
            let mut seen = BTreeSet::new();
            for (position, item) in items.iter().enumerate() {
                let element = list.element_of(item).ok_or_else(|| MergeFault::NoKey {
                    path: path.server_text(),
                    position,
                    keys: list.keys.iter().map(|key| key.name).collect(),
                })?;
                let here = path.then(element.clone());
                if !seen.insert(element.clone()) {
                    let key = FieldPath(vec![element]).server_text();
                    return Err(MergeFault::Duplicate { path: path.server_text(), key });
                }
                check_value(&here, item, list.item)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Lays an applied map over a live one.
///
/// The applied list's order wins among the items that it names; live items
/// that it does not name keep their place among their neighbours.
pub(crate) fn merge_maps(
    live: &Map<String, Value>,
    applied: &Map<String, Value>,
    shape: &'static Shape,
) -> Map<String, Value> {
    let mut merged = live.clone();
    for (name, value) in applied {
        let below = shape.field(name);
        let value = match live.get(name) {
            Some(live) => merge_values(live, value, below),
            None => value.clone(),
        };
        merged.insert(name.clone(), value);
    }
    merged
}

fn merge_values(live: &Value, applied: &Value, shape: &'static Shape) -> Value {
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) if !shape.is_atomic_map() => {
            if live.is_empty() && applied.is_empty() {
                return Value::Object(Map::new());
            }
            Value::Object(merge_maps(live, applied, shape))
        }
        (Value::Object(_), Value::Null) if !shape.is_atomic_map() => live.clone(),
        (Value::Array(live_items), Value::Array(items)) => match shape.keyed_list() {
            Some(list) => Value::Array(merge_lists(live_items, items, list)),
            None => applied.clone(),
        },
        (Value::Array(_), Value::Null) if shape.keyed_list().is_some() => live.clone(),
        _ => applied.clone(),
    }
}

fn merge_lists(live: &[Value], applied: &[Value], list: KeyedList) -> Vec<Value> {
    let keyed = |items: &[Value]| -> Vec<(PathElement, Value)> {
        items.iter().filter_map(|item| Some((list.element_of(item)?, item.clone()))).collect()
    };
    let (live, applied) = (keyed(live), keyed(applied));
    let mut live_by_key: BTreeMap<&PathElement, Option<&Value>> = BTreeMap::new();
    for (element, item) in &live {
        // Items that share a key are not merged with the applied one; it takes their place.
        live_by_key.entry(element).and_modify(|held| *held = None).or_insert(Some(item));
    }
    let applied_keys: BTreeSet<&PathElement> = applied.iter().map(|(element, _)| element).collect();
    let merged = |element: &PathElement, item: &Value| match live_by_key.get(element).copied().flatten() {
        Some(live) => merge_values(live, item, list.item),
        None => item.clone(),
    };

    let mut shared = applied.iter().map(|(element, _)| element).filter(|e| live_by_key.contains_key(e));
    let mut next_shared = shared.next();
    let mut done: BTreeSet<&PathElement> = BTreeSet::new();
    let mut result = Vec::with_capacity(live.len().max(applied.len()));
    let (mut l, mut a) = (0, 0);
    while l < live.len() || a < applied.len() {
        if let (Some((live_key, _)), Some((key, item))) = (live.get(l), applied.get(a)) {
            if live_key == key {
                done.insert(key);
                result.push(merged(key, item));
                l += 1;
                a += 1;
                next_shared = shared.next();
                continue;
            }
            if applied_keys.contains(live_key) && next_shared.is_some_and(|next| next != live_key) {
                // A shared item whose turn comes later.
                l += 1;
                continue;
            }
        }
        if let Some((live_key, item)) = live.get(l) {
            if !applied_keys.contains(live_key) {
                result.push(item.clone());
                l += 1;
                continue;
            }
            if done.contains(live_key) {
                l += 1;
            }
        }
        if let Some((key, item)) = applied.get(a) {
            done.insert(key);
            result.push(merged(key, item));
            a += 1;
            if next_shared == Some(key) {
                next_shared = shared.next();
            }
        }
    }
    result
}

/// Takes the fields of a set out of a map.
///
/// What loses its last field by this becomes null, so that a comparison does
/// not take it for removed: [`drop_emptied`] takes it out in the end.
pub(crate) fn remove_fields(
    map: &Map<String, Value>,
    gone: &FieldSet,
    shape: &'static Shape,
) -> Map<String, Value> {
    let mut rest = Map::new();
    for (name, value) in map {
        let element = PathElement::field(name.as_str());
        if gone.has_member(&element) {
            continue;
        }
        match gone.below(&element).filter(|below| !below.is_empty()) {
            Some(below) => {
                if let Some(value) = remove_from_value(value, below, shape.field(name)) {
                    rest.insert(name.clone(), value);
                }
            }
            None => {
                rest.insert(name.clone(), value.clone());
            }
        }
    }
    rest
}

/// Takes out what [`remove_fields`] emptied of what stood there before.
pub(crate) fn drop_emptied(map: &mut Map<String, Value>, before: &Map<String, Value>) {
    map.retain(|name, value| !value.is_null() || before.get(name).is_none_or(Value::is_null));
    for (name, value) in map {
        if let (Value::Object(value), Some(Value::Object(before))) = (value, before.get(name)) {
            drop_emptied(value, before);
        }
    }
}

fn remove_from_value(value: &Value, gone: &FieldSet, shape: &'static Shape) -> Option<Value> {
    match value {
        Value::Object(_) if shape.is_atomic_map() => None,
        Value::Object(map) => {
            let rest = remove_fields(map, gone, shape);
            Some(if rest.is_empty() { Value::Null } else { Value::Object(rest) })
        }
        Value::Array(items) => {
            let list = shape.keyed_list()?;
            let mut rest = Vec::new();
            for item in items {
                let Some(element) = list.element_of(item) else { continue };
                if gone.has_member(&element) {
                    continue;
                }
                match gone.below(&element).filter(|below| !below.is_empty()) {
                    Some(below) => rest.extend(remove_from_value(item, below, list.item)),
                    None => rest.push(item.clone()),
                }
            }
            Some(if rest.is_empty() { Value::Null } else { Value::Array(rest) })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value.clone()),
    }
}

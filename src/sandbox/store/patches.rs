//! The three kinds of patches that state a change without the object.

use serde_json::{Map, Value};

use super::request::Patch;
use crate::object::Object;
use crate::object::fields::KeyedList;
use crate::object::kinds::Shape;
use crate::sandbox::api_error::{ApiError, Reason};
use crate::sandbox::resource::{Provider, ResourceInfo};

/// The object with a patch laid over it.
pub(super) fn patched(resource: &ResourceInfo, base: Object, patch: &Patch) -> Result<Value, ApiError> {
    let mut value = base.into_value();
    match patch {
        Patch::Merge(patch) => {
            let other = match patch {
                Value::Object(_) => None,
                Value::Array(_) => Some("array"),
                Value::String(_) => Some("string"),
                Value::Number(_) => Some("number"),
                Value::Bool(_) => Some("bool"),
                Value::Null => Some("null"),
            };
            if let Some(other) = other {
                return Err(ApiError::bad_request(format!(
                    "error decoding patch: json: cannot unmarshal {other} into Go value of type map[string]interface {{}}"
                )));
            }
            merge(&mut value, patch);
        }
        Patch::Json(operations) => json_patch(&mut value, operations)?,
        Patch::Strategic(patch) => {
            if resource.provider == Provider::Custom {
                let message = "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
                return Err(ApiError::new(Reason::UnsupportedMediaType, message));
            }
            value = strategic(Some(value), patch, resource.shape)?.unwrap_or_default();
        }
    }
    Ok(value)
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// RFC 6902.
fn json_patch(target: &mut Value, operations: &Value) -> Result<(), ApiError> {
    let Value::Array(operations) = operations else {
        return Err(ApiError::bad_request("a JSON patch is a list of operations"));
    };
    for operation in operations {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let verb = text("op").unwrap_or_default();
        let path = text("path")
            .ok_or_else(|| ApiError::bad_request("an operation of a JSON patch lacks its path"))?;
        let unprocessable = |what: &str| {
            ApiError::new(
                Reason::Invalid,
                format!(
                    "the server rejected our request due to an error in our request: {verb} {path}: {what}"
                ),
            )
        };
        let value = || operation.get("value").cloned().ok_or_else(|| unprocessable("value is missing"));
        let from = || text("from").ok_or_else(|| unprocessable("from is missing"));
        match verb {
            "add" => add(target, path, value()?).ok_or_else(|| unprocessable("doc is missing path"))?,
            "remove" => drop(remove(target, path).ok_or_else(|| unprocessable("doc is missing key"))?),
            "replace" => {
                let value = value()?;
                match target.pointer_mut(path) {
                    Some(slot) => *slot = value,
                    // A server's library takes it for an addition where the map is there.
                    None => add(target, path, value).ok_or_else(|| unprocessable("doc is missing key"))?,
                }
            }
            "move" => {
                let moved = remove(target, from()?).ok_or_else(|| unprocessable("doc is missing from"))?;
                add(target, path, moved).ok_or_else(|| unprocessable("doc is missing path"))?;
            }
            "copy" => {
                let copied =
                    target.pointer(from()?).cloned().ok_or_else(|| unprocessable("doc is missing from"))?;
                add(target, path, copied).ok_or_else(|| unprocessable("doc is missing path"))?;
            }
            "test" => {
                if target.pointer(path).unwrap_or(&Value::Null)
                    != operation.get("value").unwrap_or(&Value::Null)
                {
                    return Err(unprocessable("testing value failed"));
                }
            }
            _ => return Err(unprocessable("unexpected kind")),
        }
    }
    Ok(())
}

fn split_pointer(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *target = value;
        return Some(());
    }
    let (parent, last) = split_pointer(path)?;
    match target.pointer_mut(parent)? {
        Value::Object(map) => drop(map.insert(last, value)),
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let index: usize = last.parse().ok().filter(|index| *index <= items.len())?;
            items.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(target: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = split_pointer(path)?;
    match target.pointer_mut(parent)? {
        Value::Object(map) => map.remove(&last),
        Value::Array(items) => {
            let index: usize = last.parse().ok().filter(|index| *index < items.len())?;
            Some(items.remove(index))
        }
        _ => None,
    }
}

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// Strategic merge: maps by field, keyed lists by key, other lists whole, and the directives.
///
/// `None` says that a directive deleted the whole.
fn strategic(live: Option<Value>, patch: &Value, shape: &'static Shape) -> Result<Option<Value>, ApiError> {
    let Value::Object(patch) = patch else { return Ok(Some(patch.clone())) };
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        Some("delete") => return Ok(None),
        Some("replace") => return Ok(Some(Value::Object(without_directives(patch)))),
        Some("merge") | None => {}
        Some(other) => return Err(ApiError::bad_request(format!("Unknown patch type found: {other}"))),
    }
    let mut map = match live {
        Some(Value::Object(map)) => map,
        Some(_) | None => Map::new(),
    };
    if let Some(Value::Array(kept)) = patch.get(RETAIN_KEYS) {
        map.retain(|key, _| kept.iter().any(|name| name.as_str() == Some(key)));
    }
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix(DELETE_FROM) {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (map.get_mut(list), value) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if key.starts_with('$') {
            continue;
        }
        if value.is_null() {
            map.remove(key);
            continue;
        }
        let below = shape.field(key);
        let order = patch.get(&format!("{ORDER}{key}"));
        let merged = match value {
            Value::Array(items) => Some(Value::Array(strategic_list(map.remove(key), items, order, below)?)),
            Value::Object(_) => strategic(map.remove(key), value, below)?,
            _ => Some(value.clone()),
        };
        if let Some(merged) = merged {
            map.insert(key.clone(), merged);
        }
    }
    // An order may come without a change of the list's items.
    for (key, order) in patch {
        if let Some(list) = key.strip_prefix(ORDER)
            && !patch.contains_key(list)
            && let Some(Value::Array(items)) = map.get_mut(list)
        {
            sort_by_order(items, order, shape.field(list));
        }
    }
    Ok(Some(Value::Object(map)))
}

fn strategic_list(
    live: Option<Value>,
    patch: &[Value],
    order: Option<&Value>,
    shape: &'static Shape,
) -> Result<Vec<Value>, ApiError> {
    let is_directive = |item: &Value, word: &str| item.get(DIRECTIVE).and_then(Value::as_str) == Some(word);
    let items_of = |patch: &[Value]| -> Vec<Value> {
        let items = patch
            .iter()
            .filter(|item| !is_directive(item, "replace") || item.as_object().is_some_and(|m| m.len() > 1));
        items
            .map(|item| match item {
                Value::Object(map) => Value::Object(without_directives(map)),
                other => other.clone(),
            })
            .collect()
    };
    let Some(list) = shape.keyed_list() else { return Ok(items_of(patch)) };
    if patch.iter().any(|item| is_directive(item, "replace")) {
        return Ok(items_of(patch));
    }
    let mut items = match live {
        Some(Value::Array(items)) => items,
        Some(_) | None => Vec::new(),
    };
    if let Some(key) = list.keys.first()
        && let Some(nameless) = patch.iter().find(|item| item.get(key.name).is_none() && item.is_object())
    {
        let message = format!("map: {nameless} does not contain declared merge key: {}", key.name);
        return Err(ApiError::new(Reason::Unknown, message));
    }
    let before = items.clone();
    for change in patch {
        let mut wanted = change.clone();
        if let Value::Object(map) = &mut wanted {
            map.remove(DIRECTIVE);
        }
        // kubectl names an item by its first key alone.
        let is_it = |item: &Value| match list.keys.first() {
            None => *item == wanted,
            Some(_) => {
                let given: Vec<_> = list.keys.iter().filter(|key| wanted.get(key.name).is_some()).collect();
                !given.is_empty() && given.iter().all(|key| item.get(key.name) == wanted.get(key.name))
            }
        };
        let position = items.iter().position(is_it);
        if is_directive(change, "delete") {
            items.retain(|item| !is_it(item));
            continue;
        }
        match position {
            Some(position) if list.keys.is_empty() => items[position] = wanted,
            Some(position) => {
                let live = items[position].take();
                if let Some(merged) = strategic(Some(live), change, list.item)? {
                    items[position] = merged;
                }
            }
            None => items.extend(strategic(None, change, list.item)?),
        }
    }
    let mut items = in_patch_order(items, patch, &before, list);
    if let Some(order) = order {
        sort_by_order(&mut items, order, shape);
    }
    Ok(items)
}

/// What a patch names in its own order, what it does not name in the old one; between the two the old one decides
/// as far as it knows both (`mergeSortedSlice` of apimachinery's strategicpatch).
fn in_patch_order(items: Vec<Value>, patch: &[Value], before: &[Value], list: KeyedList) -> Vec<Value> {
    let same = |a: &Value, b: &Value| match list.keys.first() {
        None => a == b,
        Some(key) => a.get(key.name).is_some() && a.get(key.name) == b.get(key.name),
    };
    let place = |all: &[Value], item: &Value| all.iter().position(|other| same(other, item));
    let (mut named, rest): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|item| place(patch, item).is_some());
    named.sort_by_key(|item| place(patch, item));
    let mut rest = rest.into_iter().peekable();
    let mut merged = Vec::new();
    for item in named {
        while let Some(other) = rest.next_if(|other| {
            place(before, other).zip(place(before, &item)).is_some_and(|(other, item)| other < item)
        }) {
            merged.push(other);
        }
        merged.push(item);
    }
    merged.extend(rest);
    merged
}

/// Puts the items that an order names into it; the others keep following what they followed.
fn sort_by_order(items: &mut [Value], order: &Value, shape: &'static Shape) {
    let (Some(list), Value::Array(order)) = (shape.keyed_list(), order) else { return };
    let rank = |item: &Value| {
        order.iter().position(|wanted| match list.keys.first() {
            None => wanted == item,
            Some(key) => wanted.get(key.name).is_some() && wanted.get(key.name) == item.get(key.name),
        })
    };
    let mut last = 0;
    let mut ranked: Vec<(usize, usize, Value)> = Vec::with_capacity(items.len());
    for (position, item) in items.iter_mut().enumerate() {
        last = rank(item).unwrap_or(last);
        ranked.push((last, position, item.take()));
    }
    ranked.sort_by_key(|(rank, position, _)| (*rank, *position));
    for (slot, (_, _, item)) in items.iter_mut().zip(ranked) {
        *slot = item;
    }
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter()
        .filter(|(key, _)| !key.starts_with('$'))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

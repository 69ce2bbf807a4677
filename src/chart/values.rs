//! The values of a rendering: what was given on top of the charts' own.
//!
//! Merged in place on maps that are shared by reference, as helm does it
//! (pkg/chartutil/coalesce.go, 3.22): a subchart's values are a part of its
//! parent's, and a map inside of `global` is one map for both.

use serde_json::Value as Json;

use super::error::Fault;
use super::function::deep_copy;
use super::meter::Meter;
use super::tree::{NodeId, Tree};
use super::value::{Map, Text, Value};

/// What a null does to a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    /// It takes it away: `CoalesceValues`.
    Delete,
    /// It stays in its place: `MergeValues`.
    Stay,
}

const GLOBAL: &str = "global";

/// A copy that shares nothing with its original.
pub(super) fn copied(map: &Map, meter: &Meter) -> Result<Map, Fault> {
    let Value::Map(copy) = deep_copy(&Value::Map(map.clone()), 0, meter)? else {
        unreachable!("a copy of a map is a map")
    };
    Ok(copy)
}

/// The values of a chart and of all its subcharts: what is given wins, maps merge, lists are
/// replaced. Nothing that is given is changed; the result is a map of its own.
pub(super) fn coalesced(
    tree: &Tree<'_>,
    node: NodeId,
    given: &Map,
    nulls: Nulls,
    meter: &Meter,
) -> Result<Map, Fault> {
    let values = copied(given, meter)?;
    coalesce(tree, node, &values, nulls, meter)?;
    Ok(values)
}

fn coalesce(tree: &Tree<'_>, node: NodeId, values: &Map, nulls: Nulls, meter: &Meter) -> Result<(), Fault> {
    with_defaults(tree, node, values, nulls, meter)?;
    for child in tree.children(node) {
        let name = tree.name(*child);
        let inner = match values.get(name) {
            None => {
                let empty = Map::default();
                values.insert(Text::clone(name), Value::Map(empty.clone()));
                empty
            }
            Some(Value::Map(inner)) => inner,
            Some(other) => {
                let what = format!(
                    "{name}: expected a map, the values of subchart {name}, got {}",
                    other.type_name()
                );
                return Err(Fault::Values(vec![what]));
            }
        };
        share_globals(values, &inner, meter)?;
        coalesce(tree, *child, &inner, nulls, meter)?;
    }
    Ok(())
}

fn with_defaults(
    tree: &Tree<'_>,
    node: NodeId,
    values: &Map,
    nulls: Nulls,
    meter: &Meter,
) -> Result<(), Fault> {
    let defaults = tree.defaults(node, meter)?;
    for (key, default) in defaults.entries() {
        match (values.get(&key), default) {
            (None, default) => values.insert(key, default),
            // At the top a null takes the key away even if the default is null too.
            (Some(Value::Nil), _) if nulls == Nulls::Delete => values.remove(&key),
            (Some(Value::Map(ours)), Value::Map(theirs)) => {
                let is_child = tree.children(node).iter().any(|child| *tree.name(*child) == key);
                // The subchart's own merge, which comes later, is what a null there is for.
                let nulls = if is_child { Nulls::Stay } else { nulls };
                merge_tables(&ours, &theirs, nulls, meter)?;
            }
            (Some(_), _) => {}
        }
    }
    Ok(())
}

/// Adds to `ours` what it lacks of `theirs`, map by map.
///
/// The second map is used up: parts of it become parts of the first.
pub(super) fn merge_tables(ours: &Map, theirs: &Map, nulls: Nulls, meter: &Meter) -> Result<(), Fault> {
    if ours.is_same(theirs) {
        return Ok(());
    }
    let before = theirs.entries();
    meter.steps(1 + before.len() as u64)?;
    for (key, _) in ours.entries().into_iter().filter(|(_, our)| our.is_nil()) {
        theirs.insert(key, Value::Nil);
    }
    for (key, their) in before {
        match (ours.get(&key), their) {
            (None, their) => ours.insert(key, their),
            (Some(Value::Nil), Value::Nil) => {}
            (Some(Value::Nil), _) if nulls == Nulls::Delete => ours.remove(&key),
            (Some(Value::Map(ours)), Value::Map(theirs)) => merge_tables(&ours, &theirs, nulls, meter)?,
            (Some(_), _) => {}
        }
    }
    Ok(())
}

/// Hands a chart's globals down: they win over those that its subchart was given.
fn share_globals(values: &Map, inner: &Map, meter: &Meter) -> Result<(), Fault> {
    let table = |map: &Map| match map.get(GLOBAL) {
        None => Some(Map::default()),
        Some(Value::Map(globals)) => Some(globals),
        Some(_) => None,
    };
    let (Some(theirs), Some(ours)) = (table(inner), table(values)) else { return Ok(()) };
    for (key, value) in ours.entries() {
        meter.steps(1)?;
        match (value, theirs.get(&key)) {
            (Value::Map(map), None) => theirs.insert(key, Value::Map(map.shallow())),
            (Value::Map(map), Some(Value::Map(their))) => {
                let shared = map.shallow();
                merge_tables(&shared, &their, Nulls::Stay, meter)?;
                theirs.insert(key, Value::Map(shared));
            }
            (Value::Map(_), Some(_)) | (_, Some(Value::Map(_))) => {}
            (value, _) => theirs.insert(key, value),
        }
    }
    inner.insert(GLOBAL.into(), Value::Map(theirs));
    Ok(())
}

/// The table at a path with dots between its parts.
pub(super) fn table_at(values: &Map, path: &str) -> Option<Map> {
    let mut table = values.clone();
    for part in path.split('.') {
        match table.get(part) {
            Some(Value::Map(next)) => table = next,
            Some(_) | None => return None,
        }
    }
    Some(table)
}

/// What is at a path and no table.
pub(super) fn value_at(values: &Map, path: &str) -> Option<Value> {
    let (table, key) = match path.rsplit_once('.') {
        None => (values.clone(), path),
        Some((table, key)) => (table_at(values, table)?, key),
    };
    table.get(key).filter(|value| !matches!(value, Value::Map(_)))
}

/// Values as JSON, for the schema.
pub(super) fn to_json(value: &Value) -> Json {
    match value {
        Value::Nothing | Value::Nil | Value::Host(_) => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) | Value::Int64(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Text(text) => Json::String(text.to_string()),
        Value::List(list) => Json::Array(list.iter().map(to_json).collect()),
        Value::Map(map) => {
            Json::Object(map.borrow().iter().map(|(key, value)| (key.to_string(), to_json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chart::Chart;
    use crate::chart::value::from_json;

    fn merged(defaults: &Json, given: &Json) -> Json {
        let files = [
            ("Chart.yaml", "name: a\nversion: 1.0.0\n".to_owned()),
            // JSON is YAML.
            ("values.yaml", defaults.to_string()),
        ];
        let chart = Chart::load(files.map(|(path, text)| (path.to_owned(), text.into_bytes())));
        let chart = chart.expect("a chart");
        let meter = Meter::default();
        let tree = Tree::of(&chart.part).expect("one chart");
        let Value::Map(given) = from_json(given) else { panic!("the test has maps") };
        let values = coalesced(&tree, Tree::ROOT, &given, Nulls::Delete, &meter).expect("small");
        to_json(&Value::Map(values))
    }

    /// What `helm template` 3.22 printed of `.Values` for the same.
    #[test]
    fn given_values_win_and_nulls_take_defaults_away() {
        let defaults = json!({
            "a": 1.5, "b": { "x": "1", "y": { "z": "2" }, "n": null }, "l": ["1", "2"], "t": {}, "gone": { "k": "v" },
            "n": null, "m": { "k": "v" },
        });
        let given = json!({
            "a": 2.5, "b": { "x": null, "y": { "w": "3" }, "n": null, "new": null }, "l": ["3"], "gone": null,
            "n": null, "extra": null, "m": "text",
        });
        assert_eq!(
            merged(&defaults, &given),
            json!({
                "a": 2.5, "b": { "y": { "z": "2", "w": "3" }, "n": null, "new": null }, "l": ["3"], "t": {},
                "extra": null, "m": "text",
            })
        );
    }
}

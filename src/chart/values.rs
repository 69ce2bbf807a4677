//! The values of a rendering: what was given on top of the chart's own.

use std::collections::BTreeMap;

use serde_json::{Map as Object, Value as Json};

use super::value::{Map, Text, Value, from_json};

/// Merges as Helm's `CoalesceValues` does: what is given wins, maps merge, lists are
/// replaced, and a null takes a default away.
///
/// The chart's own side is never changed; the result is a map of its own.
pub(super) fn coalesced(defaults: &Object<String, Json>, given: &Object<String, Json>) -> Map {
    let mut merged = BTreeMap::new();
    for (key, value) in given {
        match (value, defaults.get(key)) {
            // At the top a null takes the key away even if the default is null too.
            (Json::Null, Some(_)) => {}
            (Json::Object(given), Some(Json::Object(defaults))) => {
                merged.insert(Text::from(key.as_str()), Value::Map(tables(defaults, given)));
            }
            (value, _) => {
                merged.insert(Text::from(key.as_str()), from_json(value));
            }
        }
    }
    add_missing(&mut merged, defaults, given);
    Map::new(merged)
}

fn tables(defaults: &Object<String, Json>, given: &Object<String, Json>) -> Map {
    let mut merged = BTreeMap::new();
    for (key, value) in given {
        let value = match (value, defaults.get(key)) {
            (Json::Null, Some(default)) if !default.is_null() => continue,
            (Json::Object(given), Some(Json::Object(defaults))) => Value::Map(tables(defaults, given)),
            (value, _) => from_json(value),
        };
        merged.insert(Text::from(key.as_str()), value);
    }
    add_missing(&mut merged, defaults, given);
    Map::new(merged)
}

fn add_missing(
    merged: &mut BTreeMap<Text, Value>,
    defaults: &Object<String, Json>,
    given: &Object<String, Json>,
) {
    for (key, default) in defaults {
        if !given.contains_key(key) {
            merged.insert(Text::from(key.as_str()), from_json(default));
        }
    }
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

    fn merged(defaults: &Json, given: &Json) -> Json {
        let object = |json: &Json| json.as_object().cloned().expect("the test has maps");
        to_json(&Value::Map(coalesced(&object(defaults), &object(given))))
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

//! The JSON schema of a topology file, for editors: `stolos schema`.
//!
//! It is made of the table of keys that the decoder reads, so that an editor
//! offers exactly the keys that a file may have. It says the shape alone;
//! what the declarations mean to one another is `validate`'s.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::keys::{Key, Need, Record, Shape, TOPOLOGY};

/// The schema, JSON Schema draft 2020-12.
pub fn schema() -> Value {
    let mut definitions = BTreeMap::new();
    define(&TOPOLOGY, &mut definitions);
    let mut root = definitions.remove(TOPOLOGY.name).expect("the root defines itself");
    // A file of a folder may hold nothing but one of the gathered maps, so the root asks for `version` alone.
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Stolos topology");
    root["$defs"] = json!(definitions);
    root
}

/// Adds a record and all that it mentions.
fn define(record: &Record, definitions: &mut BTreeMap<&'static str, Value>) {
    if definitions.contains_key(record.name) {
        return;
    }
    definitions.insert(record.name, Value::Null);
    let mut properties = Map::new();
    for key in record.keys {
        properties.insert(key.name.to_owned(), property(key, definitions));
    }
    let required: Vec<&str> =
        record.keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    let mut definition = json!({
        "description": record.about,
        "type": if required.is_empty() { json!(["object", "null"]) } else { json!("object") },
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        definition["required"] = json!(required);
    }
    definitions.insert(record.name, definition);
}

fn property(key: &Key, definitions: &mut BTreeMap<&'static str, Value>) -> Value {
    let mut property = shape(&key.shape, definitions);
    property["description"] = json!(key.about);
    property
}

fn shape(of: &Shape, definitions: &mut BTreeMap<&'static str, Value>) -> Value {
    match of {
        Shape::One => json!({ "const": 1 }),
        Shape::Text => json!({ "type": "string", "minLength": 1 }),
        Shape::Version => json!({ "type": ["string", "number"] }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::False => json!({ "const": false }),
        Shape::Whole { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Duration => {
            json!({ "type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2 })
        }
        Shape::List(item) => json!({ "type": "array", "items": shape(item, definitions) }),
        Shape::Of(record) => {
            define(record, definitions);
            json!({ "$ref": format!("#/$defs/{}", record.name) })
        }
        Shape::Named(value) => {
            json!({ "type": ["object", "null"], "additionalProperties": shape(value, definitions) })
        }
        Shape::Ports => json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": "^[1-9][0-9]{0,4}$" },
            "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 65535 },
        }),
        Shape::Free => json!({ "type": ["object", "null"] }),
        Shape::Either(shapes) => {
            let shapes: Vec<Value> = shapes.iter().map(|either| shape(either, definitions)).collect();
            json!({ "anyOf": shapes })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::document::yaml::{Limits, Schema, parse_one};
    use crate::document::{Node, SourceId, toml};

    fn tree(name: &str, text: &str) -> Value {
        let reading = if name.ends_with(".toml") {
            toml::parse(SourceId(0), text, Limits::TOPOLOGY)
        } else {
            parse_one(SourceId(0), text, Schema::Core, Limits::TOPOLOGY)
        };
        let node: Node = reading.into_result().expect("valid").expect("a document");
        node.to_json()
    }

    /// Whether a value fits, by the keywords that this schema uses and no other.
    fn fits(value: &Value, schema: &Value, root: &Value) -> bool {
        schema.as_object().expect("a schema").iter().all(|(keyword, says)| match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let pointer = says.as_str().expect("a text").trim_start_matches('#');
                fits(value, root.pointer(pointer).expect("a definition"), root)
            }
            "const" => value == says,
            "enum" => says.as_array().expect("a list").contains(value),
            "anyOf" => says.as_array().expect("a list").iter().any(|either| fits(value, either, root)),
            "type" => {
                let kind = |kind: &Value| match kind.as_str() {
                    Some("object") => value.is_object(),
                    Some("array") => value.is_array(),
                    Some("string") => value.is_string(),
                    Some("number") => value.is_number(),
                    Some("integer") => value.is_i64() || value.is_u64(),
                    Some("null") => value.is_null(),
                    other => panic!("{other:?} is a type"),
                };
                says.as_array().map_or_else(|| kind(says), |kinds| kinds.iter().any(kind))
            }
            "pattern" => value.as_str().is_none_or(|text| {
                let pattern = regex::Regex::new(says.as_str().expect("a text")).expect("a pattern");
                pattern.is_match(text)
            }),
            "minLength" => value.as_str().is_none_or(|text| !text.is_empty()),
            "minimum" => value.as_u64() >= says.as_u64(),
            "maximum" => value.as_u64() <= says.as_u64(),
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits(item, says, root))),
            "required" => value.as_object().is_none_or(|map| {
                says.as_array()
                    .expect("a list")
                    .iter()
                    .all(|key| map.contains_key(key.as_str().expect("a text")))
            }),
            "properties" => value.as_object().is_none_or(|map| {
                map.iter().all(|(key, value)| says.get(key).is_none_or(|says| fits(value, says, root)))
            }),
            "additionalProperties" => value.as_object().is_none_or(|map| {
                let known =
                    |key: &str| schema.get("properties").is_some_and(|known| known.get(key).is_some());
                map.iter().filter(|(key, _)| !known(key)).all(|(_, value)| match says {
                    Value::Bool(open) => *open,
                    says => fits(value, says, root),
                })
            }),
            "propertyNames" => {
                value.as_object().is_none_or(|map| map.keys().all(|key| key.parse::<u16>().is_ok()))
            }
            other => panic!("{other} is a keyword"),
        })
    }

    #[test]
    fn every_example_fits() {
        let schema = schema();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/topologies");
        let mut seen = 0;
        for entry in fs::read_dir(folder).expect("the folder of examples") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let text = fs::read_to_string(&path).expect("readable");
                let name = path.to_string_lossy();
                assert!(fits(&tree(&name, &text), &schema, &schema), "{name}");
                seen += 1;
            }
        }
        assert!(seen >= 5, "{seen} examples");
    }

    #[test]
    fn what_the_decoder_takes_fits_and_a_slip_does_not() {
        let schema = schema();
        let right = "version: 1\nclusters: {c: {network: n, role: remote, primaries: [p], eastWestGateway: {ports: {15443: 1}}, timeouts: {base: 1m30s}}}";
        assert!(fits(&tree("t.yaml", right), &schema, &schema));
        for (from, to) in [
            ("version: 1", "version: 2"),
            ("network: n,", ""),
            ("remote", "master"),
            ("[p]", "p"),
            ("15443: 1", "15443: x"),
            ("eastWestGateway", "eastwestGateway"),
            ("{ports: {15443: 1}}", "true"),
            ("1m30s", "30s1m"),
            ("base", "bases"),
        ] {
            let wrong = right.replace(from, to);
            assert!(!fits(&tree("t.yaml", &wrong), &schema, &schema), "{wrong}");
        }
    }

    #[test]
    fn every_key_is_described_and_named_once() {
        fn check(record: &Record) {
            let mut names = std::collections::BTreeSet::new();
            for key in record.keys {
                assert!(key.about.ends_with(['.', ':', '`', '}']), "{}.{}", record.name, key.name);
                assert!(names.insert(key.name), "{}.{}", record.name, key.name);
                below(&key.shape);
            }
        }
        fn below(shape: &Shape) {
            match shape {
                Shape::Of(record) => check(record),
                Shape::List(inner) | Shape::Named(inner) => below(inner),
                Shape::Either(shapes) => shapes.iter().for_each(below),
                Shape::One
                | Shape::Text
                | Shape::Version
                | Shape::Words(_)
                | Shape::False
                | Shape::Whole { .. }
                | Shape::Duration
                | Shape::Ports
                | Shape::Free => {}
            }
        }
        check(&TOPOLOGY);
    }
}

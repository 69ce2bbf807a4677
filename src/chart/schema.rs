//! `values.schema.json`: the part of JSON Schema that charts use.
//!
//! A schema is looked through when it is read: a keyword that is not implemented
//! is an error by name, so that no rule is passed over.

use std::collections::HashSet;

use regex::Regex;
use serde_json::{Map, Value};

use super::error::{ChartError, Fault};
use super::part::Home;

const FILE: &str = "values.schema.json";
const MOST_LEVELS: usize = 64;
const MOST_FAULTS: usize = 20;

/// A schema of which every rule is implemented.
#[derive(Debug)]
pub(super) struct Schema(Value);

/// Keywords of JSON Schema that are not implemented; any other word is a remark, as the standard says.
const NOT_IMPLEMENTED: &[&str] = &[
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveAnchor",
    "$recursiveRef",
    "$vocabulary",
    "additionalItems",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "maxContains",
    "minContains",
    "prefixItems",
    "unevaluatedItems",
    "unevaluatedProperties",
];

impl Schema {
    pub(super) fn read(home: &Home, text: &str) -> Result<Self, ChartError> {
        let refused = |what: String| home.fault(FILE, Fault::NotAChart(what));
        let root: Value = serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
        known(&root, &root).map_err(refused)?;
        Ok(Self(root))
    }

    /// What is wrong with values that stand at a path of the whole, which is empty for the whole itself.
    pub(super) fn faults(&self, values: &Value, path: &str) -> Vec<String> {
        let mut faults = Vec::new();
        self.one(&self.0, values, path, 0, &mut faults);
        faults
    }

    fn fits(&self, schema: &Value, value: &Value, level: usize) -> bool {
        let mut faults = Vec::new();
        self.one(schema, value, "", level, &mut faults);
        faults.is_empty()
    }

    fn one(&self, schema: &Value, value: &Value, path: &str, level: usize, faults: &mut Vec<String>) {
        let here = if path.is_empty() { "(root)" } else { path };
        if faults.len() >= MOST_FAULTS {
            return;
        }
        if level > MOST_LEVELS {
            faults.push(format!("{here}: the schema refers to itself without an end"));
            return;
        }
        let rules = match schema {
            Value::Bool(true) => return,
            Value::Object(rules) => rules,
            _ => {
                faults.push(format!("{here}: nothing is allowed here"));
                return;
            }
        };
        for (keyword, rule) in rules {
            let mut fault = |what: String| faults.push(format!("{here}: {what}"));
            match keyword.as_str() {
                "$ref" => match rule.as_str().and_then(|target| referred(&self.0, target)) {
                    Some(target) => self.one(target, value, path, level + 1, faults),
                    None => fault(format!("the schema refers to {rule}, which is not there")),
                },
                "type" => {
                    let wanted = names(rule);
                    if !wanted.iter().any(|name| is_of_type(value, name)) {
                        fault(format!("expected {}, got {}", wanted.join(" or "), type_of(value)));
                    }
                }
                "enum" => {
                    if !rule.as_array().is_some_and(|allowed| allowed.iter().any(|one| same(one, value))) {
                        fault(format!("must be one of {rule}"));
                    }
                }
                "const" => {
                    if !same(rule, value) {
                        fault(format!("must be {rule}"));
                    }
                }
                "allOf" => {
                    for part in rule.as_array().into_iter().flatten() {
                        self.one(part, value, path, level + 1, faults);
                    }
                }
                "anyOf" | "oneOf" => {
                    let parts = rule.as_array().into_iter().flatten();
                    let fitting = parts.filter(|part| self.fits(part, value, level + 1)).count();
                    if fitting == 0 || (keyword == "oneOf" && fitting > 1) {
                        fault(format!("fits {fitting} of the alternatives of `{keyword}`"));
                    }
                }
                "not" => {
                    if self.fits(rule, value, level + 1) {
                        fault("fits what it must not".to_owned());
                    }
                }
                "if" => {
                    let branch = if self.fits(rule, value, level + 1) { "then" } else { "else" };
                    if let Some(branch) = rules.get(branch) {
                        self.one(branch, value, path, level + 1, faults);
                    }
                }
                _ => match value {
                    Value::Object(map) => self.map(keyword, rule, rules, map, (path, level), faults),
                    Value::Array(items) => self.list(keyword, rule, items, (path, level), faults),
                    Value::String(text) => check_text(keyword, rule, text, here, faults),
                    Value::Number(number) => {
                        check_number(keyword, rule, number.as_f64().unwrap_or(f64::NAN), here, faults);
                    }
                    Value::Null | Value::Bool(_) => {}
                },
            }
        }
    }

    fn map(
        &self,
        keyword: &str,
        rule: &Value,
        rules: &Map<String, Value>,
        map: &Map<String, Value>,
        (path, level): (&str, usize),
        faults: &mut Vec<String>,
    ) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let here = if path.is_empty() { "(root)" } else { path };
        match keyword {
            "properties" => {
                for (key, schema) in rule.as_object().into_iter().flatten() {
                    if let Some(value) = map.get(key) {
                        self.one(schema, value, &below(key), level + 1, faults);
                    }
                }
            }
            "patternProperties" => {
                for (pattern, schema) in rule.as_object().into_iter().flatten() {
                    let Ok(pattern) = Regex::new(pattern) else { continue };
                    for (key, value) in map.iter().filter(|(key, _)| pattern.is_match(key)) {
                        self.one(schema, value, &below(key), level + 1, faults);
                    }
                }
            }
            "additionalProperties" => {
                let patterns: Vec<Regex> = rules
                    .get("patternProperties")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .filter_map(|(pattern, _)| Regex::new(pattern).ok())
                    .collect();
                let named = rules.get("properties").and_then(Value::as_object);
                for (key, value) in map {
                    let is_named = named.is_some_and(|named| named.contains_key(key))
                        || patterns.iter().any(|pattern| pattern.is_match(key));
                    match rule {
                        _ if is_named => {}
                        Value::Bool(false) => faults.push(format!("{here}: `{key}` is not allowed")),
                        rule => self.one(rule, value, &below(key), level + 1, faults),
                    }
                }
            }
            "required" => {
                for key in names(rule).into_iter().filter(|key| !map.contains_key(*key)) {
                    faults.push(format!("{here}: `{key}` is required"));
                }
            }
            "minProperties" if rule.as_u64().is_some_and(|least| (map.len() as u64) < least) => {
                faults.push(format!("{here}: must have at least {rule} entries"));
            }
            "maxProperties" if rule.as_u64().is_some_and(|most| map.len() as u64 > most) => {
                faults.push(format!("{here}: must have at most {rule} entries"));
            }
            "propertyNames" => {
                for key in map.keys() {
                    if !self.fits(rule, &Value::String(key.clone()), level + 1) {
                        faults.push(format!("{here}: `{key}` is no name that is allowed"));
                    }
                }
            }
            _ => {}
        }
    }

    fn list(
        &self,
        keyword: &str,
        rule: &Value,
        items: &[Value],
        (path, level): (&str, usize),
        faults: &mut Vec<String>,
    ) {
        let here = if path.is_empty() { "(root)" } else { path };
        match keyword {
            "items" => {
                for (at, item) in items.iter().enumerate() {
                    self.one(rule, item, &format!("{path}[{at}]"), level + 1, faults);
                }
            }
            "contains" if !items.iter().any(|item| self.fits(rule, item, level + 1)) => {
                faults.push(format!("{here}: no item fits"));
            }
            "minItems" if rule.as_u64().is_some_and(|least| (items.len() as u64) < least) => {
                faults.push(format!("{here}: must have at least {rule} items"));
            }
            "maxItems" if rule.as_u64().is_some_and(|most| items.len() as u64 > most) => {
                faults.push(format!("{here}: must have at most {rule} items"));
            }
            "uniqueItems" if rule == &Value::Bool(true) => {
                let mut seen = HashSet::new();
                if !items.iter().all(|item| seen.insert(item.to_string())) {
                    faults.push(format!("{here}: an item stands twice"));
                }
            }
            _ => {}
        }
    }
}

fn check_text(keyword: &str, rule: &Value, text: &str, here: &str, faults: &mut Vec<String>) {
    let length = text.chars().count() as u64;
    match keyword {
        "minLength" if rule.as_u64().is_some_and(|least| length < least) => {
            faults.push(format!("{here}: must have at least {rule} characters"));
        }
        "maxLength" if rule.as_u64().is_some_and(|most| length > most) => {
            faults.push(format!("{here}: must have at most {rule} characters"));
        }
        "pattern" => {
            let fits =
                rule.as_str().and_then(|rule| Regex::new(rule).ok()).is_some_and(|re| re.is_match(text));
            if !fits {
                faults.push(format!("{here}: does not match {rule}"));
            }
        }
        _ => {}
    }
}

fn check_number(keyword: &str, rule: &Value, number: f64, here: &str, faults: &mut Vec<String>) {
    let Some(bound) = rule.as_f64() else { return };
    let broken = match keyword {
        "minimum" => number < bound,
        "maximum" => number > bound,
        "exclusiveMinimum" => number <= bound,
        "exclusiveMaximum" => number >= bound,
        "multipleOf" => (number / bound).fract() != 0.0,
        _ => false,
    };
    if broken {
        faults.push(format!("{here}: breaks `{keyword}`: {rule}"));
    }
}

/// The names in a text or a list of texts.
fn names(rule: &Value) -> Vec<&str> {
    match rule {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        name => type_of(value) == name,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Equal, with numbers compared by value: values hold floats, schemas may hold integers.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

/// `#`, `#/$defs/values`.
fn referred<'s>(root: &'s Value, target: &str) -> Option<&'s Value> {
    root.pointer(target.strip_prefix('#')?)
}

/// Whether every keyword is implemented, and every reference has a target.
fn known(root: &Value, schema: &Value) -> Result<(), String> {
    let rules = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(rules) => rules,
        _ => return Err("a schema is neither a map nor a boolean".to_owned()),
    };
    for (keyword, rule) in rules {
        match keyword.as_str() {
            "$defs" | "definitions" | "properties" | "patternProperties" => {
                for (key, schema) in rule.as_object().ok_or_else(|| format!("`{keyword}` is no map"))? {
                    if keyword == "patternProperties" {
                        pattern(key)?;
                    }
                    known(root, schema)?;
                }
            }
            "additionalProperties"
            | "items"
            | "contains"
            | "not"
            | "if"
            | "then"
            | "else"
            | "propertyNames" => {
                known(root, rule)?;
            }
            "allOf" | "anyOf" | "oneOf" => {
                for part in rule.as_array().ok_or_else(|| format!("`{keyword}` is no list"))? {
                    known(root, part)?;
                }
            }
            "$ref" => {
                rule.as_str()
                    .and_then(|target| referred(root, target))
                    .ok_or_else(|| format!("the reference {rule} leads out of the file or to nothing"))?;
            }
            "pattern" => pattern(rule.as_str().unwrap_or_default())?,
            "exclusiveMinimum" | "exclusiveMaximum" if rule.is_boolean() => {
                return Err(format!("the keyword `{keyword}` as a boolean is not implemented"));
            }
            keyword if NOT_IMPLEMENTED.contains(&keyword) => {
                return Err(format!("the keyword `{keyword}` is not implemented"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn pattern(words: &str) -> Result<(), String> {
    Regex::new(words).map(|_| ()).map_err(|_| format!("the pattern {words:?} cannot be used here"))
}

//! Plain data to values, and values to JSON.

use std::rc::Rc;

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_NESTING, Meter};
use crate::document::emit::{Shape, Tree};
use crate::document::number::{go_json, go_yaml};
use crate::document::{Kind, Node};

use super::{Element, Host, List, Map, Text, Value};

/// A value as Helm reads it from a file of values: every number is a float.
pub(in crate::chart) fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect()),
        Json::Object(map) => {
            Value::Map(map.iter().map(|(key, value)| (Text::from(key.as_str()), from_json(value))).collect())
        }
    }
}

/// A value as `fromYaml` reads it: every number is a float, of equal keys the later counts.
pub(in crate::chart) fn from_node(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Nil,
        Kind::Bool(truth) => Value::Bool(*truth),
        Kind::Number(words) => Value::Float(words.parse().unwrap_or(f64::NAN)),
        Kind::Text(text) => Value::text(text.as_str()),
        Kind::List(items) => Value::List(items.iter().map(from_node).collect()),
        Kind::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|entry| (Text::from(entry.key.value.as_str()), from_node(&entry.value)))
                .collect(),
        ),
    }
}

/// How JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::chart) struct JsonStyle {
    /// `<`, `>` and `&` as escapes, as `encoding/json` writes them.
    pub(in crate::chart) escape_html: Escape,
    /// Two spaces a level, one entry a line.
    pub(in crate::chart) layout: Layout,
}

/// Whether HTML's own characters are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::chart) enum Escape {
    Html,
    Nothing,
}

/// Whether JSON has line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::chart) enum Layout {
    Dense,
    Pretty,
}

/// A value as JSON; `None` where Go's JSON fails too, which Helm turns into an empty text.
pub(in crate::chart) fn to_json_text(
    value: &Value,
    style: JsonStyle,
    meter: &Meter,
) -> Result<Option<String>, Fault> {
    let mut out = String::new();
    let written = write_json(value, style, 0, meter, &mut out)?;
    meter.text(out.len())?;
    Ok(written.then_some(out))
}

fn write_json(
    value: &Value,
    style: JsonStyle,
    depth: usize,
    meter: &Meter,
    out: &mut String,
) -> Result<bool, Fault> {
    meter.steps(1)?;
    if depth > MOST_NESTING {
        return Err(Fault::Limit(Limit::Nesting(MOST_NESTING)));
    }
    match value {
        Value::Nothing | Value::Nil => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) | Value::Int64(number) => out.push_str(&number.to_string()),
        Value::Float(number) if number.is_finite() => out.push_str(&go_json(*number)),
        Value::Float(_) => return Ok(false),
        Value::Text(text) => write_json_text(text, style.escape_html, out),
        Value::List(list) if list.is_nil() => out.push_str("null"),
        Value::Map(map) if map.is_nil() => out.push_str("null"),
        Value::List(list) => return write_json_list(list, style, depth, meter, out),
        Value::Map(map) => {
            let map = map.borrow();
            let entries = map.iter().map(|(key, value)| (&**key, value));
            return write_json_map(entries, style, depth, meter, out);
        }
        Value::Host(host) => match &**host {
            Host::ApiVersions(list) => return write_json_list(list, style, depth, meter, out),
            Host::Struct { .. } | Host::KubeVersion { .. } | Host::Files(_) | Host::Bytes(_) => {
                return Err(unwritable(value));
            }
        },
    }
    Ok(true)
}

fn unwritable(value: &Value) -> Fault {
    Fault::Template(format!("writing a {} as YAML or JSON is not implemented", value.type_name()))
}

fn write_json_list(
    list: &[Value],
    style: JsonStyle,
    depth: usize,
    meter: &Meter,
    out: &mut String,
) -> Result<bool, Fault> {
    out.push('[');
    for (at, item) in list.iter().enumerate() {
        separate(at, style.layout, depth + 1, out);
        if !write_json(item, style, depth + 1, meter, out)? {
            return Ok(false);
        }
    }
    if !list.is_empty() {
        new_line(style.layout, depth, out);
    }
    out.push(']');
    Ok(true)
}

fn write_json_map<'a>(
    entries: impl Iterator<Item = (&'a str, &'a Value)>,
    style: JsonStyle,
    depth: usize,
    meter: &Meter,
    out: &mut String,
) -> Result<bool, Fault> {
    out.push('{');
    let mut any = false;
    for (at, (key, value)) in entries.enumerate() {
        any = true;
        separate(at, style.layout, depth + 1, out);
        write_json_text(key, style.escape_html, out);
        out.push_str(match style.layout {
            Layout::Dense => ":",
            Layout::Pretty => ": ",
        });
        if !write_json(value, style, depth + 1, meter, out)? {
            return Ok(false);
        }
    }
    if any {
        new_line(style.layout, depth, out);
    }
    out.push('}');
    Ok(true)
}

fn separate(at: usize, layout: Layout, depth: usize, out: &mut String) {
    if at > 0 {
        out.push(',');
    }
    new_line(layout, depth, out);
}

fn new_line(layout: Layout, depth: usize, out: &mut String) {
    if layout == Layout::Pretty {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    }
}

fn write_json_text(text: &str, escape: Escape, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' if escape == Escape::Html => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

impl Tree for Value {
    fn look<R>(&self, look: impl FnOnce(Shape<'_, Self>) -> R) -> R {
        match self {
            Self::Nothing | Self::Nil => look(Shape::Null),
            Self::Bool(truth) => look(Shape::Bool(*truth)),
            Self::Int(number) | Self::Int64(number) => look(Shape::Number(number.to_string().into())),
            Self::Float(number) => look(Shape::Number(go_yaml(*number).into())),
            Self::Text(text) => look(Shape::Text(text)),
            Self::List(list) if list.is_nil() => look(Shape::Null),
            Self::Map(map) if map.is_nil() => look(Shape::Null),
            Self::List(list) => look(Shape::List(list)),
            Self::Map(map) => {
                let map = map.borrow();
                look(Shape::Map(map.iter().map(|(key, value)| (&**key, value)).collect()))
            }
            Self::Host(host) => match &**host {
                Host::ApiVersions(list) => look(Shape::List(list)),
                // `check_writable` stands before every writing and refuses these by name.
                Host::Struct { .. } | Host::KubeVersion { .. } | Host::Files(_) | Host::Bytes(_) => {
                    look(Shape::Null)
                }
            },
        }
    }
}

/// Whether a value can be written as YAML: no file table, no bytes, and nothing of them inside.
pub(in crate::chart) fn check_writable(value: &Value, meter: &Meter) -> Result<(), Fault> {
    check_level(value, 0, meter)
}

fn check_level(value: &Value, depth: usize, meter: &Meter) -> Result<(), Fault> {
    meter.steps(1)?;
    if depth > MOST_NESTING {
        return Err(Fault::Limit(Limit::Nesting(MOST_NESTING)));
    }
    match value {
        Value::List(list) => list.iter().try_for_each(|item| check_level(item, depth + 1, meter)),
        Value::Map(map) => map.borrow().values().try_for_each(|item| check_level(item, depth + 1, meter)),
        Value::Host(host) => match &**host {
            Host::ApiVersions(_) => Ok(()),
            Host::Struct { .. } | Host::KubeVersion { .. } | Host::Files(_) | Host::Bytes(_) => {
                Err(unwritable(value))
            }
        },
        Value::Nothing
        | Value::Nil
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Int64(_)
        | Value::Float(_)
        | Value::Text(_) => Ok(()),
    }
}

/// A text list as a value.
pub(in crate::chart) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    Value::List(List::of(Element::Text, texts.into_iter().map(Value::text).collect()))
}

/// A host object as a value.
pub(in crate::chart) fn host(host: Host) -> Value {
    Value::Host(Rc::new(host))
}

/// A map of texts, as `split` gives it.
pub(in crate::chart) fn text_map(entries: impl IntoIterator<Item = (String, String)>) -> Value {
    Value::Map(Map::of_texts(
        entries.into_iter().map(|(key, value)| (Text::from(key), Value::text(value))).collect(),
    ))
}

/// An empty list.
pub(in crate::chart) fn no_items() -> Value {
    Value::List(List::default())
}

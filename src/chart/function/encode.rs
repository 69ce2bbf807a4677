//! YAML, JSON and base64.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value as Json;

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_NESTING, Meter};
use crate::chart::value::{
    Escape, JsonStyle, Layout, Map, Value, check_writable, from_json, from_node, to_json_text,
};
use crate::document::emit::{Bounds, TooLarge, write_yaml};
use crate::document::yaml::{Limits, Schema, parse_one};
use crate::document::{Kind, Node, SourceId};

use super::arg::{fault, text};
use super::{Function, plain};

const HTML_SAFE: JsonStyle = JsonStyle { escape_html: Escape::Html, layout: Layout::Dense };
const RAW: JsonStyle = JsonStyle { escape_html: Escape::Nothing, layout: Layout::Dense };
const PRETTY: JsonStyle = JsonStyle { escape_html: Escape::Html, layout: Layout::Pretty };

pub(super) static FUNCTIONS: &[Function] = &[
    plain("toYaml", 1, 1, to_yaml),
    plain("fromYaml", 1, 1, |meter, args| match yaml_of(meter, &args[0])? {
        // An empty text is an empty map.
        Ok(Value::Nil) => Ok(Value::Map(Map::default())),
        Ok(value @ Value::Map(_)) => Ok(value),
        Ok(_) => fault("the text is YAML but no map: what Helm makes of that is not implemented"),
        Err(what) => fault(what),
    }),
    plain("fromYamlArray", 1, 1, |meter, args| match yaml_of(meter, &args[0])? {
        Ok(Value::Nil) => Ok(crate::chart::value::no_items()),
        Ok(value @ Value::List(_)) => Ok(value),
        Ok(_) => fault("the text is YAML but no list: what Helm makes of that is not implemented"),
        Err(what) => fault(what),
    }),
    plain("toJson", 1, 1, |meter, args| to_json(meter, &args[0], HTML_SAFE)),
    plain("mustToJson", 1, 1, |meter, args| to_json(meter, &args[0], HTML_SAFE)),
    plain("toRawJson", 1, 1, |meter, args| to_json(meter, &args[0], RAW)),
    plain("mustToRawJson", 1, 1, |meter, args| to_json(meter, &args[0], RAW)),
    plain("toPrettyJson", 1, 1, |meter, args| to_json(meter, &args[0], PRETTY)),
    plain("mustToPrettyJson", 1, 1, |meter, args| to_json(meter, &args[0], PRETTY)),
    plain("fromJson", 1, 1, |meter, args| match json_of(meter, &args[0])? {
        Json::Null => Ok(Value::Map(Map::default())),
        json @ Json::Object(_) => Ok(from_json(&json)),
        _ => fault("the text is JSON but no map: what Helm makes of that is not implemented"),
    }),
    plain("fromJsonArray", 1, 1, |meter, args| match json_of(meter, &args[0])? {
        Json::Null => Ok(crate::chart::value::no_items()),
        json @ Json::Array(_) => Ok(from_json(&json)),
        _ => fault("the text is JSON but no list: what Helm makes of that is not implemented"),
    }),
    plain("mustFromJson", 1, 1, |meter, args| Ok(from_json(&json_of(meter, &args[0])?))),
    plain("b64enc", 1, 1, |meter, args| {
        let encoded = BASE64_STANDARD.encode(text(&args[0])?);
        meter.text(encoded.len())?;
        Ok(Value::text(encoded))
    }),
    plain("b64dec", 1, 1, |meter, args| {
        // Go skips line breaks.
        let words: String = text(&args[0])?.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
        let Ok(bytes) = BASE64_STANDARD.decode(words) else {
            return fault("illegal base64 data: what Helm makes of it is not implemented");
        };
        meter.text(bytes.len())?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Value::text(text)),
            Err(_) => fault("the decoded bytes are not UTF-8, which is not implemented"),
        }
    }),
];

fn to_yaml(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    check_writable(&args[0], meter)?;
    let bounds = Bounds { depth: MOST_NESTING, bytes: meter.bytes_left() };
    let mut text = write_yaml(&args[0], bounds).map_err(|too_large| match too_large {
        TooLarge::Deep => Fault::Limit(Limit::Nesting(MOST_NESTING)),
        TooLarge::Long => Fault::Limit(Limit::Output(bounds.bytes)),
    })?;
    meter.text(text.len())?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(Value::text(text))
}

fn to_json(meter: &Meter, value: &Value, style: JsonStyle) -> Result<Value, Fault> {
    match to_json_text(value, style, meter)? {
        Some(text) => Ok(Value::text(text)),
        None => fault("a number that is not finite has no JSON"),
    }
}

/// A text of one YAML document as go-yaml reads it, or what is wrong with it.
pub(in crate::chart) fn read_yaml(text: &str) -> Result<Option<Node>, String> {
    let reading = parse_one(SourceId(0), text, Schema::Go, Limits::MANIFESTS);
    let node = reading.into_result().map_err(|fault| {
        let before = text.get(..fault.primary.span.range().start).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        format!("line {line}: {}: {}", fault.code.summary, fault.primary.text)
    })?;
    Ok(node.map(|mut node| {
        end_without_break(&mut node, text);
        node
    }))
}

/// Takes the line break away that a block (`|`) at the very end of a text gets from our parser and not from
/// go-yaml, where the text's last line has none.
fn end_without_break(node: &mut Node, text: &str) {
    let span = node.span.range();
    if span.end < text.len() || text.ends_with('\n') {
        return;
    }
    match &mut node.kind {
        Kind::List(items) => {
            if let Some(last) = items.last_mut() {
                end_without_break(last, text);
            }
        }
        Kind::Map(entries) => {
            if let Some(last) = entries.last_mut() {
                end_without_break(&mut last.value, text);
            }
        }
        Kind::Text(words) if is_block(&text[..span.start]) => {
            let column = |at: usize| at - text[..at].rfind('\n').map_or(0, |line| line + 1);
            // Blanks that do not reach into the block are no line of it.
            if column(text.len()) >= column(span.start) {
                words.truncate(words.strip_suffix('\n').unwrap_or(words).len());
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
    }
}

/// Whether what stands in front of a text says that it is a block: `|`, `>-`, `|2` and the like on a line above.
fn is_block(before: &str) -> bool {
    let mut lines = before.rsplit('\n').map(str::trim);
    let is_first_of_its_line = lines.next().is_some_and(str::is_empty);
    let above = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let header = above.split(" #").next().unwrap_or_default().split_whitespace().last().unwrap_or_default();
    is_first_of_its_line
        && header.trim_end_matches(|c: char| matches!(c, '+' | '-' | '0'..='9')).ends_with(['|', '>'])
}

fn yaml_of(meter: &Meter, value: &Value) -> Result<Result<Value, String>, Fault> {
    let text = text(value)?;
    meter.steps(1 + text.len() as u64 / 16)?;
    meter.text(text.len())?;
    Ok(meter.memo.values.tree(text, read_yaml).map(|node| match node.as_deref() {
        Some(Node { kind: Kind::Null, .. }) | None => Value::Nil,
        Some(node) => from_node(node),
    }))
}

fn json_of(meter: &Meter, value: &Value) -> Result<Json, Fault> {
    let text = text(value)?;
    meter.steps(1 + text.len() as u64 / 16)?;
    meter.text(text.len())?;
    serde_json::from_str(text).map_err(|error| Fault::Template(format!("invalid JSON: {error}")))
}

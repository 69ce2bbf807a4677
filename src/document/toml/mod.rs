//! TOML text to [`Node`]s.
//!
//! Text enters, the same tree leaves that YAML gives: entries in the order of
//! the file, numbers in their words (`1.30`), spans in bytes. The parser goes
//! on behind an error, so all that it can tell apart is reported at once.

mod depth;

use ::toml::Spanned as At;
use ::toml::de::{DeInteger, DeTable, DeValue};

use super::codes::{DOCUMENT_TOO_DEEP, DOCUMENT_TOO_LARGE, NUMBER_NOT_FINITE, TOML_DATE, TOML_SYNTAX};
use super::duplicates::duplicate;
use super::yaml::{Limits, Reading};
use super::{Entry, Kind, Node, SourceId, Span, Spanned};
use crate::diagnostic::Diagnostic;

/// Reads a TOML document; an empty text is an empty map.
pub fn parse(source: SourceId, text: &str, limits: Limits) -> Reading {
    let bytes = limits.bytes.min(u32::MAX as usize);
    if text.len() > bytes {
        let fault = super::too_large(source, text.len(), bytes, &DOCUMENT_TOO_LARGE);
        return Reading { node: None, faults: vec![fault] };
    }
    // The parser builds (and frees) a tree as deep as the text says, by recursion.
    if let Some(at) = depth::deeper_than(text, limits.depth) {
        return Reading { node: None, faults: vec![too_deep(span(source, &(at..at + 1)), limits)] };
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { source, limits, faults: Vec::new() };
    let kind = reader.table(table.get_ref(), 1);
    let node = Node { span: span(source, &(0..text.len())), kind };
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        reader.faults.push(syntax_fault(source, text, &node, error.message(), &at));
    }
    reader.faults.sort_by_key(|fault| fault.primary.span);
    Reading { node: Some(node), faults: reader.faults }
}

struct Reader {
    source: SourceId,
    limits: Limits,
    faults: Vec<Diagnostic>,
}

impl Reader {
    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Kind {
        let mut entries: Vec<Entry> = table
            .iter()
            .filter_map(|(key, value)| {
                let at = span(self.source, &key.span());
                Some(Entry {
                    key: Spanned::new(key.get_ref().to_string(), at),
                    value: self.value(value, at, depth)?,
                })
            })
            .collect();
        // The parser sorts by key.
        entries.sort_by_key(|entry| entry.key.span);
        Kind::Map(entries)
    }

    /// A value, unless it is one that no tree can hold, which is reported.
    fn value(&mut self, value: &At<DeValue<'_>>, key: Span, depth: usize) -> Option<Node> {
        let at = span(self.source, &value.span());
        let at = if at.start == at.end { key } else { at };
        let kind = match value.get_ref() {
            DeValue::String(text) => Kind::Text(text.to_string()),
            DeValue::Integer(integer) => Kind::Number(decimal(integer)),
            DeValue::Float(float) => match float.as_str() {
                words if words.ends_with("inf") || words.ends_with("nan") => {
                    let fault = Diagnostic::error(&NUMBER_NOT_FINITE, at, "no finite number");
                    self.faults.push(fault.with_help("put it in quotes if it is a text"));
                    return None;
                }
                words => Kind::Number(words.to_owned()),
            },
            DeValue::Boolean(truth) => Kind::Bool(*truth),
            DeValue::Datetime(date) => {
                let fault = Diagnostic::error(&TOML_DATE, at, "a date or time");
                self.faults.push(fault.with_help(format!("write it as a text: \"{date}\"")));
                return None;
            }
            DeValue::Array(_) | DeValue::Table(_) if depth >= self.limits.depth => {
                self.faults.push(too_deep(at, self.limits));
                return None;
            }
            DeValue::Array(items) => {
                Kind::List(items.iter().filter_map(|item| self.value(item, at, depth + 1)).collect())
            }
            DeValue::Table(table) => self.table(table, depth + 1),
        };
        Some(Node { span: at, kind })
    }
}

fn decimal(integer: &DeInteger<'_>) -> String {
    match integer.radix() {
        10 => integer.as_str().to_owned(),
        radix => u64::from_str_radix(integer.as_str(), radix)
            .map_or_else(|_| integer.to_string(), |number| number.to_string()),
    }
}

fn too_deep(at: Span, limits: Limits) -> Diagnostic {
    Diagnostic::error(&DOCUMENT_TOO_DEEP, at, "tables and lists are nested too deeply here")
        .with_help(format!("at most {} levels are read", limits.depth))
}

fn span(source: SourceId, range: &std::ops::Range<usize>) -> Span {
    let byte = |at: usize| u32::try_from(at).expect("a text is at most u32::MAX bytes");
    Span { source, start: byte(range.start), end: byte(range.end) }
}

fn syntax_fault(
    source: SourceId,
    text: &str,
    read: &Node,
    message: &str,
    at: &std::ops::Range<usize>,
) -> Diagnostic {
    let clamped = at.start.min(text.len())..at.end.min(text.len());
    let here = span(source, &clamped);
    if message == "duplicate key" {
        let key = text.get(clamped.clone()).unwrap_or_default().trim_matches(['"', '\'']);
        if let Some(first) = first_place(text, read, key, here) {
            return duplicate(key, here, first);
        }
    }
    Diagnostic::error(&TOML_SYNTAX, here, message)
}

/// Where a key that is written again at `again` stands first; the parser knows and does not say.
fn first_place(text: &str, read: &Node, key: &str, again: Span) -> Option<Span> {
    let line_start = text[..again.start as usize].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let header = line.trim();
    if header.starts_with('[') {
        // The second table has taken the first one's place in the tree: look for an equal header.
        let mut start = 0;
        for earlier in text[..line_start].split_inclusive('\n') {
            if earlier.trim() == header {
                let indent = earlier.len() - earlier.trim_start().len();
                let inside = again.start as usize - line_start - (line.len() - line.trim_start().len());
                let first = start + indent + inside;
                return Some(span(again.source, &(first..first + (again.end - again.start) as usize)));
            }
            start += earlier.len();
        }
    }
    let mut nearest = None;
    nearest_before(read, key, again.start, &mut nearest);
    nearest
}

fn nearest_before(node: &Node, key: &str, before: u32, nearest: &mut Option<Span>) {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        Kind::List(items) => items.iter().for_each(|item| nearest_before(item, key, before, nearest)),
        Kind::Map(entries) => {
            for entry in entries {
                let at = entry.key.span;
                if entry.key.value == key && at.start < before && nearest.is_none_or(|found| found < at) {
                    *nearest = Some(at);
                }
                nearest_before(&entry.value, key, before, nearest);
            }
        }
    }
}

#[cfg(test)]
mod tests;

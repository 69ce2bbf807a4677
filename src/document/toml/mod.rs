//! TOML text to [`Node`]s.
//!
//! Text enters, the same tree leaves that YAML gives: entries in the order of
//! the file, numbers in their words (`1.30`), spans in bytes. The parser goes
//! on behind an error, so all that it can tell apart is reported at once.

mod depth;

use std::cell::LazyCell;
use std::collections::HashMap;

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
    let firsts = LazyCell::new(|| FirstPlaces::of(text, &node));
    for error in errors.iter().take(MOST_SYNTAX_ERRORS) {
        let at = error.span().unwrap_or(0..0);
        let at = span(source, &(at.start.min(text.len())..at.end.min(text.len())));
        let again = error.message() == "duplicate key";
        let first = if again { firsts.before(text, at) } else { None };
        reader.faults.push(match first {
            Some(first) => duplicate(key_at(text, at), at, first),
            None => Diagnostic::error(&TOML_SYNTAX, at, error.message()),
        });
    }
    drop(firsts);
    reader.faults.sort_by_key(|fault| fault.primary.span);
    Reading { node: Some(node), faults: reader.faults }
}

/// After so many syntax errors the text is not TOML at all.
const MOST_SYNTAX_ERRORS: usize = 100;

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

/// The key that stands at a place, without its quotes.
fn key_at(text: &str, at: Span) -> &str {
    text.get(at.range()).unwrap_or_default().trim_matches(['"', '\''])
}

/// Where keys stand first: the parser knows when it meets one again, and does not say.
struct FirstPlaces<'t> {
    /// The first line of each header, by its words: the second table takes the first one's place in the tree.
    headers: HashMap<&'t str, usize>,
    /// The places of each key in the tree, in order.
    keys: HashMap<&'t str, Vec<Span>>,
}

impl<'t> FirstPlaces<'t> {
    fn of(text: &'t str, read: &'t Node) -> Self {
        let mut firsts = Self { headers: HashMap::new(), keys: HashMap::new() };
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let header = line.trim();
            if header.starts_with('[') {
                firsts.headers.entry(header).or_insert(start + (line.len() - line.trim_start().len()));
            }
            start += line.len();
        }
        firsts.collect(read);
        firsts.keys.values_mut().for_each(|places| places.sort());
        firsts
    }

    fn collect(&mut self, node: &'t Node) {
        match &node.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
            Kind::List(items) => items.iter().for_each(|item| self.collect(item)),
            Kind::Map(entries) => {
                for entry in entries {
                    self.keys.entry(&entry.key.value).or_default().push(entry.key.span);
                    self.collect(&entry.value);
                }
            }
        }
    }

    /// Where the key that is written again at `again` stands first.
    fn before(&self, text: &str, again: Span) -> Option<Span> {
        let line_start = text[..again.start as usize].rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let header_start = line_start + (line.len() - line.trim_start().len());
        if let Some(first) = self.headers.get(line.trim()).filter(|first| **first < header_start) {
            let start = first + (again.start as usize).checked_sub(header_start)?;
            return Some(span(again.source, &(start..start + again.range().len())));
        }
        let places = self.keys.get(key_at(text, again))?;
        let earlier = places.partition_point(|place| place.start < again.start);
        earlier.checked_sub(1).map(|nearest| places[nearest])
    }
}

#[cfg(test)]
mod tests;

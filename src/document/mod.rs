//! Text to spanned trees and back.
//!
//! YAML and TOML are read into one tree, [`Node`], that keeps the order of
//! entries, their duplicates, the place of every value and the words in which
//! a number was written (`1.30` stays `1.30`). Whoever reads a topology, chart
//! values or rendered manifests reads this tree.

mod codes;
mod duplicates;
pub mod emit;
mod json;
mod looks;
mod natural;
pub(crate) mod number;
pub(crate) mod resolve;
pub mod toml;
pub mod yaml;

use std::fmt;
use std::ops::Range;

pub use codes::*;
pub(crate) use duplicates::duplicate;
pub use duplicates::duplicate_keys;

use crate::diagnostic::{Code, Diagnostic};

/// Which text a span points into: an index into [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A range of bytes of one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes as a range, for slicing the text.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The texts of one run, by [`SourceId`].
#[derive(Debug, Default, Clone)]
pub struct Sources(Vec<Source>);

/// One text and the name that a person knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as it was given.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Sources {
    /// Adds a text.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = SourceId(u32::try_from(self.0.len()).expect("fewer texts than u32::MAX"));
        self.0.push(Source { name: name.into(), text: text.into() });
        id
    }

    /// The text that `id` names.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.0[id.0 as usize]
    }

    /// All texts in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0..).map(SourceId).zip(&self.0)
    }
}

/// A value and the place where it was written.
///
/// Two are equal when their values are, wherever they stand.
#[derive(Debug, Clone, Copy)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Puts a value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Turns the value, keeps the place.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: turn(self.value), span: self.span }
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A value of a document, with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the whole value stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing: `null`, `~`, an empty value. TOML has none.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number in decimal words, as it was written: `15443`, `1.30`. What was written in
    /// another radix is turned into decimal (`0x10` is `16`), so the words alone say the value.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map: entries in order, duplicates kept.
    Map(Vec<Entry>),
}

/// An entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key. A key that is no text (`1: x`) is read as the words it was written in.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value at a key; none where this is no map, or has no such key.
    pub fn child(&self, key: &str) -> Option<&Self> {
        let Kind::Map(entries) = &self.kind else { return None };
        Some(&entries.iter().find(|entry| entry.key.value == key)?.value)
    }

    /// A text, or a number as it is written: `1.30` can be a version.
    pub fn words(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(words) | Kind::Number(words) => Some(words),
            Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }
}

impl Kind {
    /// The kind's name for a person, with its article: `a list`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

fn too_large(source: SourceId, bytes: usize, limit: usize, code: &'static Code) -> Diagnostic {
    let start = Span { source, start: 0, end: 0 };
    let size = format!("{:.1} MiB in one file", bytes as f64 / f64::from(1 << 20));
    Diagnostic::error(code, start, size).with_help(format!("at most {} MiB are read", limit >> 20))
}

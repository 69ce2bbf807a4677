//! Events to trees: keys, anchors, aliases, tags, depth.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, ScalarStyle, Tag};

use super::scalar::{self, Plain};
use super::{Limits, Schema};
use crate::diagnostic::Diagnostic;
use crate::document::codes::{
    ALIAS_LIMIT, DOCUMENT_TOO_DEEP, KEY_NOT_TEXT, NUMBER_NOT_FINITE, YAML_SYNTAX, YAML_TAG,
};
use crate::document::number::go_key;
use crate::document::{Entry, Kind, Node, Span, Spanned};

/// Whether an event ended the document.
pub(super) enum Step {
    Open,
    Done(Node),
}

/// The maps and lists that are open, and the anchors seen so far.
pub(super) struct Builder {
    schema: Schema,
    limits: Limits,
    open: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    copies: usize,
    last_end: u32,
}

/// An anchor's value, once it is read, and how many values it holds.
struct Anchored {
    node: Node,
    values: usize,
}

/// How a map or list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// By indentation.
    Block,
    /// In brackets, the first at this byte.
    Flow { bracket: u32 },
}

struct Frame {
    span: Span,
    anchor: usize,
    style: Style,
    holds: Holds,
}

enum Holds {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<Key> },
}

struct Key {
    text: Spanned<String>,
    merges: bool,
}

type Fault = Box<Diagnostic>;

impl Builder {
    pub(super) fn new(schema: Schema, limits: Limits) -> Self {
        Self { schema, limits, open: Vec::new(), anchors: HashMap::new(), copies: 0, last_end: 0 }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// The innermost bracket that is open.
    pub(super) fn open_bracket(&self) -> Option<Span> {
        let frame = self.open.last()?;
        match frame.style {
            Style::Block => None,
            Style::Flow { bracket } => Some(Span { start: bracket, end: bracket + 1, ..frame.span }),
        }
    }

    /// Takes one event of a document's content; `style` is that of a map or list that starts.
    pub(super) fn step(&mut self, event: Event<'_>, span: Span, style: Style) -> Result<Step, Fault> {
        match event {
            Event::Scalar(words, quotes, anchor, tag) => {
                let empty = words.is_empty() && quotes == ScalarStyle::Plain;
                let span = if empty { self.empty_at(span) } else { span };
                self.last_end = self.last_end.max(span.end);
                if self.awaits_key() {
                    self.scalar_key(&words, quotes, tag.as_deref(), anchor, span)?;
                    return Ok(Step::Open);
                }
                let kind = self.scalar_value(words, quotes, tag.as_deref(), span)?;
                self.close(Node { span, kind }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", span)?;
                self.open(Holds::List(Vec::new()), anchor, span, style)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", span)?;
                self.open(Holds::Map { entries: Vec::new(), key: None }, anchor, span, style)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.open.pop() else { return Ok(Step::Open) };
                let anchor = frame.anchor;
                // A block's end is seen only at what follows it.
                let end = if span.start == span.end { self.last_end } else { span.end };
                self.last_end = self.last_end.max(end);
                self.close(finished(frame, end), anchor)
            }
            Event::Alias(anchor) => {
                self.last_end = self.last_end.max(span.end);
                let node = self.copy_of(anchor, span)?;
                if self.awaits_key() {
                    let text = match node.kind {
                        Kind::Text(text) | Kind::Number(text) => text,
                        Kind::Bool(truth) => truth.to_string(),
                        Kind::Null => "null".to_owned(),
                        Kind::List(_) | Kind::Map(_) => return Err(key_not_text(span)),
                    };
                    self.set_key(Key { text: Spanned::new(text, span), merges: false });
                    return Ok(Step::Open);
                }
                self.close(node, 0)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(Step::Open),
        }
    }

    /// What is read of a document that breaks off, without the part that may have swallowed what
    /// follows it: open brackets, and the last scalar.
    pub(super) fn into_partial(mut self) -> Option<Node> {
        while self.open.last().is_some_and(|frame| frame.style != Style::Block) {
            self.open.pop();
        }
        match self.open.last_mut().map(|frame| &mut frame.holds) {
            Some(Holds::Map { entries, key: _ }) => {
                entries.pop_if(|entry| is_scalar(&entry.value));
            }
            Some(Holds::List(items)) => {
                items.pop_if(|item| is_scalar(item));
            }
            None => return None,
        }
        let mut inner: Option<Node> = None;
        while let Some(mut frame) = self.open.pop() {
            if let Some(node) = inner.take() {
                match &mut frame.holds {
                    Holds::List(items) => items.push(node),
                    Holds::Map { entries, key } => {
                        entries.extend(key.take().map(|key| Entry { key: key.text, value: node }));
                    }
                }
            }
            inner = Some(finished(frame, self.last_end));
        }
        inner
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Frame { holds: Holds::Map { key: None, .. }, .. }))
    }

    /// An empty value stands where its key stands; the parser puts it at whatever follows.
    fn empty_at(&self, span: Span) -> Span {
        match self.open.last() {
            Some(Frame { holds: Holds::Map { key: Some(key), .. }, .. }) => key.text.span,
            _ => Span { start: span.start.min(self.last_end), end: span.start.min(self.last_end), ..span },
        }
    }

    fn open(&mut self, holds: Holds, anchor: usize, span: Span, style: Style) -> Result<Step, Fault> {
        if self.awaits_key() {
            return Err(key_not_text(span));
        }
        if self.open.len() >= self.limits.depth {
            return Err(too_deep(span, self.limits));
        }
        self.last_end = self.last_end.max(span.end);
        self.open.push(Frame { span, anchor, style, holds });
        Ok(Step::Open)
    }

    fn close(&mut self, node: Node, anchor: usize) -> Result<Step, Fault> {
        if anchor != 0 {
            let values = values_in(&node);
            self.spend(values, node.span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), values });
        }
        match self.open.last_mut() {
            None => {
                self.anchors.clear();
                Ok(Step::Done(node))
            }
            Some(Frame { holds: Holds::List(items), .. }) => {
                items.push(node);
                Ok(Step::Open)
            }
            Some(Frame { holds: Holds::Map { entries, key }, .. }) => {
                let key = key.take().expect("a map takes a key before its value");
                if key.merges {
                    merge(entries, node, key.text.span)?;
                } else {
                    entries.push(Entry { key: key.text, value: node });
                }
                Ok(Step::Open)
            }
        }
    }

    fn copy_of(&mut self, anchor: usize, span: Span) -> Result<Node, Fault> {
        let Some(values) = self.anchors.get(&anchor).map(|anchored| anchored.values) else {
            let fault = Diagnostic::error(&YAML_SYNTAX, span, "this alias stands inside of what it names");
            return Err(Box::new(fault.with_help("a value cannot contain itself: write it out")));
        };
        self.spend(values, span)?;
        Ok(self.anchors[&anchor].node.clone())
    }

    fn spend(&mut self, values: usize, span: Span) -> Result<(), Fault> {
        self.copies = self.copies.saturating_add(values);
        if self.copies > self.limits.copies {
            let help = format!(
                "aliases may copy {} values in one text: write less of it with aliases",
                self.limits.copies
            );
            let fault = Diagnostic::error(&ALIAS_LIMIT, span, "aliases have copied too much up to here");
            return Err(Box::new(fault.with_help(help)));
        }
        Ok(())
    }

    fn set_key(&mut self, new: Key) {
        if let Some(Frame { holds: Holds::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(new);
        }
    }

    fn scalar_key(
        &mut self,
        words: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        anchor: usize,
        span: Span,
    ) -> Result<(), Fault> {
        let plain = style == ScalarStyle::Plain && tag.is_none();
        let merges = plain && words == "<<" && self.schema == Schema::Go;
        let text = match self.schema {
            Schema::Go if plain && !merges => match scalar::plain(words, Schema::Go) {
                Plain::Is(Kind::Bool(truth)) => truth.to_string(),
                Plain::Is(Kind::Number(number)) => key_of(&number),
                Plain::Is(Kind::Null) => return Err(key_not_text(span)),
                Plain::Is(Kind::Text(text)) => text,
                Plain::Is(Kind::List(_) | Kind::Map(_)) | Plain::NotFinite => words.to_owned(),
            },
            Schema::Go | Schema::Core => words.to_owned(),
        };
        if anchor != 0 {
            let node = Node { span, kind: Kind::Text(text.clone()) };
            self.anchors.insert(anchor, Anchored { node, values: 1 });
        }
        self.set_key(Key { text: Spanned::new(text, span), merges });
        Ok(())
    }

    fn scalar_value(
        &self,
        words: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Kind, Fault> {
        let Some(tag) = tag else {
            if style != ScalarStyle::Plain {
                return Ok(Kind::Text(words.into_owned()));
            }
            return match scalar::plain(&words, self.schema) {
                Plain::Is(kind) => Ok(kind),
                Plain::NotFinite => Err(not_finite(span)),
            };
        };
        if !tag.is_yaml_core_schema() {
            // `! text` is a text that is not to be read as anything else.
            let unspecific =
                tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty();
            return if unspecific { Ok(Kind::Text(words.into_owned())) } else { Err(unknown_tag(tag, span)) };
        }
        let value = match tag.suffix.as_str() {
            "str" => Some(Kind::Text(words.clone().into_owned())),
            "int" => scalar::number(&words, self.schema)
                .filter(|number| !number.contains(['.', 'e', 'E']))
                .map(Kind::Number),
            "float" => scalar::number(&words, self.schema).map(Kind::Number),
            "bool" => scalar::boolean(&words, self.schema).map(Kind::Bool),
            "null" => scalar::is_null(&words).then_some(Kind::Null),
            _ => return Err(unknown_tag(tag, span)),
        };
        value.ok_or_else(|| {
            let wrong = format!("this is no `!!{}`", tag.suffix);
            Box::new(Diagnostic::error(&YAML_TAG, span, wrong).with_help("leave the tag out"))
        })
    }

    fn check_tag(&self, tag: Option<&Tag>, expected: &str, span: Span) -> Result<(), Fault> {
        match tag {
            None => Ok(()),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == expected => Ok(()),
            Some(tag) => Err(unknown_tag(tag, span)),
        }
    }
}

/// What a frame has become, from its start to `end`.
fn finished(frame: Frame, end: u32) -> Node {
    let span = Span { end: end.max(frame.span.start), ..frame.span };
    let kind = match frame.holds {
        Holds::List(items) => Kind::List(items),
        Holds::Map { entries, key: _ } => Kind::Map(entries),
    };
    Node { span, kind }
}

/// `<<`: what is merged stands where the merge stands, and of several the first counts, so it comes last.
fn merge(entries: &mut Vec<Entry>, node: Node, key: Span) -> Result<(), Fault> {
    let refused = || {
        let fault = Diagnostic::error(&YAML_SYNTAX, key, "only a map, or a list of maps, can be merged");
        Box::new(fault)
    };
    match node.kind {
        Kind::Map(merged) => entries.extend(merged),
        Kind::List(maps) => {
            for map in maps.into_iter().rev() {
                let Kind::Map(merged) = map.kind else { return Err(refused()) };
                entries.extend(merged);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => return Err(refused()),
    }
    Ok(())
}

/// A number as `sigs.k8s.io/yaml` makes a JSON key of it.
fn key_of(words: &str) -> String {
    match words.parse::<i64>() {
        Ok(whole) => whole.to_string(),
        Err(_) => words.parse().map_or_else(|_| words.to_owned(), go_key),
    }
}

pub(super) fn too_deep(span: Span, limits: Limits) -> Fault {
    let fault = Diagnostic::error(&DOCUMENT_TOO_DEEP, span, "maps and lists are nested too deeply here");
    Box::new(fault.with_help(format!("at most {} levels are read", limits.depth)))
}

fn is_scalar(node: &Node) -> bool {
    match node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => true,
        Kind::List(_) | Kind::Map(_) => false,
    }
}

fn values_in(node: &Node) -> usize {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => 1,
        Kind::List(items) => 1 + items.iter().map(values_in).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|entry| values_in(&entry.value)).sum::<usize>(),
    }
}

fn key_not_text(span: Span) -> Fault {
    let fault = Diagnostic::error(&KEY_NOT_TEXT, span, "this stands where a key is expected");
    Box::new(fault.with_help("write `key: value`; a text that holds `{`, `[` or `:` wants quotes"))
}

fn not_finite(span: Span) -> Fault {
    let fault = Diagnostic::error(&NUMBER_NOT_FINITE, span, "no finite number");
    Box::new(fault.with_help("put it in quotes if it is a text"))
}

fn unknown_tag(tag: &Tag, span: Span) -> Fault {
    let fault = Diagnostic::error(&YAML_TAG, span, format!("the tag `{tag}` is not known here"));
    Box::new(fault.with_help("leave the tag out"))
}

//! YAML text to [`Node`]s.
//!
//! Text enters, trees leave whose spans are bytes of that text, whatever its
//! encoding of line ends, its byte order mark or its letters. Which plain words
//! are numbers, booleans or nothing is a [`Schema`]'s to say. No text makes this
//! panic, recurse without bound or grow without bound: size, depth and the
//! copies that aliases make are limited ([`Limits`]).

mod build;
mod offsets;
pub(super) mod scalar;
mod syntax;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use self::build::{Builder, Step, Style};
use self::offsets::Offsets;
use super::codes::{DOCUMENT_TOO_LARGE, SEVERAL_DOCUMENTS};
use super::{Entry, Kind, Node, SourceId, Span};
use crate::diagnostic::Diagnostic;

/// How plain words are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// YAML 1.2's core schema: `yes` is a text. What a person writes for us.
    Core,
    /// What `sigs.k8s.io/yaml` (go-yaml v2) makes of them: YAML 1.1's booleans
    /// (`yes`, `on`, `n`), octals (`0644`), `_` in numbers and `<<` merges; of
    /// two equal keys the later counts. Chart values and rendered manifests.
    Go,
}

/// What a text may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// Maps and lists inside one another; at most 255.
    pub depth: usize,
    /// Values that aliases and merges copy.
    pub copies: usize,
}

impl Limits {
    /// For what a person writes.
    pub const TOPOLOGY: Self = Self { bytes: 4 << 20, depth: 64, copies: 100_000 };
    /// For charts and what they render.
    pub const MANIFESTS: Self = Self { bytes: 64 << 20, depth: 200, copies: 1_000_000 };
}

/// What was read of a text that should hold one document.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The document, or what could be read of it; `None` where there is none at all.
    pub node: Option<Node>,
    /// What is wrong with the text. When it is not empty, parts of `node` may be missing.
    pub faults: Vec<Diagnostic>,
}

impl Reading {
    /// The document if nothing is wrong with it (`None` is an empty one), else the first fault.
    pub fn into_result(self) -> Result<Option<Node>, Diagnostic> {
        match self.faults.into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(self.node),
        }
    }
}

/// Reads a text of one document, and goes on behind a syntax error at the next key of the top level.
pub fn parse_one(source: SourceId, text: &str, schema: Schema, limits: Limits) -> Reading {
    if let Some(fault) = too_large(source, text, limits) {
        return Reading { node: None, faults: vec![fault] };
    }
    let mut reading = Reading { node: None, faults: Vec::new() };
    let mut from = 0;
    loop {
        let stream = Stream::new(source, text, from, schema, limits);
        let end = stream.first_document(&mut reading);
        let Some(broken_at) = end else { break };
        // An anchor of a part that was left behind is unknown to the next one: to go on would blame it.
        if reading.faults.len() >= MOST_SYNTAX_ERRORS || text.contains('&') {
            break;
        }
        let Some(next) = next_top_level_key(text, broken_at, from) else { break };
        from = next;
    }
    reading
}

/// Reads every document of a text; an empty one is [`Kind::Null`]. Stops at the first fault.
pub fn parse_all(
    source: SourceId,
    text: &str,
    schema: Schema,
    limits: Limits,
) -> Result<Vec<Node>, Diagnostic> {
    if let Some(fault) = too_large(source, text, limits) {
        return Err(fault);
    }
    Stream::new(source, text, 0, schema, limits).all_documents()
}

/// After so many syntax errors the text is not YAML at all.
const MOST_SYNTAX_ERRORS: usize = 20;

fn too_large(source: SourceId, text: &str, limits: Limits) -> Option<Diagnostic> {
    let bytes = limits.bytes.min(u32::MAX as usize);
    (text.len() > bytes).then(|| super::too_large(source, text.len(), bytes, &DOCUMENT_TOO_LARGE))
}

/// The start of the first line behind `broken_at` (and behind `from`) that can start a key of the top level.
fn next_top_level_key(text: &str, broken_at: usize, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut line = bytes[..broken_at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    loop {
        if line > from && bytes.get(line).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'"') {
            return Some(line);
        }
        line += bytes.get(line..)?.iter().position(|byte| *byte == b'\n')? + 1;
    }
}

/// The events of a text from some byte on.
struct Stream<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    text: &'t str,
    offsets: Offsets<'t>,
    builder: Builder,
    source: SourceId,
}

impl<'t> Stream<'t> {
    fn new(source: SourceId, text: &'t str, from: usize, schema: Schema, limits: Limits) -> Self {
        Self {
            parser: Parser::new_from_str(&text[from..]),
            text,
            offsets: Offsets::new(text, from),
            builder: Builder::new(schema, limits),
            source,
        }
    }

    /// Adds the first document to `reading`; gives the byte at which its syntax is broken, if it is.
    fn first_document(mut self, reading: &mut Reading) -> Option<usize> {
        let mut documents = 0_usize;
        loop {
            match self.next_document() {
                Ok(None) => return None,
                Ok(Some((node, _))) if documents == 0 => {
                    documents = 1;
                    let read = Node { kind: node.kind, span: node.span };
                    reading.node = Some(joined(reading.node.take(), read));
                }
                Ok(Some((_, at))) => {
                    let fault = Diagnostic::error(&SEVERAL_DOCUMENTS, at, "a second document starts here");
                    reading.faults.push(fault.with_help(
                        "leave out the `---` and write everything as one document, or use several files in one folder",
                    ));
                    return None;
                }
                Err(Broken { fault, syntax_at }) => {
                    // The line at which the last part broke off may be broken itself.
                    if reading.faults.last().is_none_or(|last| last.primary.span != fault.primary.span) {
                        reading.faults.push(fault);
                    }
                    if let Some(partial) = self.builder.into_partial().filter(|_| documents == 0) {
                        reading.node = Some(joined(reading.node.take(), partial));
                    }
                    return syntax_at;
                }
            }
        }
    }

    fn all_documents(mut self) -> Result<Vec<Node>, Diagnostic> {
        let mut documents = Vec::new();
        while let Some((node, _)) = self.next_document().map_err(|broken| broken.fault)? {
            documents.push(node);
        }
        Ok(documents)
    }

    /// The next document and where it starts.
    fn next_document(&mut self) -> Result<Option<(Node, Span)>, Broken> {
        let mut start = None;
        loop {
            let (event, marks) = match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok(next)) => next,
                Some(Err(error)) => return Err(self.broken(&error)),
            };
            let span = self.exact(
                &event,
                Span {
                    source: self.source,
                    start: self.offsets.byte(marks.start.index()),
                    end: self.offsets.byte(marks.end.index()),
                },
            );
            let style = match event {
                Event::SequenceStart(..) | Event::MappingStart(..) => self.style_at(span),
                _ => Style::Block,
            };
            match event {
                Event::Nothing | Event::StreamStart => {}
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(_) => start = Some(span),
                Event::DocumentEnd => {}
                Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..)
                | Event::MappingEnd => match self.builder.step(event, span, style) {
                    Ok(Step::Open) => {}
                    Ok(Step::Done(node)) => {
                        let start = start.unwrap_or(node.span);
                        return Ok(Some((node, start)));
                    }
                    Err(fault) => return Err(Broken { fault: *fault, syntax_at: None }),
                },
            }
        }
    }

    /// The span without the blanks and comments that the scanner adds behind quotes and brackets.
    fn exact(&self, event: &Event<'_>, span: Span) -> Span {
        let bytes = &self.text.as_bytes()[span.range()];
        let length = match event {
            Event::Scalar(_, ScalarStyle::SingleQuoted, ..) => quoted(bytes, b'\''),
            Event::Scalar(_, ScalarStyle::DoubleQuoted, ..) => quoted(bytes, b'"'),
            Event::SequenceEnd | Event::MappingEnd if matches!(bytes, [b']' | b'}', ..]) => 1,
            _ => return span,
        };
        Span { end: span.start + u32::try_from(length).expect("a part of the span"), ..span }
    }

    /// How the map or list is written whose start is at `span`.
    fn style_at(&self, span: Span) -> Style {
        match bracket_in(&self.text.as_bytes()[span.range()]) {
            Some(at) => Style::Flow { bracket: span.start + u32::try_from(at).expect("a part of the span") },
            None => Style::Block,
        }
    }

    fn broken(&self, error: &ScanError) -> Broken {
        let at = self.offsets.byte(error.marker().index());
        let span = Span { source: self.source, start: at, end: self.offsets.end_of_char(at) };
        // The scanner has a limit of its own for `[[[[`, which it may meet before ours is counted.
        if error.info() == "recursion limit exceeded" {
            return Broken { fault: *build::too_deep(span, self.builder.limits()), syntax_at: None };
        }
        let bracket = self.builder.open_bracket();
        Broken { fault: syntax::fault(error.info(), span, bracket), syntax_at: Some(at as usize) }
    }
}

/// The bracket that a map or list starts with, behind whatever tag or anchor stands before it.
fn bracket_in(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'{' | b'[' => return Some(at),
            b'&' | b'!' => at += bytes[at..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count(),
            b'#' => at += bytes[at..].iter().take_while(|byte| **byte != b'\n').count(),
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => return None,
        }
    }
}

/// The length of a text in quotes, with whatever tag or anchor stands before it.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let Some(start) = bytes.iter().position(|byte| *byte == quote) else { return bytes.len() };
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

struct Broken {
    fault: Diagnostic,
    /// Where the parser gave up; `None` when reading on makes no sense.
    syntax_at: Option<usize>,
}

/// Puts the entries of a later part behind those of an earlier one.
fn joined(earlier: Option<Node>, later: Node) -> Node {
    match (earlier, later) {
        (Some(Node { span, kind: Kind::Map(mut entries) }), Node { span: end, kind: Kind::Map(more) }) => {
            let more: Vec<Entry> = more;
            entries.extend(more);
            Node { span: Span { end: end.end, ..span }, kind: Kind::Map(entries) }
        }
        (Some(earlier), _) => earlier,
        (None, later) => later,
    }
}

#[cfg(test)]
mod tests;

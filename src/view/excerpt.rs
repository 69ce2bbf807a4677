//! A text as miette reads it: the lines around a span, safe for a terminal and never wide.
//!
//! A topology is somebody's text. What a terminal would obey (escapes, other
//! control characters, characters that turn the direction of writing) is
//! replaced by something of the same number of bytes, so that spans stay true.
//! A line that is too wide to show is cut around the span.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use regex::Regex;

/// How many bytes of one line are shown at most on each side of a span, and of the span itself.
const WIDE: usize = 160;

/// How many bytes share a count of characters.
const BLOCK: usize = 1024;

/// One source, ready to be shown.
#[derive(Debug)]
pub(super) struct Excerpt<'a> {
    name: &'a str,
    text: Cow<'a, str>,
    /// First byte of every line.
    lines: Vec<usize>,
    /// How long the text is without what stands in for a last line.
    length: usize,
    /// How many characters stand before every [`BLOCK`] of bytes, so that a column needs no walk
    /// along a line of megabytes.
    characters: Vec<usize>,
}

impl<'a> Excerpt<'a> {
    /// Prepares a text; once for all findings in it, since its lines are counted here.
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        let length = text.len();
        let mut text = tamed(text);
        if text.contains('@') {
            text = Cow::Owned(without_passwords(&text));
        }
        // A place behind the last line, or in an empty text, needs something to stand on.
        if text.is_empty() || text.ends_with('\n') {
            text.to_mut().push(' ');
        }
        let lines = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1))
            .collect();
        let mut characters = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            let before = characters.last().copied().unwrap_or(0);
            characters.push(before + begun_in(block));
        }
        Self { name, text, lines, length, characters }
    }

    /// The line of a byte, from 0.
    pub(super) fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    /// What of a span is pointed at: its part on its first line, and never too much of that.
    pub(super) fn pointed_at(&self, span: Range<usize>) -> Range<usize> {
        let start = self.boundary(span.start.min(self.length));
        let end_of_line = self.end_of_line(self.line_of(start));
        let end = self.boundary(span.end.clamp(start, end_of_line.max(start)).min(start + WIDE));
        let shown = self.text[start..end].trim_end().len();
        start..start + shown
    }

    /// The last byte of a line, its line break left out.
    fn end_of_line(&self, line: usize) -> usize {
        match self.lines.get(line + 1) {
            Some(next) => next - 1,
            None => self.text.len(),
        }
    }

    /// The nearest byte at or before `at` at which a character begins.
    fn boundary(&self, at: usize) -> usize {
        (0..=at.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }

    /// Line and column of a byte, both from 1.
    pub(super) fn place(&self, byte: usize) -> (usize, usize) {
        let byte = byte.min(self.length);
        (self.line_of(byte) + 1, self.column(byte) + 1)
    }

    fn column(&self, byte: usize) -> usize {
        self.characters_before(byte) - self.characters_before(self.lines[self.line_of(byte)])
    }

    fn characters_before(&self, byte: usize) -> usize {
        let block = byte / BLOCK;
        self.characters[block] + begun_in(&self.text.as_bytes()[block * BLOCK..byte])
    }

    fn is_narrow(&self, line: usize) -> bool {
        self.end_of_line(line) - self.lines[line] <= WIDE
    }

    /// Lines `first` to `last` with as many narrow ones around them as are wanted.
    fn window(&self, span: &Range<usize>, before: usize, after: usize) -> Range<usize> {
        let (mut first, mut last) = (self.line_of(span.start), self.line_of(span.end));
        let lowest = first.saturating_sub(before);
        let highest = (last + after).min(self.line_of(self.length.saturating_sub(1)));
        let start = if self.is_narrow(first) {
            while first > lowest && self.is_narrow(first - 1) {
                first -= 1;
            }
            self.lines[first]
        } else {
            self.boundary(span.start.saturating_sub(WIDE / 2).max(self.lines[first]))
        };
        let end = if self.is_narrow(last) {
            while last < highest && self.is_narrow(last + 1) {
                last += 1;
            }
            self.end_of_line(last)
        } else {
            self.boundary((span.end + WIDE / 2).min(self.end_of_line(last)))
        };
        start..end
    }
}

impl SourceCode for Excerpt<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let asked = span.offset()..span.offset() + span.len();
        if asked.end > self.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        // Without context miette asks where the span stands: its own line and column.
        let window =
            if before == 0 && after == 0 { asked.clone() } else { self.window(&asked, before, after) };
        let (first, last) = (self.line_of(window.start), self.line_of(window.end));
        let wide = (first..=last).any(|line| !self.is_narrow(line));
        if wide && last > first && before + after > 0 {
            // Several labels around a wide line: miette shows each by itself instead.
            return Err(MietteError::OutOfBounds);
        }
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_owned(),
            &self.text.as_bytes()[window.clone()],
            (window.start, window.len()).into(),
            first,
            self.column(window.start),
            last - first + 1,
        )))
    }
}

/// How many characters begin in these bytes: a byte that continues one begins none.
fn begun_in(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// A text whose URLs show no user and no password, byte for byte as long.
fn without_passwords(text: &str) -> String {
    static USER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"://[^/@\s"']+@"#).expect("a pattern that was tried"));
    let hidden = |found: &regex::Captures<'_>| format!("://{}@", "*".repeat(found[0].len() - "://@".len()));
    USER.replace_all(text, hidden).into_owned()
}

/// A text without what a terminal would obey, byte for byte as long.
pub(super) fn tamed(text: &str) -> Cow<'_, str> {
    let stays = |c: char| matches!(c, '\n' | '\t') || !is_obeyed(c);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut tame = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if stays(c) => tame.push(c),
            '\r' if rest.peek() == Some(&'\n') => tame.push(' '),
            // Three bytes for three, one for each byte of the others.
            c if c.len_utf8() == 3 => tame.push('\u{fffd}'),
            c => tame.extend(std::iter::repeat_n('?', c.len_utf8())),
        }
    }
    Cow::Owned(tame)
}

/// Whether a character moves the cursor, begins an escape or turns the direction of writing.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_replaced_in_place() {
        assert_eq!(tamed("a\u{1b}[31mb"), "a?[31mb");
        assert_eq!(tamed("a\u{202e}b\u{85}c\r\nd"), "a\u{fffd}b??c \nd");
        assert!(matches!(tamed("näht\tstill\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_url_shows_no_password_and_spans_stay_true() {
        let text = "a: 'https://me:sécret@api.example.com:6443/x@y'\nb: me@example.com\n";
        let excerpt = Excerpt::new("f", text);
        assert_eq!(excerpt.text.len(), text.len() + 1);
        assert_eq!(excerpt.text, "a: 'https://**********@api.example.com:6443/x@y'\nb: me@example.com\n ");
    }

    #[test]
    fn a_span_is_pointed_at_on_its_first_line() {
        let excerpt = Excerpt::new("f", "a: b\nc:\n  d: e\n  f: g\n");
        assert_eq!(excerpt.pointed_at(5..22), 5..7);
        assert_eq!(excerpt.pointed_at(3..4), 3..4);
        assert_eq!(excerpt.pointed_at(900..901), 22..22);
    }

    #[test]
    fn a_place_counts_characters_and_not_bytes() {
        let text = format!("{}\nüb{}er: 1\n", "é".repeat(2000), "漢".repeat(3000));
        let excerpt = Excerpt::new("f", &text);
        let at = text.find("er").expect("it is there");
        assert_eq!(excerpt.place(at), (2, 3003));
        assert_eq!(excerpt.place(text.len() + 9), (3, 1));
    }

    #[test]
    fn a_wide_line_is_cut_around_the_span() {
        let text = format!("{}X{}", "a".repeat(1000), "b".repeat(1000));
        let excerpt = Excerpt::new("f", &text);
        let contents = excerpt.read_span(&(1000, 1).into(), 1, 1).expect("inside");
        assert_eq!(contents.data(), format!("{}X{}", "a".repeat(80), "b".repeat(80)).as_bytes());
        assert_eq!((contents.line(), contents.column()), (0, 920));
    }
}

//! A look at a template's actions before gotmpl parses it.
//!
//! gotmpl 0.6.1 differs from Go in four ways that matter: `{{- /* c */}}` trims
//! to its right as well, trimming takes white space that Go leaves alone, a
//! missing `end` passes, and so does one too many, which drops the rest of the
//! file. The first is mended in the text, byte for byte of the same length; the
//! others are refused here.

use std::borrow::Cow;

use memchr::memmem;

/// Blocks inside each other, and `else if` after each other: gotmpl recurses over both.
const MOST_BLOCKS: usize = 90;
const MOST_ELSE: usize = 200;

/// Why a text is no template, and at which byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) at: usize,
    pub(super) what: String,
}

/// The text with its comments mended, if its blocks are closed as Go wants it.
pub(super) fn checked(text: &str) -> Result<Cow<'_, str>, Broken> {
    let mut out = Cow::Borrowed(text);
    let mut open: Vec<Block> = Vec::new();
    let mut from = 0;
    let mut trims_next = false;
    let braces = memmem::Finder::new("{{");
    while let Some(start) = braces.find(&text.as_bytes()[from..]).map(|at| at + from) {
        let action = Action::at(text, start)?;
        check_trimmed(text, from..start, trims_next, action.trims_left)?;
        trims_next = action.trims_right;
        match action.content {
            Content::Comment(comment) => {
                // An action that prints an empty text: no output, and trimming as written.
                let blank = text[comment.clone()].bytes().enumerate().map(|(at, byte)| match at {
                    0 | 1 => '"',
                    _ if byte == b'\n' => '\n',
                    _ => ' ',
                });
                let blank: String = blank.collect();
                out.to_mut().replace_range(comment, &blank);
            }
            Content::Code(word) => follow(word, start, &mut open)?,
        }
        from = action.end;
    }
    check_trimmed(text, from..text.len(), trims_next, false)?;
    match open.last() {
        Some(block) => {
            Err(Broken { at: block.at, what: format!("`{}` is never closed by an `end`", block.word) })
        }
        None => Ok(out),
    }
}

struct Block {
    at: usize,
    word: &'static str,
    has_else: bool,
    else_ifs: usize,
}

fn follow(word: Word, at: usize, open: &mut Vec<Block>) -> Result<(), Broken> {
    let broken = |what: String| Err(Broken { at, what });
    match word {
        Word::Opens(word) => {
            if matches!(word, "define") && !open.is_empty() {
                return broken("`define` inside of another block".to_owned());
            }
            open.push(Block { at, word, has_else: false, else_ifs: 0 });
            if open.len() > MOST_BLOCKS {
                return broken(format!("more than {MOST_BLOCKS} blocks inside each other"));
            }
        }
        Word::Else(next) => match open.last_mut() {
            Some(block) if matches!(block.word, "if" | "with" | "range") => {
                if block.has_else {
                    return broken(format!("a second `else` of one `{}`", block.word));
                }
                match next {
                    ElseOf::Plain => block.has_else = true,
                    ElseOf::Chained(word) if word == block.word => {
                        block.else_ifs += 1;
                        if block.else_ifs > MOST_ELSE {
                            return broken(format!("more than {MOST_ELSE} times `else {word}`"));
                        }
                    }
                    ElseOf::Chained(word) => {
                        return broken(format!("`else {word}` in a `{}`", block.word));
                    }
                }
            }
            Some(_) | None => return broken("`else` outside of `if`, `with` and `range`".to_owned()),
        },
        Word::End => {
            if open.pop().is_none() {
                return broken("`end` closes nothing".to_owned());
            }
        }
        Word::Loop(word) => {
            if !open.iter().any(|block| block.word == "range") {
                return broken(format!("`{word}` outside of `range`"));
            }
        }
        Word::Other => {}
    }
    Ok(())
}

/// What an action starts with.
enum Word {
    Opens(&'static str),
    Else(ElseOf),
    End,
    Loop(&'static str),
    Other,
}

enum ElseOf {
    Plain,
    Chained(&'static str),
}

enum Content {
    /// The bytes of `/* ... */`.
    Comment(std::ops::Range<usize>),
    Code(Word),
}

struct Action {
    /// One past the closing braces.
    end: usize,
    trims_left: bool,
    trims_right: bool,
    content: Content,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl Action {
    /// The action whose braces open at `start`.
    fn at(text: &str, start: usize) -> Result<Self, Broken> {
        let bytes = text.as_bytes();
        let mut at = start + 2;
        let trims_left = bytes.get(at) == Some(&b'-') && bytes.get(at + 1).copied().is_some_and(is_space);
        if trims_left {
            at += 2;
        }
        // Go takes a comment only directly behind the braces or the trim marker and its space.
        if text[at..].starts_with("/*") {
            return Self::comment(text, start, at, trims_left);
        }
        let broken = |at: usize, what: &str| Err(Broken { at, what: what.to_owned() });
        let code = text[at..].trim_start_matches([' ', '\t', '\r', '\n']);
        if code.starts_with("/*") {
            return broken(start, "a comment must stand directly behind its braces");
        }
        let word = first_words(code);
        loop {
            match bytes.get(at) {
                None => return broken(start, "`{{` is never closed"),
                Some(quote @ (b'"' | b'\'')) => {
                    let opened = at;
                    at += 1;
                    loop {
                        match bytes.get(at) {
                            None | Some(b'\n') => {
                                return broken(opened, "a text in quotes has no end on its line");
                            }
                            Some(b'\\') => at += 2,
                            Some(byte) if byte == quote => break,
                            Some(_) => at += 1,
                        }
                    }
                    at += 1;
                }
                Some(b'`') => match text[at + 1..].find('`') {
                    Some(length) => at += length + 2,
                    None => return broken(at, "a raw text has no end"),
                },
                Some(b'}') if bytes.get(at + 1) == Some(&b'}') => {
                    let trims_right = at >= 2 && bytes[at - 1] == b'-' && is_space(bytes[at - 2]);
                    let content = Content::Code(word);
                    return Ok(Self { end: at + 2, trims_left, trims_right, content });
                }
                Some(_) => at += 1,
            }
        }
    }

    fn comment(text: &str, start: usize, from: usize, trims_left: bool) -> Result<Self, Broken> {
        let Some(length) = text[from + 2..].find("*/") else {
            return Err(Broken { at: start, what: "a comment has no end".to_owned() });
        };
        let end = from + 2 + length + 2;
        let content = Content::Comment(from..end);
        let rest = &text[end..];
        let trims_right = rest.starts_with([' ', '\t', '\r', '\n']) && rest[1..].starts_with("-}}");
        if trims_right {
            Ok(Self { end: end + 4, trims_left, trims_right, content })
        } else if rest.starts_with("}}") {
            Ok(Self { end: end + 2, trims_left, trims_right, content })
        } else {
            Err(Broken { at: end, what: "a comment must stand alone in its braces".to_owned() })
        }
    }
}

fn first_words(code: &str) -> Word {
    let (first, rest) = split_word(code);
    match first {
        "if" => Word::Opens("if"),
        "with" => Word::Opens("with"),
        "range" => Word::Opens("range"),
        "define" => Word::Opens("define"),
        "block" => Word::Opens("block"),
        "end" => Word::End,
        "break" => Word::Loop("break"),
        "continue" => Word::Loop("continue"),
        "else" => Word::Else(match split_word(rest.trim_start()).0 {
            "if" => ElseOf::Chained("if"),
            "with" => ElseOf::Chained("with"),
            _ => ElseOf::Plain,
        }),
        _ => Word::Other,
    }
}

fn split_word(code: &str) -> (&str, &str) {
    let end = code.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(code.len());
    code.split_at(end)
}

/// Go trims four kinds of white space, gotmpl all of Unicode's: a text where they differ is refused.
fn check_trimmed(
    text: &str,
    between: std::ops::Range<usize>,
    from_left: bool,
    from_right: bool,
) -> Result<(), Broken> {
    let start = between.start;
    let between = &text[between];
    let kept_by_go = |c: char| c.is_whitespace() && !(c.is_ascii() && is_space(c as u8));
    let go = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let left = from_left && between.trim_start_matches(go).starts_with(kept_by_go);
    let right = from_right && between.trim_end_matches(go).ends_with(kept_by_go);
    if left || right {
        let what = "white space that is no space, tab or line break stands next to a trim marker";
        return Err(Broken { at: start, what: what.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn what(text: &str) -> String {
        checked(text).map(Cow::into_owned).unwrap_or_else(|broken| format!("{}: {}", broken.at, broken.what))
    }

    #[test]
    fn a_comment_becomes_an_empty_text_of_the_same_length() {
        assert_eq!(what("a {{- /* c\n */}} b"), "a {{- \"\"  \n   }} b");
        assert_eq!(what("{{/**/ -}} b"), "{{\"\"   -}} b");
        assert_eq!(what("{{ `}}` }}{{ \"/* no */\" }}"), "{{ `}}` }}{{ \"/* no */\" }}");
    }

    #[test]
    fn blocks_must_match() {
        for (text, says) in [
            ("{{ if .a }}x", "0: `if` is never closed by an `end`"),
            ("x{{ end }}", "1: `end` closes nothing"),
            ("{{ else }}", "0: `else` outside of `if`, `with` and `range`"),
            ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", "20: a second `else` of one `if`"),
            ("{{ range . }}{{ else if 1 }}{{ end }}", "13: `else if` in a `range`"),
            ("{{ if 1 }}{{ break }}{{ end }}", "10: `break` outside of `range`"),
            ("{{ \"a\n\" }}", "3: a text in quotes has no end on its line"),
            ("{{ x", "0: `{{` is never closed"),
            ("{{/* x */ y }}", "9: a comment must stand alone in its braces"),
            (
                "{{- 1 -}}\u{a0}x",
                "9: white space that is no space, tab or line break stands next to a trim marker",
            ),
        ] {
            assert_eq!(what(text), says);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "(\\{\\{-? ?|\\}\\}| -|/\\*|\\*/|\"|`|if |end|else |range|x|\n|é|\u{a0}){0,24}") {
            if let Ok(same) = checked(&text) {
                prop_assert_eq!(same.len(), text.len());
            }
        }
    }
}

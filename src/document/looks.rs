//! How a text may be written in YAML, as libyaml's emitter judges it.

use super::resolve::reads_as_text;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Folding {
    /// In a key, which must stay on its line.
    Never,
    AtSpaces,
}

/// What in a text decides how it may be written.
pub(super) struct Looks {
    pub(super) multiline: bool,
    plain_allowed: bool,
    single_allowed: bool,
    block_allowed: bool,
}

impl Looks {
    pub(super) fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self {
                multiline: false,
                plain_allowed: true,
                single_allowed: true,
                block_allowed: false,
            };
        }
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let mut breaks = false;
        let mut special = false;
        let (mut break_space, mut space_break) = (false, false);
        let (mut was_space, mut was_break) = (false, false);
        let mut preceded_by_white = true;
        let mut rest = text.chars().peekable();
        let mut first = true;
        while let Some(c) = rest.next() {
            let followed_by_white = rest.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            indicators |= match c {
                '#' if first => true,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                    first
                }
                '?' | '-' => first && followed_by_white,
                ':' => followed_by_white,
                '#' => preceded_by_white,
                _ => false,
            };
            special |= !is_printable(c);
            if c == ' ' {
                break_space |= was_break;
                (was_space, was_break) = (true, false);
            } else if is_break(c) {
                breaks = true;
                space_break |= was_space;
                (was_space, was_break) = (false, true);
            } else {
                (was_space, was_break) = (false, false);
            }
            preceded_by_white = matches!(c, ' ' | '\t' | '\0') || is_break(c);
            first = false;
        }
        let white = |c: char| c == ' ' || is_break(c);
        let white_ends = text.starts_with(white) || text.ends_with(white);
        Self {
            multiline: breaks,
            plain_allowed: !(white_ends || break_space || space_break || special || breaks || indicators),
            single_allowed: !(break_space || space_break || special),
            block_allowed: !(text.ends_with(' ') || space_break || special),
        }
    }
}

pub(super) fn style_of(text: &str, looks: &Looks, folding: Folding) -> Style {
    let in_simple_key = folding == Folding::Never;
    let wanted = if text.contains('\n') {
        Style::Literal
    } else if reads_as_text(text) {
        Style::Plain
    } else {
        Style::Double
    };
    match wanted {
        Style::Plain if looks.plain_allowed && !(text.is_empty() && in_simple_key) => Style::Plain,
        Style::Plain | Style::Single if looks.single_allowed => Style::Single,
        Style::Literal if looks.block_allowed && !in_simple_key => Style::Literal,
        Style::Plain | Style::Single | Style::Double | Style::Literal => Style::Double,
    }
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What go-yaml takes for printable: nothing above U+FFFF, and no tab.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}') && c != '\u{feff}'
}

//! Trees to YAML text, in the form that Helm's `toYaml` has.
//!
//! A tree of maps, lists and scalars enters; the text leaves that
//! sigs.k8s.io/yaml, and below it go-yaml v2, writes for it: keys in natural
//! order, lists in maps not indented, texts quoted where YAML 1.1 would read
//! them as something else, long lines folded after column 80, texts with line
//! breaks as literal blocks. The same tree gives the same bytes, and reading
//! the text gives the tree.
//!
//! The state (`column`, `whitespace`, `indention`) is libyaml's, since its
//! folding and its line breaks depend on all three.

use std::borrow::Cow;

use super::looks::{Folding, Looks, Style, is_break, is_printable, style_of};
use super::natural::sort_naturally;
use super::number::go_yaml;

/// What a tree is at its root.
pub enum Shape<'a, T> {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number, in the words to write.
    Number(Cow<'a, str>),
    /// A text.
    Text(&'a str),
    /// A list.
    List(&'a [T]),
    /// A map, in any order.
    Map(Vec<(&'a str, &'a T)>),
}

/// Something that can be written as YAML.
pub trait Tree: Sized {
    /// Shows the root to `look`.
    fn look<R>(&self, look: impl FnOnce(Shape<'_, Self>) -> R) -> R;
}

/// The tree is too deep or its text too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLarge {
    /// More levels than [`Bounds::depth`].
    Deep,
    /// More bytes than [`Bounds::bytes`].
    Long,
}

/// How large a text may become.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Levels of maps and lists.
    pub depth: usize,
    /// Bytes.
    pub bytes: usize,
}

/// Writes a value as YAML, with a line break at its end.
///
/// The value's depth must be bounded, as that of everything read by this crate is.
pub fn to_yaml(value: &serde_json::Value) -> String {
    match write_yaml(value, Bounds { depth: usize::MAX, bytes: usize::MAX }) {
        Ok(text) => text,
        Err(TooLarge::Deep | TooLarge::Long) => unreachable!("nothing is larger than usize::MAX"),
    }
}

/// Writes any tree as YAML within bounds.
pub fn write_yaml<T: Tree>(tree: &T, bounds: Bounds) -> Result<String, TooLarge> {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        whitespace: true,
        indention: true,
        indent: -1,
        depth: 0,
        bounds,
    };
    emitter.node(tree, Context::Root)?;
    emitter.write_indent();
    Ok(emitter.out)
}

impl Tree for serde_json::Value {
    fn look<R>(&self, look: impl FnOnce(Shape<'_, Self>) -> R) -> R {
        look(match self {
            Self::Null => Shape::Null,
            Self::Bool(truth) => Shape::Bool(*truth),
            Self::Number(number) => Shape::Number(match number.as_f64() {
                Some(float) if number.is_f64() => Cow::Owned(go_yaml(float)),
                Some(_) | None => Cow::Owned(number.to_string()),
            }),
            Self::String(text) => Shape::Text(text),
            Self::Array(items) => Shape::List(items),
            Self::Object(map) => Shape::Map(map.iter().map(|(key, value)| (key.as_str(), value)).collect()),
        })
    }
}

/// After this column a line is folded at the next space.
const BEST_WIDTH: usize = 80;
/// A longer key is written after a question mark.
const LONGEST_SIMPLE_KEY: usize = 128;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Root,
    ListItem,
    MapValue,
}

struct Emitter {
    out: String,
    /// In characters.
    column: usize,
    /// The last character was white, or none is needed.
    whitespace: bool,
    /// Only indentation and list or map indicators stand on the line so far.
    indention: bool,
    indent: isize,
    depth: usize,
    bounds: Bounds,
}

impl Emitter {
    fn node<T: Tree>(&mut self, tree: &T, context: Context) -> Result<(), TooLarge> {
        if self.out.len() > self.bounds.bytes {
            return Err(TooLarge::Long);
        }
        tree.look(|shape| match shape {
            Shape::Null => {
                self.plain_word("null");
                Ok(())
            }
            Shape::Bool(truth) => {
                self.plain_word(if truth { "true" } else { "false" });
                Ok(())
            }
            Shape::Number(words) => {
                self.plain_word(&words);
                Ok(())
            }
            Shape::Text(text) => {
                self.text(text);
                Ok(())
            }
            Shape::List([]) => {
                self.indicator("[", Before::Space, true, false);
                self.indicator("]", Before::Nothing, false, false);
                Ok(())
            }
            Shape::List(items) => self.list(items, context),
            Shape::Map(entries) if entries.is_empty() => {
                self.indicator("{", Before::Space, true, false);
                self.indicator("}", Before::Nothing, false, false);
                Ok(())
            }
            Shape::Map(entries) => self.map(entries),
        })
    }

    fn deeper(&mut self) -> Result<(), TooLarge> {
        self.depth += 1;
        if self.depth > self.bounds.depth { Err(TooLarge::Deep) } else { Ok(()) }
    }

    fn list<T: Tree>(&mut self, items: &[T], context: Context) -> Result<(), TooLarge> {
        self.deeper()?;
        let outer = self.indent;
        // A list that is a map's value starts in the map's own column.
        let indentless = context == Context::MapValue && !self.indention;
        self.increase_indent(indentless);
        for item in items {
            self.write_indent();
            self.indicator("-", Before::Space, false, true);
            self.node(item, Context::ListItem)?;
        }
        self.indent = outer;
        self.depth -= 1;
        Ok(())
    }

    fn map<T: Tree>(&mut self, mut entries: Vec<(&str, &T)>) -> Result<(), TooLarge> {
        self.deeper()?;
        sort_naturally(&mut entries);
        let outer = self.indent;
        self.increase_indent(false);
        for (key, value) in entries {
            self.write_indent();
            let looks = Looks::of(key);
            if !looks.multiline && key.len() <= LONGEST_SIMPLE_KEY {
                self.scalar(key, style_of(key, &looks, Folding::Never), Folding::Never);
                self.indicator(":", Before::Nothing, false, false);
            } else {
                self.indicator("?", Before::Space, false, true);
                self.scalar(key, style_of(key, &looks, Folding::AtSpaces), Folding::AtSpaces);
                self.write_indent();
                self.indicator(":", Before::Space, false, true);
            }
            self.node(value, Context::MapValue)?;
        }
        self.indent = outer;
        self.depth -= 1;
        Ok(())
    }

    fn text(&mut self, text: &str) {
        let looks = Looks::of(text);
        self.scalar(text, style_of(text, &looks, Folding::AtSpaces), Folding::AtSpaces);
    }

    /// A word without spaces that needs no look at it.
    fn plain_word(&mut self, word: &str) {
        if !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(word);
        self.column += word.len();
        self.whitespace = false;
        self.indention = false;
    }

    fn scalar(&mut self, text: &str, style: Style, folding: Folding) {
        let outer = self.indent;
        self.indent = if outer < 0 { 2 } else { outer + 2 };
        match style {
            Style::Plain => self.plain(text, folding),
            Style::Single => self.single_quoted(text, folding),
            Style::Double => self.double_quoted(text, folding),
            Style::Literal => self.literal(text),
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &str, folding: Folding) {
        if !self.whitespace {
            self.put(' ');
        }
        // Most texts neither fold nor break.
        if self.column + text.len() <= BEST_WIDTH && text.is_ascii() {
            self.out.push_str(text);
            self.column += text.len();
        } else {
            let mut spaces = false;
            let mut rest = text.chars().peekable();
            while let Some(c) = rest.next() {
                if c == ' ' {
                    let fold = folding == Folding::AtSpaces
                        && !spaces
                        && self.column > BEST_WIDTH
                        && rest.peek() != Some(&' ');
                    if fold {
                        self.write_indent()
                    } else {
                        self.put(' ')
                    }
                    spaces = true;
                } else {
                    self.put(c);
                    self.indention = false;
                    spaces = false;
                }
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, folding: Folding) {
        self.indicator("'", Before::Space, false, false);
        let (mut spaces, mut breaks) = (false, false);
        let mut rest = text.chars().peekable();
        let mut first = true;
        while let Some(c) = rest.next() {
            if c == ' ' {
                let fold = folding == Folding::AtSpaces
                    && !spaces
                    && self.column > BEST_WIDTH
                    && !first
                    && rest.peek().is_some_and(|next| *next != ' ');
                if fold {
                    self.write_indent()
                } else {
                    self.put(' ')
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.put_break();
                }
                self.write_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
            first = false;
        }
        self.indicator("'", Before::Nothing, false, false);
    }

    fn double_quoted(&mut self, text: &str, folding: Folding) {
        self.indicator("\"", Before::Space, false, false);
        let mut spaces = false;
        let mut rest = text.chars().peekable();
        let mut first = true;
        while let Some(c) = rest.next() {
            if !is_printable(c) || is_break(c) || c == '"' || c == '\\' {
                self.escape(c);
                spaces = false;
            } else if c == ' ' {
                let fold = folding == Folding::AtSpaces
                    && !spaces
                    && self.column > BEST_WIDTH
                    && !first
                    && rest.peek().is_some();
                if fold {
                    self.write_indent();
                    if rest.peek() == Some(&' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
            first = false;
        }
        self.indicator("\"", Before::Nothing, false, false);
    }

    fn escape(&mut self, c: char) {
        self.put('\\');
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(c);
                let words = match code {
                    0..=0xff => format!("x{code:02X}"),
                    0x100..=0xffff => format!("u{code:04X}"),
                    _ => format!("U{code:08X}"),
                };
                words.chars().for_each(|c| self.put(c));
                return;
            }
        };
        self.put(short);
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", Before::Space, false, false);
        if text.starts_with([' ', '\n']) {
            self.indicator("2", Before::Nothing, false, false);
        }
        let mut backwards = text.chars().rev();
        match (backwards.next().is_some_and(is_break), backwards.next()) {
            (false, _) => self.indicator("-", Before::Nothing, false, false),
            (true, None) => self.indicator("+", Before::Nothing, false, false),
            (true, Some(before)) if is_break(before) => {
                self.indicator("+", Before::Nothing, false, false);
            }
            (true, Some(_)) => {}
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for line in text.split_inclusive(is_break) {
            let body = line.trim_end_matches(is_break);
            if !body.is_empty() {
                if breaks {
                    self.write_indent();
                }
                self.out.push_str(body);
                self.column += body.chars().count();
                self.indention = false;
                breaks = false;
            }
            if let Some(c) = line.chars().next_back().filter(|c| is_break(*c)) {
                self.write_break(c);
                self.indention = true;
                breaks = true;
            }
        }
    }

    fn indicator(&mut self, words: &str, before: Before, white_after: bool, keeps_indention: bool) {
        if before == Before::Space && !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(words);
        self.column += words.len();
        self.whitespace = white_after;
        self.indention = self.indention && keeps_indention;
    }

    fn increase_indent(&mut self, indentless: bool) {
        if self.indent < 0 {
            self.indent = 0;
        } else if !indentless {
            self.indent += 2;
        }
    }

    fn write_indent(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn write_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Space,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The pair was written by `helm template` 3.22: `toPrettyJson` and `toYaml` of one tree.
    #[test]
    fn text_is_what_go_yaml_writes() {
        let tree: Value = serde_json::from_str(include_str!("../../tests/data/emit/tree.json"))
            .expect("the test's tree is JSON");
        assert_eq!(to_yaml(&tree), include_str!("../../tests/data/emit/go.yaml"));
    }

    #[test]
    fn scalars_stand_alone() {
        let texts: Vec<String> = [json!(null), json!(true), json!("a"), json!([]), json!({}), json!("a\nb")]
            .iter()
            .map(to_yaml)
            .collect();
        assert_eq!(texts, ["null\n", "true\n", "a\n", "[]\n", "{}\n", "|-\n  a\n  b\n"]);
    }

    #[test]
    fn bounds_end_the_writing() {
        let deep = json!([[[["x"]]]]);
        assert_eq!(write_yaml(&deep, Bounds { depth: 3, bytes: 100 }), Err(TooLarge::Deep));
        let long = json!(["xxxxxxxx", "xxxxxxxx", "x"]);
        assert_eq!(write_yaml(&long, Bounds { depth: 3, bytes: 10 }), Err(TooLarge::Long));
    }

    proptest! {
        #[test]
        fn any_text_is_written(text in any::<String>()) {
            let yaml = to_yaml(&json!({ "key": text.clone(), text: 1 }));
            prop_assert!(yaml.ends_with('\n'));
        }
    }
}

//! Texts.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use sha2::Digest;

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_BYTES, Meter};
use crate::chart::value::{Element, List, Text, Value, display, quoted, text_map, texts};

use super::arg::{fault, int, text};
use super::{ANY, Function, plain};

pub(super) static FUNCTIONS: &[Function] = &[
    plain("trim", 1, 1, |meter, args| made(meter, text(&args[0])?.trim())),
    plain("upper", 1, 1, |meter, args| made(meter, text(&args[0])?.chars().map(large).collect::<String>())),
    plain("lower", 1, 1, |meter, args| made(meter, text(&args[0])?.chars().map(small).collect::<String>())),
    plain("title", 1, 1, |meter, args| made(meter, title(text(&args[0])?))),
    plain("untitle", 1, 1, |meter, args| made(meter, untitle(text(&args[0])?))),
    plain("swapcase", 1, 1, |meter, args| made(meter, swap_case(text(&args[0])?))),
    plain("nospace", 1, 1, |meter, args| {
        made(meter, ascii(&args[0])?.chars().filter(|c| !c.is_whitespace()).collect::<String>())
    }),
    plain("initials", 1, 1, |meter, args| {
        let words = ascii(&args[0])?.split_whitespace();
        made(meter, words.filter_map(|word| word.chars().next()).collect::<String>())
    }),
    plain("trunc", 2, 2, trunc),
    plain("substr", 3, 3, substr),
    plain("abbrev", 2, 2, |meter, args| {
        let (width, text) = (int(&args[0])?, text(&args[1])?);
        made(meter, abbreviated(width, text)?)
    }),
    plain("repeat", 2, 2, repeat),
    plain("trimAll", 2, 2, |meter, args| {
        let (cut, text) = (text(&args[0])?, text(&args[1])?);
        made(meter, text.trim_matches(|c| cut.contains(c)))
    }),
    plain("trimall", 2, 2, |meter, args| {
        let (cut, text) = (text(&args[0])?, text(&args[1])?);
        made(meter, text.trim_matches(|c| cut.contains(c)))
    }),
    plain("trimPrefix", 2, 2, |meter, args| {
        let (cut, text) = (text(&args[0])?, text(&args[1])?);
        made(meter, text.strip_prefix(cut).unwrap_or(text))
    }),
    plain("trimSuffix", 2, 2, |meter, args| {
        let (cut, text) = (text(&args[0])?, text(&args[1])?);
        made(meter, text.strip_suffix(cut).unwrap_or(text))
    }),
    plain("contains", 2, 2, |_, args| Ok(Value::Bool(text(&args[1])?.contains(text(&args[0])?)))),
    plain("hasPrefix", 2, 2, |_, args| Ok(Value::Bool(text(&args[1])?.starts_with(text(&args[0])?)))),
    plain("hasSuffix", 2, 2, |_, args| Ok(Value::Bool(text(&args[1])?.ends_with(text(&args[0])?)))),
    plain("replace", 3, 3, replace),
    plain("quote", 0, ANY, |meter, args| joined_with(meter, args, quoted)),
    plain("squote", 0, ANY, |meter, args| joined_with(meter, args, |text| format!("'{text}'"))),
    plain("cat", 0, ANY, cat),
    plain("indent", 2, 2, |meter, args| indent(meter, args, "")),
    plain("nindent", 2, 2, |meter, args| indent(meter, args, "\n")),
    plain("plural", 3, 3, |_, args| {
        let (one, many) = (text(&args[0])?, text(&args[1])?);
        Ok(Value::text(if int(&args[2])? == 1 { one } else { many }))
    }),
    plain("toString", 1, 1, |meter, args| string_of(&args[0], meter).map(Value::Text)),
    plain("toStrings", 1, 1, |meter, args| {
        let texts = strings_of(&args[0], meter)?.into_iter().map(Value::Text).collect();
        Ok(Value::List(List::of(Element::Text, texts)))
    }),
    plain("join", 2, 2, |meter, args| {
        let separator = text(&args[0])?;
        made(meter, strings_of(&args[1], meter)?.join(separator))
    }),
    plain("splitList", 2, 2, |meter, args| {
        let (separator, text) = (text(&args[0])?, text(&args[1])?);
        meter.text(text.len())?;
        let parts = texts(go_split(text, separator, usize::MAX));
        meter.steps(parts.as_list().map_or(0, |list| list.len() as u64))?;
        Ok(parts)
    }),
    plain("split", 2, 2, |meter, args| {
        let (separator, text) = (text(&args[0])?, text(&args[1])?);
        numbered(meter, go_split(text, separator, usize::MAX))
    }),
    plain("splitn", 3, 3, |meter, args| {
        let (separator, most, text) = (text(&args[0])?, int(&args[1])?, text(&args[2])?);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        numbered(meter, go_split(text, separator, most))
    }),
    plain("camelcase", 1, 1, |meter, args| made(meter, pascal_case(text(&args[0])?)?)),
    plain("kebabcase", 1, 1, |meter, args| made(meter, joined_words(text(&args[0])?, '-')?)),
    plain("snakecase", 1, 1, |meter, args| made(meter, joined_words(text(&args[0])?, '_')?)),
    plain("sha256sum", 1, 1, |_, args| Ok(hex(&sha2::Sha256::digest(text(&args[0])?)))),
    plain("sha512sum", 1, 1, |_, args| Ok(hex(&sha2::Sha512::digest(text(&args[0])?)))),
    plain("adler32sum", 1, 1, |_, args| Ok(Value::text(adler32(text(&args[0])?).to_string()))),
    plain("wrap", 2, 2, |meter, args| {
        let (width, text) = (int(&args[0])?, ascii(&args[1])?);
        made(meter, wrapped(text, width, "\n", Long::Kept))
    }),
    plain("wrapWith", 3, 3, |meter, args| {
        let (width, break_with, text) = (int(&args[0])?, text(&args[1])?, ascii(&args[2])?);
        made(meter, wrapped(text, width, break_with, Long::Cut))
    }),
];

/// A text that a function made, counted.
fn made(meter: &Meter, text: impl Into<Text>) -> Result<Value, Fault> {
    let text = text.into();
    meter.text(text.len())?;
    Ok(Value::Text(text))
}

/// sprig's `strval`: a text as it is, anything else as `%v`.
pub(super) fn string_of(value: &Value, meter: &Meter) -> Result<Text, Fault> {
    match value {
        Value::Text(text) => Ok(Text::clone(text)),
        Value::Host(host) => match host.content() {
            Some(bytes) => std::str::from_utf8(bytes)
                .map(Text::from)
                .map_err(|_| Fault::Template("a file that is not UTF-8 is used as text".to_owned())),
            None => shown(value, meter),
        },
        _ => shown(value, meter),
    }
}

fn shown(value: &Value, meter: &Meter) -> Result<Text, Fault> {
    let mut out = String::new();
    display(value, meter, &mut out)?;
    Ok(out.into())
}

/// sprig's `strslice`: the items that are something, as texts.
pub(super) fn strings_of(value: &Value, meter: &Meter) -> Result<Vec<Text>, Fault> {
    match value.as_list() {
        Some(list) => list.iter().filter(|item| !item.is_nil()).map(|item| string_of(item, meter)).collect(),
        None if value.is_nil() => Ok(Vec::new()),
        None => Ok(vec![string_of(value, meter)?]),
    }
}

fn joined_with(meter: &Meter, args: &[Value], write: impl Fn(&str) -> String) -> Result<Value, Fault> {
    let mut parts = Vec::with_capacity(args.len());
    for arg in args.iter().filter(|arg| !arg.is_nil()) {
        parts.push(write(&string_of(arg, meter)?));
    }
    match parts.len() {
        1 => made(meter, parts.swap_remove(0)),
        _ => made(meter, parts.join(" ")),
    }
}

fn cat(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let mut parts = Vec::with_capacity(args.len());
    for arg in args.iter().filter(|arg| !arg.is_nil()) {
        parts.push(shown(arg, meter)?);
    }
    made(meter, parts.join(" "))
}

fn indent(meter: &Meter, args: &[Value], before: &str) -> Result<Value, Fault> {
    let (spaces, text) = (int(&args[0])?, text(&args[1])?);
    let Ok(spaces) = usize::try_from(spaces) else { return fault("a negative number of spaces") };
    let lines = 1 + memchr::memchr_iter(b'\n', text.as_bytes()).count();
    let length = spaces.saturating_mul(lines).saturating_add(text.len() + before.len());
    meter.text(length)?;
    let margin = " ".repeat(spaces);
    let mut out = String::with_capacity(length);
    out.push_str(before);
    out.push_str(&margin);
    let mut from = 0;
    for line_break in memchr::memchr_iter(b'\n', text.as_bytes()) {
        out.push_str(&text[from..=line_break]);
        out.push_str(&margin);
        from = line_break + 1;
    }
    out.push_str(&text[from..]);
    Ok(Value::text(out))
}

fn trunc(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let (count, text) = (int(&args[0])?, text(&args[1])?);
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let range = if count < 0 && length.saturating_add(count) > 0 {
        usize::try_from(length + count).unwrap_or(0)..text.len()
    } else if count >= 0 && length > count {
        0..usize::try_from(count).unwrap_or(text.len())
    } else {
        0..text.len()
    };
    cut(meter, text, range)
}

fn substr(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let (start, end, text) = (int(&args[0])?, int(&args[1])?, text(&args[2])?);
    let end = usize::try_from(end).ok().filter(|end| *end <= text.len());
    match usize::try_from(start) {
        Err(_) => match end {
            Some(end) => cut(meter, text, 0..end),
            None => fault("slice bounds out of range"),
        },
        Ok(start) => cut(meter, text, start..end.unwrap_or(text.len())),
    }
}

/// Bytes of a text; Go would cut a character in two, which is refused here.
fn cut(meter: &Meter, text: &str, range: std::ops::Range<usize>) -> Result<Value, Fault> {
    if range.start > range.end || range.end > text.len() {
        return fault("slice bounds out of range");
    }
    match text.get(range) {
        Some(part) => made(meter, part),
        None => fault("the cut goes through the middle of a character"),
    }
}

fn repeat(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let (count, text) = (int(&args[0])?, text(&args[1])?);
    let Ok(count) = usize::try_from(count) else { return fault("negative Repeat count") };
    meter.text(text.len().saturating_mul(count))?;
    Ok(Value::text(text.repeat(count)))
}

fn replace(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let (old, new, text) = (text(&args[0])?, text(&args[1])?, text(&args[2])?);
    let places = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    let length = text.len().saturating_add(places.saturating_mul(new.len()));
    if length > MOST_BYTES {
        return Err(Fault::Limit(Limit::Output(MOST_BYTES)));
    }
    made(meter, text.replace(old, new))
}

/// Go's `strings.SplitN`: an empty separator gives the characters.
fn go_split<'t>(text: &'t str, separator: &str, most: usize) -> Vec<&'t str> {
    if most == 0 {
        return Vec::new();
    }
    if !separator.is_empty() {
        return text.splitn(most, separator).collect();
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if parts.len() + 1 == most {
            break;
        }
        let (first, after) = rest.split_at(c.len_utf8());
        parts.push(first);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

fn numbered(meter: &Meter, parts: Vec<&str>) -> Result<Value, Fault> {
    meter.steps(parts.len() as u64)?;
    meter.text(parts.iter().map(|part| part.len()).sum())?;
    let entries: BTreeMap<String, String> =
        parts.into_iter().enumerate().map(|(at, part)| (format!("_{at}"), part.to_owned())).collect();
    Ok(text_map(entries))
}

/// Go's `unicode.ToUpper`: a letter that is written large as several stays as it is.
fn large(c: char) -> char {
    let mut large = c.to_uppercase();
    large.next().filter(|_| large.next().is_none()).unwrap_or(c)
}

/// Go's `unicode.ToLower`: of a letter that is written small as several, the first.
fn small(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// A text for functions that go through it byte by byte in helm, and so break other letters.
fn ascii(value: &Value) -> Result<&str, Fault> {
    match text(value)? {
        text if text.is_ascii() => Ok(text),
        _ => fault("letters beyond ASCII are not implemented here, where helm breaks them"),
    }
}

/// `strings.Title`: a letter behind anything that is neither letter, digit nor underscore.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let inside = match before {
            before if before.is_ascii() => before.is_ascii_alphanumeric() || before == '_',
            before => !before.is_whitespace(),
        };
        if inside {
            out.push(c)
        } else {
            out.push(large(c))
        }
        before = c;
    }
    out
}

fn untitle(text: &str) -> String {
    let mut starts = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if starts && !c.is_whitespace() {
            out.push(small(c))
        } else {
            out.push(c)
        }
        starts = c.is_whitespace();
    }
    out
}

fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.push(small(c));
        } else if c.is_lowercase() {
            out.push(large(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn abbreviated(width: i64, text: &str) -> Result<String, Fault> {
    let Ok(width) = usize::try_from(width) else { return Ok(text.to_owned()) };
    if width < 4 || text.len() <= width {
        return Ok(text.to_owned());
    }
    match text.get(..width - 3) {
        Some(start) => Ok(format!("{start}...")),
        None => fault("the cut goes through the middle of a character"),
    }
}

/// What xstrings does with the words of a text is settled for plain ASCII words alone.
fn plain_words(text: &str) -> Result<Vec<&str>, Fault> {
    let words: Vec<&str> = text.split(['-', '_', ' ']).collect();
    let is_plain = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    if !text.is_empty() && !words.iter().all(is_plain) {
        return fault(
            "changing the case of words is not implemented for others than small ASCII letters with one `-`, `_` or \
             space between words",
        );
    }
    Ok(words)
}

fn pascal_case(text: &str) -> Result<String, Fault> {
    Ok(plain_words(text)?.into_iter().map(title).collect())
}

fn joined_words(text: &str, joiner: char) -> Result<String, Fault> {
    Ok(plain_words(text)?.join(&joiner.to_string()))
}

fn hex(bytes: &[u8]) -> Value {
    Value::text(HEXLOWER.encode(bytes))
}

fn adler32(text: &str) -> u32 {
    let (a, b) = text.bytes().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    (b << 16) | a
}

/// What happens to a word that is longer than a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Long {
    Kept,
    Cut,
}

/// goutils' `WrapCustom`.
fn wrapped(text: &str, width: i64, break_with: &str, long: Long) -> String {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let break_with = if break_with.is_empty() { "\n" } else { break_with };
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while letters.len() - at > width {
        if letters[at] == ' ' {
            at += 1;
            continue;
        }
        let last_space = letters[at..=at + width].iter().rposition(|c| *c == ' ').map(|p| p + at);
        match last_space {
            Some(space) => {
                out.extend(&letters[at..space]);
                out.push_str(break_with);
                at = space + 1;
            }
            None if long == Long::Cut => {
                out.extend(&letters[at..at + width]);
                out.push_str(break_with);
                at += width;
            }
            None => match letters[at + width..].iter().position(|c| *c == ' ') {
                Some(space) => {
                    let space = at + width + space;
                    out.extend(&letters[at..space]);
                    out.push_str(break_with);
                    at = space + 1;
                }
                None => {
                    out.extend(&letters[at..]);
                    at = letters.len();
                }
            },
        }
    }
    out.extend(&letters[at..]);
    out
}

/// The items of a list of texts, for functions that give one.
pub(super) fn text_list<'a>(meter: &Meter, items: impl IntoIterator<Item = &'a str>) -> Result<Value, Fault> {
    let mut list = Vec::new();
    for item in items {
        meter.steps(1)?;
        meter.text(item.len())?;
        list.push(Value::text(item));
    }
    Ok(Value::List(List::of(Element::Text, list)))
}

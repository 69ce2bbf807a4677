//! Values as text, as Go's `%v` and `%q` write them.

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_NESTING, Meter};
use crate::document::number::go_general;

use super::{Host, Value};

/// Writes a value as an action does, `{{ .Values.x }}`: a missing one is `<no value>`.
pub(in crate::chart) fn display_in_action(
    value: &Value,
    meter: &Meter,
    out: &mut String,
) -> Result<(), Fault> {
    match value {
        Value::Nothing | Value::Nil => {
            out.push_str("<no value>");
            Ok(())
        }
        // Its String method has a pointer for a receiver, which only an action takes.
        Value::Host(host) if let Host::KubeVersion { version, .. } = &**host => {
            out.push_str(version);
            meter.text(version.len())
        }
        _ => display(value, meter, out),
    }
}

/// Writes a value as `%v` does: `map[a:1 b:[x y]]`, `1.5e+06`, `<nil>`.
pub(in crate::chart) fn display(value: &Value, meter: &Meter, out: &mut String) -> Result<(), Fault> {
    match value {
        Value::Text(text) => {
            out.push_str(text);
            meter.text(text.len())?;
        }
        _ => {
            let before = out.len();
            nested(value, 0, meter, out)?;
            meter.text(out.len() - before)?;
        }
    }
    Ok(())
}

fn nested(value: &Value, depth: usize, meter: &Meter, out: &mut String) -> Result<(), Fault> {
    meter.steps(1)?;
    if depth > MOST_NESTING {
        return Err(Fault::Limit(Limit::Nesting(MOST_NESTING)));
    }
    match value {
        Value::Nothing | Value::Nil => out.push_str("<nil>"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) | Value::Int64(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&go_general(*number)),
        Value::Text(text) => out.push_str(text),
        Value::List(list) => nested_list(list, depth, meter, out)?,
        Value::Map(map) => {
            out.push_str("map[");
            for (at, (key, value)) in map.borrow().iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                nested(value, depth + 1, meter, out)?;
            }
            out.push(']');
        }
        Value::Host(host) => match &**host {
            Host::ApiVersions(list) => nested_list(list, depth, meter, out)?,
            Host::KubeVersion { version, major, minor } => {
                out.push_str(&format!("{{{version} {major} {minor}}}"));
            }
            Host::Struct { .. } | Host::Files(_) | Host::Bytes(_) => {
                return Err(Fault::Template(format!(
                    "printing a {} is not implemented; name one of its fields",
                    value.type_name()
                )));
            }
        },
    }
    Ok(())
}

fn nested_list(list: &[Value], depth: usize, meter: &Meter, out: &mut String) -> Result<(), Fault> {
    out.push('[');
    for (at, item) in list.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        nested(item, depth + 1, meter, out)?;
    }
    out.push(']');
    Ok(())
}

/// A text in double quotes, as `%q` writes it.
pub(in crate::chart) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        escape(c, '"', &mut out);
    }
    out.push('"');
    out
}

/// Writes one character as `strconv.Quote` does.
pub(in crate::chart) fn escape(c: char, quote: char, out: &mut String) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        _ if c == quote => {
            out.push('\\');
            out.push(c);
        }
        ' '..='~' => out.push(c),
        _ if is_printable(c) => out.push(c),
        '\0'..='\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        _ => escape_by_number(c, out),
    }
}

/// Writes one character as `strconv.QuoteToASCII` does.
pub(in crate::chart) fn escape_ascii(c: char, quote: char, out: &mut String) {
    if c.is_ascii() {
        escape(c, quote, out);
    } else {
        escape_by_number(c, out);
    }
}

fn escape_by_number(c: char, out: &mut String) {
    match u32::from(c) {
        number @ ..=0xffff => out.push_str(&format!("\\u{number:04x}")),
        number => out.push_str(&format!("\\U{number:08x}")),
    }
}

/// Go's `unicode.IsPrint`, as near as Rust's `char` knows: Rust escapes in `Debug`
/// what is no letter, mark, number, punctuation or symbol.
pub(in crate::chart) fn is_printable(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && {
        let escaped = c.escape_debug();
        // A combining mark is escaped at a text's start alone, and Go prints it.
        escaped.count() == 1 || is_mark(c)
    }
}

fn is_mark(c: char) -> bool {
    let text: String = ['a', c].iter().collect();
    text.escape_debug().count() == 2
}

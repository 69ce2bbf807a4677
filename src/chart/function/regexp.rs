//! Regular expressions, in RE2's language as Go has it.

use regex::{Regex, RegexBuilder};

use crate::chart::error::Fault;
use crate::chart::meter::Meter;
use crate::chart::value::{Element, List, Value};

use super::arg::{int, text};
use super::pattern::{Refused, translated};
use super::text::text_list;
use super::{Function, plain};

pub(super) static FUNCTIONS: &[Function] = &[
    plain("regexMatch", 2, 2, |meter, args| {
        let (pattern, text) = (text(&args[0])?, text(&args[1])?);
        match known(pattern, meter) {
            Ok(regex) => Ok(Value::Bool(regex.is_match(text))),
            // A pattern that is none matches nothing, says sprig.
            Err(NoPattern::Broken(_)) => Ok(Value::Bool(false)),
            Err(NoPattern::Fault(fault)) => Err(fault),
        }
    }),
    plain("mustRegexMatch", 2, 2, |meter, args| {
        Ok(Value::Bool(compiled(text(&args[0])?, meter)?.is_match(text(&args[1])?)))
    }),
    plain("regexFind", 2, 2, find),
    plain("mustRegexFind", 2, 2, find),
    plain("regexFindAll", 3, 3, find_all),
    plain("mustRegexFindAll", 3, 3, find_all),
    plain("regexReplaceAll", 3, 3, replace_all),
    plain("mustRegexReplaceAll", 3, 3, replace_all),
    plain("regexReplaceAllLiteral", 3, 3, replace_all_literal),
    plain("mustRegexReplaceAllLiteral", 3, 3, replace_all_literal),
    plain("regexSplit", 3, 3, split),
    plain("mustRegexSplit", 3, 3, split),
    plain("regexQuoteMeta", 1, 1, |_, args| Ok(Value::text(quote_meta(text(&args[0])?)))),
];

/// Why a text is no pattern.
enum NoPattern {
    /// It is none in Go either, and why.
    Broken(String),
    Fault(Fault),
}

fn compiled(pattern: &str, meter: &Meter) -> Result<Regex, Fault> {
    known(pattern, meter).map_err(|no_pattern| match no_pattern {
        NoPattern::Broken(why) => Fault::Template(format!("error parsing regexp: {pattern:?}: {why}")),
        NoPattern::Fault(fault) => fault,
    })
}

fn known(pattern: &str, meter: &Meter) -> Result<Regex, NoPattern> {
    meter.steps(1000 + pattern.len() as u64).map_err(NoPattern::Fault)?;
    let missing = |what: &str| {
        let what = format!("{what} is not implemented in the regular expression {pattern:?}");
        NoPattern::Fault(Fault::Template(what))
    };
    meter.memo.pattern(pattern, |pattern| {
        let pattern = translated(pattern).map_err(|refused| match refused {
            Refused::Broken(why) => NoPattern::Broken(why.to_owned()),
            Refused::Missing(what) => missing(what),
        })?;
        let builder = RegexBuilder::new(&pattern).size_limit(1 << 20).dfa_size_limit(1 << 20).build();
        builder.map_err(|error| match error {
            regex::Error::Syntax(text) => {
                let why = text.lines().last().unwrap_or_default();
                NoPattern::Broken(why.strip_prefix("error: ").unwrap_or(why).to_owned())
            }
            _ => missing("so large a machine"),
        })
    })
}

fn find(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let (regex, text) = (compiled(text(&args[0])?, meter)?, text(&args[1])?);
    Ok(Value::text(regex.find(text).map_or("", |found| found.as_str())))
}

fn find_all(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let (regex, text, most) = (compiled(text(&args[0])?, meter)?, text(&args[1])?, int(&args[2])?);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut found = regex.find_iter(text).take(most).map(|found| found.as_str()).peekable();
    match found.peek() {
        None => Ok(Value::List(List::nil(Element::Text))),
        Some(_) => text_list(meter, found),
    }
}

fn replace_all(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let (regex, text, with) = (compiled(text(&args[0])?, meter)?, text(&args[1])?, text(&args[2])?);
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for captures in regex.captures_iter(text) {
        let whole = captures.get(0).expect("group 0 is the whole match");
        out.push_str(&text[end..whole.start()]);
        // `$1x` is the group named `1x` in Go and in this crate alike.
        captures.expand(with, &mut out);
        end = whole.end();
        meter.steps(1)?;
        if out.len() > meter.bytes_left() {
            meter.text(out.len())?;
        }
    }
    out.push_str(&text[end..]);
    meter.text(out.len())?;
    Ok(Value::text(out))
}

fn replace_all_literal(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let (regex, text, with) = (compiled(text(&args[0])?, meter)?, text(&args[1])?, text(&args[2])?);
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for found in regex.find_iter(text) {
        out.push_str(&text[end..found.start()]);
        out.push_str(with);
        end = found.end();
        meter.steps(1)?;
        if out.len() > meter.bytes_left() {
            meter.text(out.len())?;
        }
    }
    out.push_str(&text[end..]);
    meter.text(out.len())?;
    Ok(Value::text(out))
}

/// Go's `Regexp.Split`.
fn split(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let (regex, text, most) = (compiled(text(&args[0])?, meter)?, text(&args[1])?, int(&args[2])?);
    if most == 0 {
        return Ok(Value::List(List::nil(Element::Text)));
    }
    if !regex.as_str().is_empty() && text.is_empty() {
        return text_list(meter, [""]);
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, 0);
    for found in regex.find_iter(text) {
        if parts.len() + 1 == most {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            parts.push(&text[start..end]);
        }
        start = found.end();
    }
    if end != text.len() {
        parts.push(&text[start..]);
    }
    text_list(meter, parts)
}

fn quote_meta(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

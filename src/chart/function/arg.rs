//! Arguments, checked as Go's types would check them.

use crate::chart::error::Fault;
use crate::chart::value::{List, Map, Value};

/// An error of evaluation.
pub(super) fn fault<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Template(what.into()))
}

/// The error for a value of another type.
pub(super) fn wrong_type(wanted: &str, value: &Value) -> Fault {
    Fault::Template(match value {
        Value::Nothing => format!("invalid value; expected {wanted}"),
        // What a map holds, or would hold: of the map's type, which is no type in particular.
        Value::Nil => format!("wrong type for value; expected {wanted}; got interface {{}}"),
        value => format!("wrong type for value; expected {wanted}; got {}", value.type_name()),
    })
}

/// A text.
pub(super) fn text(value: &Value) -> Result<&str, Fault> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong_type("string", other)),
    }
}

/// Go's `int`; an `int64` or a float is none.
pub(super) fn int(value: &Value) -> Result<i64, Fault> {
    match value {
        Value::Int(number) => Ok(*number),
        other => Err(wrong_type("int", other)),
    }
}

/// A map of anything; no value at all is a map without entries, and a nil of a map none, as in Go
/// (`validateType`, text/template/exec.go, 1.26).
pub(super) fn map(value: &Value) -> Result<Map, Fault> {
    match value {
        Value::Map(map) if !map.texts_only() => Ok(map.clone()),
        Value::Nothing => Ok(Map::nil()),
        other => Err(wrong_type("map[string]interface {}", other)),
    }
}

/// A list of any kind; `verb` is what cannot be done to anything else.
pub(super) fn list<'a>(value: &'a Value, verb: &str) -> Result<&'a List, Fault> {
    value.as_list().ok_or_else(|| Fault::Template(format!("cannot {verb} type {}", value.kind_name())))
}

/// What sprig's `toInt64` makes of a value: 0 of what is no number.
pub(super) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Float(number) => truncated(*number),
        Value::Bool(truth) => i64::from(*truth),
        Value::Text(text) => integer_of_text(text),
        Value::Nothing | Value::Nil | Value::List(_) | Value::Map(_) | Value::Host(_) => 0,
    }
}

/// A float without its fraction; what no integer holds is the smallest one, as on the machines that helm is built for
/// first (amd64's `CVTTSD2SI`).
fn truncated(number: f64) -> i64 {
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let fits = (i64::MIN as f64..-(i64::MIN as f64)).contains(&number);
    #[expect(clippy::cast_possible_truncation, reason = "it fits")]
    if fits { number as i64 } else { i64::MIN }
}

/// spf13/cast: a number in any of Go's bases, `.0` at its end cut off.
fn integer_of_text(text: &str) -> i64 {
    let text = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        Some(_) | None => text,
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return 0;
    }
    let magnitude = i128::from_str_radix(&digits, base).unwrap_or(0);
    i64::try_from(if negative { -magnitude } else { magnitude }).unwrap_or(0)
}

/// What sprig's `toFloat64` makes of a value.
pub(super) fn to_float64(value: &Value) -> f64 {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "Go loses the same")]
        Value::Int(number) | Value::Int64(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::Text(text) => text.parse().unwrap_or(0.0),
        Value::Nothing | Value::Nil | Value::List(_) | Value::Map(_) | Value::Host(_) => 0.0,
    }
}

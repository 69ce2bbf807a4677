//! Numbers.

use crate::chart::error::Fault;
use crate::chart::meter::Meter;
use crate::chart::value::{Element, List, Value};

use super::arg::{fault, int, text, to_float64, to_int64, wrong_type};
use super::format::sprint;
use super::{ANY, Function, plain};

pub(super) static FUNCTIONS: &[Function] = &[
    plain("int", 1, 1, |_, args| Ok(Value::Int(to_int64(&args[0])))),
    plain("int64", 1, 1, |_, args| Ok(Value::Int64(to_int64(&args[0])))),
    plain("float64", 1, 1, |_, args| Ok(Value::Float(to_float64(&args[0])))),
    plain("atoi", 1, 1, |_, args| {
        let words = text(&args[0])?;
        Ok(Value::Int(words.parse().unwrap_or(0)))
    }),
    plain("toDecimal", 1, 1, |meter, args| {
        Ok(Value::Int64(i64::from_str_radix(&sprint(args, meter)?, 8).unwrap_or(0)))
    }),
    plain("add", 0, ANY, |_, args| Ok(folded(args, 0, i64::wrapping_add))),
    plain("add1", 1, 1, |_, args| Ok(Value::Int64(to_int64(&args[0]).wrapping_add(1)))),
    plain("sub", 2, 2, |_, args| Ok(Value::Int64(to_int64(&args[0]).wrapping_sub(to_int64(&args[1]))))),
    plain("mul", 1, ANY, |_, args| Ok(folded(args, 1, i64::wrapping_mul))),
    plain("div", 2, 2, |_, args| divided(args, i64::checked_div)),
    plain("mod", 2, 2, |_, args| divided(args, i64::checked_rem)),
    plain("max", 1, ANY, |_, args| Ok(folded(&args[1..], to_int64(&args[0]), i64::max))),
    plain("biggest", 1, ANY, |_, args| Ok(folded(&args[1..], to_int64(&args[0]), i64::max))),
    plain("min", 1, ANY, |_, args| Ok(folded(&args[1..], to_int64(&args[0]), i64::min))),
    plain("maxf", 1, ANY, |_, args| Ok(folded_floats(args, f64::max))),
    plain("minf", 1, ANY, |_, args| Ok(folded_floats(args, f64::min))),
    plain("ceil", 1, 1, |_, args| Ok(Value::Float(to_float64(&args[0]).ceil()))),
    plain("floor", 1, 1, |_, args| Ok(Value::Float(to_float64(&args[0]).floor()))),
    plain("round", 2, 3, round),
    plain("until", 1, 1, |meter, args| {
        let count = int(&args[0])?;
        numbers(meter, 0, count, if count < 0 { -1 } else { 1 }).map(Value::List)
    }),
    plain("untilStep", 3, 3, |meter, args| {
        numbers(meter, int(&args[0])?, int(&args[1])?, int(&args[2])?).map(Value::List)
    }),
    plain("seq", 0, ANY, seq),
];

fn folded(args: &[Value], start: i64, with: fn(i64, i64) -> i64) -> Value {
    Value::Int64(args.iter().map(to_int64).fold(start, with))
}

fn folded_floats(args: &[Value], with: fn(f64, f64) -> f64) -> Value {
    let (first, rest) = (to_float64(&args[0]), &args[1..]);
    Value::Float(rest.iter().map(to_float64).fold(first, with))
}

fn divided(args: &[Value], with: fn(i64, i64) -> Option<i64>) -> Result<Value, Fault> {
    match with(to_int64(&args[0]), to_int64(&args[1])) {
        Some(number) => Ok(Value::Int64(number)),
        None => fault("integer divide by zero"),
    }
}

fn round(_: &Meter, args: &[Value]) -> Result<Value, Fault> {
    #[expect(clippy::cast_precision_loss, reason = "decimal places are few")]
    let places = int(&args[1])? as f64;
    let from = match args.get(2) {
        None => 0.5,
        Some(number @ (Value::Float(_) | Value::Int(_))) => to_float64(number),
        Some(other) => return Err(wrong_type("float64", other)),
    };
    let power = 10_f64.powf(places);
    let digit = power * to_float64(&args[0]);
    let rounded = if digit.fract() >= from { digit.ceil() } else { digit.floor() };
    Ok(Value::Float(rounded / power))
}

/// sprig's `untilStep`.
fn numbers(meter: &Meter, start: i64, stop: i64, step: i64) -> Result<List, Fault> {
    let goes = if stop < start { step < 0 } else { step > 0 };
    let mut items = Vec::new();
    let mut at = start;
    while goes && if step < 0 { at > stop } else { at < stop } {
        meter.steps(1)?;
        items.push(Value::Int(at));
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    Ok(List::of(Element::Int, items))
}

/// Numbers with spaces between, as `seq` of a shell has it.
fn seq(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let given = args.iter().map(int).collect::<Result<Vec<_>, _>>()?;
    let (start, step, end) = match given.as_slice() {
        [end] => (1, if *end < 1 { -1 } else { 1 }, *end),
        [start, end] => (*start, if end < start { -1 } else { 1 }, *end),
        [start, step, end] if end < start && *step > 0 => {
            let _ = (start, end);
            return Ok(Value::text(""));
        }
        [start, step, end] => (*start, *step, *end),
        _ => return Ok(Value::text("")),
    };
    let towards = if end < start { -1 } else { 1 };
    let list = numbers(meter, start, end.saturating_add(towards), step)?;
    let words: Vec<String> = list.iter().map(|number| to_int64(number).to_string()).collect();
    let text = words.join(" ");
    meter.text(text.len())?;
    Ok(Value::text(text))
}

//! Lists.

use crate::chart::error::Fault;
use crate::chart::meter::Meter;
use crate::chart::value::{Element, List, Value};

use super::arg::{fault, int, list, to_int64};
use super::core::deep_equal;
use super::text::{string_of, strings_of};
use super::{ANY, Function, plain};

pub(super) static FUNCTIONS: &[Function] = &[
    plain("list", 0, ANY, |_, args| Ok(Value::List(List::new(args.to_vec())))),
    plain("tuple", 0, ANY, |_, args| Ok(Value::List(List::new(args.to_vec())))),
    plain("append", 2, 2, push),
    plain("mustAppend", 2, 2, push),
    plain("push", 2, 2, push),
    plain("mustPush", 2, 2, push),
    plain("prepend", 2, 2, prepend),
    plain("mustPrepend", 2, 2, prepend),
    plain("first", 1, 1, |_, args| Ok(end(list(&args[0], "find first on")?.first()))),
    plain("mustFirst", 1, 1, |_, args| Ok(end(list(&args[0], "find first on")?.first()))),
    plain("last", 1, 1, |_, args| Ok(end(list(&args[0], "find last on")?.last()))),
    plain("mustLast", 1, 1, |_, args| Ok(end(list(&args[0], "find last on")?.last()))),
    plain("rest", 1, 1, rest),
    plain("mustRest", 1, 1, rest),
    plain("initial", 1, 1, initial),
    plain("mustInitial", 1, 1, initial),
    plain("reverse", 1, 1, reverse),
    plain("mustReverse", 1, 1, reverse),
    plain("uniq", 1, 1, uniq),
    plain("mustUniq", 1, 1, uniq),
    plain("without", 1, ANY, without),
    plain("mustWithout", 1, ANY, without),
    plain("has", 2, 2, has),
    plain("mustHas", 2, 2, has),
    plain("compact", 1, 1, compact),
    plain("mustCompact", 1, 1, compact),
    plain("slice", 1, ANY, slice),
    plain("mustSlice", 1, ANY, slice),
    plain("concat", 0, ANY, concat),
    plain("chunk", 2, 2, chunk),
    plain("mustChunk", 2, 2, chunk),
    plain("sortAlpha", 1, 1, sort_alpha),
];

fn made(meter: &Meter, items: Vec<Value>) -> Result<Value, Fault> {
    meter.steps(items.len() as u64)?;
    Ok(Value::List(List::new(items)))
}

fn end(item: Option<&Value>) -> Value {
    item.cloned().unwrap_or(Value::Nil)
}

fn push(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let mut items = list(&args[0], "push on")?.to_vec();
    items.push(args[1].clone());
    made(meter, items)
}

fn prepend(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let mut items = vec![args[1].clone()];
    items.extend_from_slice(list(&args[0], "prepend on")?);
    made(meter, items)
}

fn rest(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    match list(&args[0], "find rest on")?.split_first() {
        Some((_, rest)) => made(meter, rest.to_vec()),
        None => Ok(Value::List(List::nil(Element::Any))),
    }
}

fn initial(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    match list(&args[0], "find initial on")?.split_last() {
        Some((_, initial)) => made(meter, initial.to_vec()),
        None => Ok(Value::List(List::nil(Element::Any))),
    }
}

fn reverse(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    made(meter, list(&args[0], "find reverse on")?.iter().rev().cloned().collect())
}

fn holds(items: &[Value], wanted: &Value, meter: &Meter) -> Result<bool, Fault> {
    for item in items {
        if deep_equal(wanted, item, meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let mut kept: Vec<Value> = Vec::new();
    for item in list(&args[0], "find uniq on")?.iter() {
        if !holds(&kept, item, meter)? {
            kept.push(item.clone());
        }
    }
    made(meter, kept)
}

fn without(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let mut kept = Vec::new();
    for item in list(&args[0], "find without on")?.iter() {
        if !holds(&args[1..], item, meter)? {
            kept.push(item.clone());
        }
    }
    made(meter, kept)
}

fn has(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    if args[1].is_nil() {
        return Ok(Value::Bool(false));
    }
    holds(list(&args[1], "find has on")?, &args[0], meter).map(Value::Bool)
}

fn compact(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    made(meter, list(&args[0], "compact on")?.iter().filter(|item| item.truth()).cloned().collect())
}

fn slice(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let items = list(&args[0], "slice")?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let bound = |at: usize, default: usize| match args.get(at) {
        None => Some(default),
        Some(value) => usize::try_from(to_int64(value)).ok(),
    };
    match (bound(1, 0), bound(2, items.len())) {
        (Some(start), Some(end)) if start <= end && end <= items.len() => {
            meter.steps((end - start) as u64)?;
            Ok(Value::List(List::of(items.element(), items[start..end].to_vec())))
        }
        _ => fault("slice bounds out of range"),
    }
}

fn concat(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let mut items = Vec::new();
    for arg in args {
        let more = list(arg, "concat as list")?;
        meter.steps(more.len() as u64)?;
        items.extend_from_slice(more);
    }
    if items.is_empty() {
        return Ok(Value::List(List::nil(Element::Any)));
    }
    made(meter, items)
}

fn chunk(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let size = int(&args[0])?;
    let items = list(&args[1], "chunk")?;
    let Some(size) = usize::try_from(size).ok().filter(|size| *size > 0) else {
        return fault("the size of a chunk must be above 0");
    };
    meter.steps(items.len() as u64)?;
    let chunks = items.chunks(size).map(|chunk| Value::List(List::new(chunk.to_vec()))).collect();
    Ok(Value::List(List::of(Element::List, chunks)))
}

fn sort_alpha(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    if args[0].as_list().is_none() {
        return Ok(Value::List(List::of(Element::Text, vec![Value::Text(string_of(&args[0], meter)?)])));
    }
    let mut texts = strings_of(&args[0], meter)?;
    texts.sort_unstable();
    meter.steps(texts.len() as u64)?;
    Ok(Value::List(List::of(Element::Text, texts.into_iter().map(Value::Text).collect())))
}

//! Go's own functions, Helm's flow control, and sprig's defaults.

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_NESTING, Meter};
use crate::chart::value::{Host, Map, Text, Value};

use super::arg::{fault, text, wrong_type};
use super::{ANY, Function, plain};

pub(super) static FUNCTIONS: &[Function] = &[
    plain("not", 1, 1, |_, args| Ok(Value::Bool(!args[0].truth()))),
    plain("eq", 1, ANY, |_, args| eq(args).map(Value::Bool)),
    plain("ne", 2, 2, |_, args| eq(args).map(|equal| Value::Bool(!equal))),
    plain("lt", 2, 2, |_, args| less(&args[0], &args[1]).map(Value::Bool)),
    plain("le", 2, 2, |_, args| less_or_equal(args).map(Value::Bool)),
    plain("gt", 2, 2, |_, args| less_or_equal(args).map(|truth| Value::Bool(!truth))),
    plain("ge", 2, 2, |_, args| less(&args[0], &args[1]).map(|truth| Value::Bool(!truth))),
    plain("len", 1, 1, |_, args| len(&args[0])),
    plain("index", 1, ANY, |_, args| index(args)),
    plain("required", 2, 2, |_, args| required(args)),
    plain("fail", 1, 1, |_, args| Err(Fault::Refuses(text(&args[0])?.to_owned()))),
    plain("lookup", 4, 4, |_, args| lookup(args)),
    plain("default", 1, ANY, |_, args| {
        Ok(args[1..].first().filter(|given| given.truth()).unwrap_or(&args[0]).clone())
    }),
    plain("empty", 1, 1, |_, args| Ok(Value::Bool(!args[0].truth()))),
    plain("coalesce", 0, ANY, |_, args| {
        Ok(args.iter().find(|value| value.truth()).cloned().unwrap_or(Value::Nil))
    }),
    plain("all", 0, ANY, |_, args| Ok(Value::Bool(args.iter().all(Value::truth)))),
    plain("any", 0, ANY, |_, args| Ok(Value::Bool(args.iter().any(Value::truth)))),
    plain("ternary", 3, 3, |_, args| match &args[2] {
        Value::Bool(truth) => Ok(args[usize::from(!truth)].clone()),
        other => Err(wrong_type("bool", other)),
    }),
    plain("typeOf", 1, 1, |_, args| Ok(Value::text(args[0].type_name()))),
    plain("typeIs", 2, 2, |_, args| Ok(Value::Bool(text(&args[0])? == args[1].type_name()))),
    plain("typeIsLike", 2, 2, |_, args| {
        let (target, name) = (text(&args[0])?, args[1].type_name());
        Ok(Value::Bool(target == name || name.strip_prefix('*') == Some(target)))
    }),
    plain("kindOf", 1, 1, |_, args| Ok(Value::text(args[0].kind_name()))),
    plain("kindIs", 2, 2, |_, args| Ok(Value::Bool(text(&args[0])? == args[1].kind_name()))),
    plain("deepEqual", 2, 2, |meter, args| deep_equal(&args[0], &args[1], meter).map(Value::Bool)),
    plain("hello", 0, 0, |_, _| Ok(Value::text("Hello!"))),
];

/// Go's basic kinds, which alone can be compared.
#[derive(PartialEq, Eq)]
enum Basic {
    Bool,
    Int,
    Float,
    Text,
    No,
}

fn basic(value: &Value) -> Basic {
    match value {
        Value::Bool(_) => Basic::Bool,
        Value::Int(_) | Value::Int64(_) => Basic::Int,
        Value::Float(_) => Basic::Float,
        Value::Text(_) => Basic::Text,
        Value::Nothing | Value::Nil | Value::List(_) | Value::Map(_) | Value::Host(_) => Basic::No,
    }
}

/// Whether the first equals any of the others.
fn eq(args: &[Value]) -> Result<bool, Fault> {
    let Some((first, others)) = args.split_first().filter(|(_, others)| !others.is_empty()) else {
        return fault("missing argument for comparison");
    };
    for other in others {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: &Value, b: &Value) -> Result<bool, Fault> {
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a) | Value::Int64(a), Value::Int(b) | Value::Int64(b)) => a == b,
        #[expect(clippy::float_cmp, reason = "Go compares them so")]
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        _ if a.is_nil() || b.is_nil() => a.is_nil() == b.is_nil(),
        _ if basic(a) != basic(b) => return Err(incompatible(a, b)),
        _ => return fault(format!("values of type {} cannot be compared", b.type_name())),
    })
}

fn incompatible(a: &Value, b: &Value) -> Fault {
    Fault::Template(format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()))
}

fn less(a: &Value, b: &Value) -> Result<bool, Fault> {
    Ok(match (a, b) {
        (Value::Int(a) | Value::Int64(a), Value::Int(b) | Value::Int64(b)) => a < b,
        (Value::Float(a), Value::Float(b)) => a < b,
        (Value::Text(a), Value::Text(b)) => a < b,
        _ if basic(a) == Basic::No || basic(b) == Basic::No || basic(a) == basic(b) => {
            return fault(format!("invalid type for comparison: {} and {}", a.type_name(), b.type_name()));
        }
        _ => return Err(incompatible(a, b)),
    })
}

fn less_or_equal(args: &[Value]) -> Result<bool, Fault> {
    Ok(less(&args[0], &args[1])? || eq(args)?)
}

fn len(value: &Value) -> Result<Value, Fault> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::Map(map) => map.borrow().len(),
        Value::Host(host) if host.files().is_some() => host.files().map_or(0, |files| files.len()),
        _ => match value.as_list() {
            Some(list) => list.len(),
            None if value.is_nil() => return fault("len of nil"),
            None => return fault(format!("len of type {}", value.type_name())),
        },
    };
    Ok(int_of(length))
}

/// A length as Go's `int`.
pub(super) fn int_of(length: usize) -> Value {
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

fn index(args: &[Value]) -> Result<Value, Fault> {
    let (first, keys) = (&args[0], &args[1..]);
    if first.is_nil() {
        return fault("index of untyped nil");
    }
    let mut item = first.clone();
    for key in keys {
        item = index_one(&item, key)?;
    }
    Ok(item)
}

fn index_one(item: &Value, key: &Value) -> Result<Value, Fault> {
    match item {
        Value::Map(map) => match key {
            Value::Text(key) => Ok(map.get(key).unwrap_or_else(|| map.missing())),
            other => Err(wrong_type("string", other)),
        },
        Value::Text(text) => {
            let at = position(key, text.len())?;
            match text.as_bytes().get(at) {
                Some(byte) => Ok(Value::Int(i64::from(*byte))),
                None => fault(format!("index out of range: {at}")),
            }
        }
        Value::Host(host) if host.files().is_some() => match key {
            Value::Text(key) => host.field("GetBytes", Some(&[Value::Text(Text::clone(key))])),
            other => Err(wrong_type("string", other)),
        },
        _ => match item.as_list() {
            Some(list) => {
                let at = position(key, list.len())?;
                list.get(at).cloned().ok_or_else(|| Fault::Template(format!("index out of range: {at}")))
            }
            None if item.is_nil() => fault("index of nil pointer"),
            None => fault(format!("can't index item of type {}", item.type_name())),
        },
    }
}

fn position(key: &Value, most: usize) -> Result<usize, Fault> {
    match key {
        Value::Int(at) | Value::Int64(at) => match usize::try_from(*at) {
            Ok(index) if index <= most => Ok(index),
            Ok(_) | Err(_) => fault(format!("index out of range: {at}")),
        },
        key if key.is_nil() => fault("cannot index slice/array with nil"),
        key => fault(format!("cannot index slice/array with type {}", key.type_name())),
    }
}

fn required(args: &[Value]) -> Result<Value, Fault> {
    let words = text(&args[0])?;
    match &args[1] {
        value if value.is_nil() => Err(Fault::Refuses(words.to_owned())),
        Value::Text(text) if text.is_empty() => Err(Fault::Refuses(words.to_owned())),
        value => Ok(value.clone()),
    }
}

/// Nothing is ever found, as `helm template` has it: there is no cluster.
fn lookup(args: &[Value]) -> Result<Value, Fault> {
    for arg in args {
        text(arg)?;
    }
    Ok(Value::Map(Map::default()))
}

/// Go's `reflect.DeepEqual`: of the same type and the same inside.
pub(super) fn deep_equal(a: &Value, b: &Value, meter: &Meter) -> Result<bool, Fault> {
    same(a, b, 0, meter)
}

fn same(a: &Value, b: &Value, depth: usize, meter: &Meter) -> Result<bool, Fault> {
    meter.steps(1)?;
    if depth > MOST_NESTING {
        return Err(Fault::Limit(Limit::Nesting(MOST_NESTING)));
    }
    Ok(match (a, b) {
        (Value::Nothing | Value::Nil, Value::Nothing | Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
        #[expect(clippy::float_cmp, reason = "Go compares them so")]
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() || a.element() != b.element() || a.is_nil() != b.is_nil() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                if !same(a, b, depth + 1, meter)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.is_same(b) {
                return Ok(true);
            }
            let types = [a, b].map(|map| (map.texts_only(), map.is_nil()));
            let (a, b) = (a.borrow(), b.borrow());
            if a.len() != b.len() || types[0] != types[1] {
                return Ok(false);
            }
            for ((ak, av), (bk, bv)) in a.iter().zip(b.iter()) {
                if ak != bk || !same(av, bv, depth + 1, meter)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Host(a), Value::Host(b)) => match (&**a, &**b) {
            (Host::ApiVersions(a), Host::ApiVersions(b)) => {
                same(&Value::List(a.clone()), &Value::List(b.clone()), depth, meter)?
            }
            _ => std::rc::Rc::ptr_eq(a, b),
        },
        _ => false,
    })
}

//! Maps.

use std::collections::BTreeMap;

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_NESTING, Meter};
use crate::chart::value::{Element, List, Map, Text, Value};

use super::arg::{fault, map, text};
use super::text::string_of;
use super::{ANY, Function, plain, text_arg};

pub(super) static FUNCTIONS: &[Function] = &[
    plain("dict", 0, ANY, dict),
    plain("get", 2, 2, |_, args| Ok(map(&args[0])?.get(text(&args[1])?).unwrap_or_else(|| Value::text("")))),
    plain("set", 3, 3, |_, args| {
        let (map, key) = (map(&args[0])?, text_arg(args, 1)?);
        if args[0].is_nil() {
            return fault("assignment to entry in nil map");
        }
        map.borrow_mut().insert(key, args[2].clone());
        Ok(args[0].clone())
    }),
    plain("unset", 2, 2, |_, args| {
        let (map, key) = (map(&args[0])?, text(&args[1])?);
        let removed = map.borrow_mut().remove(key);
        // Only now is the map free for whatever the removed value holds.
        drop(removed);
        Ok(Value::Map(map))
    }),
    plain("hasKey", 2, 2, |_, args| {
        let (map, key) = (map(&args[0])?, text(&args[1])?);
        Ok(Value::Bool(map.borrow().contains_key(key)))
    }),
    plain("pluck", 1, ANY, |_, args| {
        let key = text(&args[0])?;
        let mut found = Vec::new();
        for dict in &args[1..] {
            found.extend(map(dict)?.get(key));
        }
        Ok(Value::List(List::new(found)))
    }),
    plain("keys", 0, ANY, |meter, args| {
        // Go gives them in no order at all; sorted is one of its answers.
        let mut keys = Vec::new();
        for dict in args {
            let dict = map(dict)?;
            let dict = dict.borrow();
            meter.steps(dict.len() as u64)?;
            keys.extend(dict.keys().map(|key| Value::Text(Text::clone(key))));
        }
        Ok(Value::List(List::of(Element::Text, keys)))
    }),
    plain("values", 1, 1, |meter, args| {
        let dict = map(&args[0])?;
        let dict = dict.borrow();
        meter.steps(dict.len() as u64)?;
        Ok(Value::List(dict.values().cloned().collect()))
    }),
    plain("pick", 1, ANY, |_, args| {
        let from = map(&args[0])?;
        let from = from.borrow();
        let mut picked = BTreeMap::new();
        for key in &args[1..] {
            if let Some((key, value)) = from.get_key_value(text(key)?) {
                picked.insert(Text::clone(key), value.clone());
            }
        }
        Ok(Value::Map(Map::new(picked)))
    }),
    plain("omit", 1, ANY, |meter, args| {
        let mut left = map(&args[0])?.borrow().clone();
        meter.steps(left.len() as u64)?;
        for key in &args[1..] {
            left.remove(text(key)?);
        }
        Ok(Value::Map(Map::new(left)))
    }),
    plain("dig", 3, ANY, dig),
    plain("deepCopy", 1, 1, copy),
    plain("mustDeepCopy", 1, 1, copy),
];

fn dict(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let mut map = BTreeMap::new();
    for pair in args.chunks(2) {
        let key = string_of(&pair[0], meter)?;
        map.insert(key, pair.get(1).cloned().unwrap_or_else(|| Value::text("")));
    }
    Ok(Value::Map(Map::new(map)))
}

/// `dig "a" "b" default dict`.
fn dig(_: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let [keys @ .., default, dict] = args else { return fault("at least three arguments are needed") };
    let keys = keys.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let mut at = dict.clone();
    for key in keys {
        if at.is_nil() {
            return fault("a map is wanted, and there is nil");
        }
        let next = map(&at)?.get(key);
        match next {
            Some(next) => at = next,
            None => return Ok(default.clone()),
        }
    }
    Ok(at)
}

fn copy(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    if args[0].is_nil() {
        return fault("there is nothing to copy");
    }
    deep_copy(&args[0], 0, meter)
}

/// A copy that shares no map with the original.
pub(in crate::chart) fn deep_copy(value: &Value, depth: usize, meter: &Meter) -> Result<Value, Fault> {
    meter.steps(1)?;
    if depth > MOST_NESTING {
        return Err(Fault::Limit(Limit::Nesting(MOST_NESTING)));
    }
    Ok(match value {
        Value::List(list) => {
            let items = list.iter().map(|item| deep_copy(item, depth + 1, meter));
            Value::List(List::of(list.element(), items.collect::<Result<_, _>>()?))
        }
        Value::Map(map) if map.texts_only() => Value::Map(Map::of_texts(map.borrow().clone())),
        Value::Map(map) => {
            let map = map.borrow();
            let entries =
                map.iter().map(|(key, value)| Ok((Text::clone(key), deep_copy(value, depth + 1, meter)?)));
            Value::Map(entries.collect::<Result<_, Fault>>().map(Map::new)?)
        }
        Value::Nothing
        | Value::Nil
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Int64(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Host(_) => value.clone(),
    })
}

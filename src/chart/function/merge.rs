//! `merge` and its kin, as mergo 1.0.1 merges.
//!
//! The destination is changed in place and given back. What it lacks it shares
//! with the source from then on: no copy is made.

use std::sync::Arc;

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_NESTING, Meter};
use crate::chart::value::{Map, Text, Value};

use super::arg::map;
use super::{ANY, Function, plain};

pub(super) static FUNCTIONS: &[Function] = &[
    plain("merge", 1, ANY, |meter, args| merged(meter, args, Rule::KeepOurs)),
    plain("mustMerge", 1, ANY, |meter, args| merged(meter, args, Rule::KeepOurs)),
    plain("mergeOverwrite", 1, ANY, |meter, args| merged(meter, args, Rule::TakeTheirs)),
    plain("mustMergeOverwrite", 1, ANY, |meter, args| merged(meter, args, Rule::TakeTheirs)),
];

/// Who wins where both have a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The destination, unless its value is empty.
    KeepOurs,
    /// The source, even with an empty or no value.
    TakeTheirs,
}

fn merged(meter: &Meter, args: &[Value], rule: Rule) -> Result<Value, Fault> {
    let ours = map(&args[0])?;
    for theirs in &args[1..] {
        merge_into(&ours, &map(theirs)?, rule, 0, meter)?;
    }
    Ok(Value::Map(ours))
}

fn merge_into(ours: &Map, theirs: &Map, rule: Rule, depth: usize, meter: &Meter) -> Result<(), Fault> {
    if ours.is_same(theirs) {
        return Ok(());
    }
    if depth > MOST_NESTING {
        return Err(Fault::Limit(Limit::Nesting(MOST_NESTING)));
    }
    // Taken first: a source may hold its own destination.
    let entries: Vec<(Text, Value)> =
        theirs.borrow().iter().map(|(key, value)| (Arc::clone(key), value.clone())).collect();
    meter.steps(1 + entries.len() as u64)?;
    for (key, their) in entries {
        let our = ours.get(&key);
        if their.is_nil() {
            if rule == Rule::TakeTheirs {
                ours.borrow_mut().insert(key, Value::Nil);
            }
            continue;
        }
        if let (Some(Value::Map(our)), Value::Map(their)) = (&our, &their) {
            merge_into(our, their, rule, depth + 1, meter)?;
        }
        // Looked at after the merge: an empty map of ours may have been filled.
        let keeps_ours = our.as_ref().is_some_and(|our| {
            our.truth()
                && match (&their, our) {
                    (Value::Map(_), Value::Map(_)) => true,
                    _ => rule == Rule::KeepOurs,
                }
        });
        if !keeps_ours {
            ours.borrow_mut().insert(key, their);
        }
    }
    Ok(())
}

//! One object's change as lines.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::paint::{Sign, painted};
use super::values::field_words;
use crate::diagnostic::{counted, listed};
use crate::plan::{Action, Author, Cause, Change, Conflicts, Plan};
use crate::view::diagnostics::Look;
use crate::view::excerpt::tamed;

/// How far a path may push its value to the right.
const PATH_WIDTH: usize = 48;

/// How many objects with the same fields to change are told as one.
const ALIKE: usize = 3;

/// The changes of a step one after the other; those that change alike are told together.
pub(super) fn changes_lines<'c>(
    changes: impl Iterator<Item = &'c Change>,
    plan: &Plan,
    look: Look,
) -> Vec<String> {
    let mut told: Vec<Told> = Vec::new();
    for change in changes {
        let one = Told::of(change, plan);
        // A deletion has no fields: each is told by itself.
        let is_told_with_others = !one.fields.is_empty() || change.action == Action::HandOver;
        let same = told.iter_mut().find(|other| {
            is_told_with_others
                && (other.sign, &other.remarks, &other.fields) == (one.sign, &one.remarks, &one.fields)
        });
        match same {
            Some(other) => other.objects.extend(one.objects),
            None => told.push(one),
        }
    }
    told.iter().flat_map(|told| told.lines(look)).collect()
}

/// The object, why it changes, and each of its fields.
pub(super) fn change_lines(change: &Change, plan: &Plan, look: Look) -> Vec<String> {
    Told::of(change, plan).lines(look)
}

/// Changes that are told together.
struct Told {
    sign: Sign,
    objects: Vec<(String, String)>,
    remarks: Vec<String>,
    fields: Vec<String>,
}

impl Told {
    fn of(change: &Change, plan: &Plan) -> Self {
        let paths: Vec<String> = change.fields.iter().map(|field| tamed(&field.path).into_owned()).collect();
        let lengths = paths.iter().map(|path| path.chars().count());
        let width = lengths.filter(|width| *width <= PATH_WIDTH).max().unwrap_or(0);
        let mut fields = Vec::new();
        for (field, path) in change.fields.iter().zip(paths) {
            let words = field_words(field, &plan.root);
            fields.push(format!("    {path:width$}  {}", words.beside).trim_end().to_owned());
            fields.extend(words.below.into_iter().map(|line| format!("      {line}")));
        }
        Self {
            sign: Sign::of(change),
            objects: vec![(change.object.kind.clone(), tamed(&change.object.to_string()).into_owned())],
            remarks: remarks(change, plan),
            fields,
        }
    }

    /// `14 CustomResourceDefinition, 1 ServiceAccount`.
    fn kinds(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (kind, _) in &self.objects {
            *counts.entry(kind).or_default() += 1;
        }
        let words: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        listed(words.iter().map(String::as_str))
    }

    fn lines(&self, look: Look) -> Vec<String> {
        let heads: Vec<String> = match self.objects.len() {
            ..ALIKE => self.objects.iter().map(|(_, object)| object.clone()).collect(),
            many => vec![format!("{many} objects alike: {}", self.kinds())],
        };
        let mut lines = Vec::new();
        for head in &heads {
            let head = painted(&format!("{} {head}", self.sign.character()), self.sign, look);
            lines.push(match self.remarks.is_empty() {
                true => head,
                false => format!("{head}    {}", self.remarks.join("; ")),
            });
            lines.extend(self.fields.iter().cloned());
        }
        lines
    }
}

/// Why, and what comes of it.
pub(super) fn remarks(change: &Change, plan: &Plan) -> Vec<String> {
    let mut remarks = Vec::new();
    if change.restarts_agents() {
        remarks.push("restarts node by node, workloads do not".to_owned());
    } else if change.restarts() {
        remarks.push("restarts".to_owned());
    }
    if change.cuts_traffic() {
        remarks.push("cuts traffic through it".to_owned());
    }
    if change.moves_network() {
        remarks.push("moves to another network, its pods when they restart".to_owned());
    }
    if change.moves_gateways() {
        remarks.push("traffic between networks takes another way at once".to_owned());
    }
    if change.moves_istiod() {
        remarks.push("istiod is reached there from the next connection on".to_owned());
    }
    if change.moves_trust_domain() {
        remarks.push("another trust domain".to_owned());
    }
    if change.reregisters() {
        remarks.push("istiod reads the cluster anew".to_owned());
    }
    if let Some(drift) = drift(change, plan.at) {
        remarks.push(drift);
    }
    if change.cause == Cause::Value && change.action.writes() {
        remarks.push("a value of another unit changed".to_owned());
    }
    remarks.extend(change.note.as_deref().map(|note| tamed(note).into_owned()));
    remarks.extend(taken(change));
    remarks.extend(migrated(change));
    remarks
}

/// Which client-side appliers lose hold of what is asked for: `12 fields of helm become ours`.
fn migrated(change: &Change) -> Option<String> {
    let words: Vec<String> = change
        .migrated
        .iter()
        .map(|migration| {
            format!("{} of {}", counted(migration.fields, "field", "fields"), tamed(&migration.manager))
        })
        .collect();
    let verb =
        if matches!(change.migrated.as_slice(), [only] if only.fields == 1) { "becomes" } else { "become" };
    (!words.is_empty()).then(|| format!("{} {verb} ours", words.join(", ")))
}

/// Who made a live object differ, and how long ago.
fn drift(change: &Change, now: Timestamp) -> Option<String> {
    match (&change.cause, change.action) {
        (Cause::Drift(_), Action::NoOp | Action::Keep) => None,
        (Cause::Drift(Some(author)), _) => Some(format!("changed by {}", author_words(author, now))),
        (Cause::Drift(None), Action::Update) => Some("changed by others".to_owned()),
        // What was deleted says so in its note.
        (Cause::Drift(None), _) | (Cause::Topology | Cause::Value, _) => None,
    }
}

/// Whose fields are taken, where that is not the drift that is set right.
pub(super) fn taken(change: &Change) -> Option<String> {
    if change.conflicts != Conflicts::Force || matches!(change.cause, Cause::Drift(_)) {
        return None;
    }
    let mut holders: Vec<String> = change
        .fields
        .iter()
        .filter(|field| field.after.is_some())
        .filter_map(|field| field.by.as_ref())
        .map(|author| tamed(&author.manager).into_owned())
        .collect();
    let fields = counted(holders.len(), "field", "fields");
    holders.sort();
    holders.dedup();
    (!holders.is_empty()).then(|| format!("takes {fields} from {}", holders.join(", ")))
}

fn author_words(author: &Author, now: Timestamp) -> String {
    let manager = tamed(&author.manager);
    match author.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok()) {
        Some(time) => format!("{manager}, {}", ago(now, time)),
        None => manager.into_owned(),
    }
}

/// `2 hours ago`.
fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    let (count, one, many) = match seconds {
        ..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute", "minutes"),
        3_600..172_800 => (seconds / 3_600, "hour", "hours"),
        172_800.. => (seconds / 86_400, "day", "days"),
    };
    format!("{} ago", counted(usize::try_from(count).unwrap_or(usize::MAX), one, many))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_the_largest_unit_that_fits() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let said = |time: &str| ago(now, time.parse().unwrap());
        assert_eq!(said("2026-11-20T11:59:30Z"), "just now");
        assert_eq!(said("2026-11-20T11:59:00Z"), "1 minute ago");
        assert_eq!(said("2026-11-20T10:00:00Z"), "2 hours ago");
        assert_eq!(said("2026-11-17T10:00:00Z"), "3 days ago");
        assert_eq!(said("2027-01-01T00:00:00Z"), "just now");
    }
}

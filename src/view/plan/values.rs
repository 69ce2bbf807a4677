//! Values of fields, before and after.

use serde_json::Value;
use similar::TextDiff;

use crate::compile::{Hole, Minted, Output};
use crate::diagnostic::listed;
use crate::plan::{FieldChange, RootOutlook, Shown};
use crate::view::excerpt::tamed;

/// How long a value may be to stand beside another on one line.
const SHORT: usize = 60;

/// How long a value may be at all where it stands alone.
const LONG: usize = 160;

/// How many lines around a change of a long text are shown.
const CONTEXT: usize = 2;

/// How many lines of one text's changes are shown.
const LINES: usize = 60;

/// One field's change: the words that stand beside its path, and the lines below it.
pub(super) struct FieldWords {
    pub(super) beside: String,
    pub(super) below: Vec<String>,
}

/// One field's change in words.
pub(super) fn field_words(field: &FieldChange, root: &RootOutlook) -> FieldWords {
    if let (Some(Shown::Value(before)), Some(Shown::Value(after))) = (&field.before, &field.after) {
        let (before, after) = (long_text(before), long_text(after));
        if let (Some(before), Some(after)) = (before, after) {
            return FieldWords { beside: String::new(), below: hunks(&before, &after) };
        }
    }
    let after = field.after.as_ref().map(|shown| shown_words(shown, root));
    let beside = match (&field.before, after) {
        (None, Some(after)) => format!("{after}  (new)"),
        (Some(before), Some(after)) => format!("{} -> {after}", shown_words(before, root)),
        (Some(before), None) => format!("{} -> (gone)", shown_words(before, root)),
        (None, None) => String::new(),
    };
    FieldWords { beside, below: Vec::new() }
}

fn shown_words(shown: &Shown, root: &RootOutlook) -> String {
    match shown {
        Shown::Value(value) => value_words(value),
        Shown::Fingerprint(fingerprint) => format!("({fingerprint})"),
        Shown::Later(holes) => known_later(holes, root),
    }
}

/// A value on one line.
fn value_words(value: &Value) -> String {
    let text = match value {
        Value::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    };
    let text = tamed(&text).into_owned();
    match text.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(['\n', '\r', '"']) && text.trim() == text
}

/// The lines of a value that is too long for one.
fn long_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (text.len() > SHORT || text.contains('\n')).then(|| text.clone()),
        Value::Array(_) | Value::Object(_) => {
            let is_long = value.to_string().len() > SHORT;
            is_long.then(|| serde_json::to_string_pretty(value).unwrap_or_default())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// What changes between two texts, with a little around it.
fn hunks(before: &str, after: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let text = diff.unified_diff().context_radius(CONTEXT).missing_newline_hint(false).to_string();
    let mut lines: Vec<String> = text.lines().map(|line| tamed(line).into_owned()).collect();
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("… and {more} lines more"));
    }
    lines
}

/// `(known after apply: address of cluster1/eastwest-gateway)`.
pub(super) fn known_later(holes: &[Hole], root: &RootOutlook) -> String {
    if holes.iter().all(|hole| matches!(hole, Hole::Minted { .. })) {
        return format!("({})", issued(root));
    }
    let mut origins: Vec<String> = Vec::new();
    for hole in holes {
        let origin = origin(hole);
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    format!("(known after apply: {})", listed(origins.iter().map(String::as_str)))
}

/// Where a value will come from.
pub(super) fn origin(hole: &Hole) -> String {
    match hole {
        Hole::Observed { unit, output: Output::Address } => format!("address of {unit}"),
        Hole::Observed { unit, output: Output::Token | Output::Ca } => unit.to_string(),
        Hole::Minted { cluster, piece } => match piece {
            Minted::RootCertificate | Minted::RootKey | Minted::RootDigest => "the mesh's root".to_owned(),
            Minted::CaCertificate | Minted::CaKey | Minted::CertificateChain => {
                format!("the certificate of {cluster}")
            }
        },
        Hole::Context { cluster } => format!("the API address of {cluster}"),
    }
}

/// What is issued, and from what.
pub(super) fn issued(root: &RootOutlook) -> String {
    match root {
        RootOutlook::Known { fingerprint, .. } => format!("issued at apply from root {fingerprint}"),
        RootOutlook::New { .. } => "issued at apply from a new root".to_owned(),
        RootOutlook::None => "issued at apply".to_owned(),
    }
}

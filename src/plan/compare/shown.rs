//! What of a field may be seen.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::fields::Difference;
use super::ownership::Ownership;
use crate::object::{FieldPath, Object, PathElement, fingerprint};
use crate::plan::markers::markers_of;
use crate::plan::{FieldChange, Shown};

/// A difference as a plan holds it: what a Secret holds by its fingerprint alone.
pub(super) fn field_change(desired: &Object, difference: &Difference, ownership: &Ownership) -> FieldChange {
    let is_secret = desired.kind() == "Secret" && is_data(&difference.path);
    FieldChange {
        path: difference.path.to_string(),
        before: difference.before.as_ref().map(|value| if is_secret { sealed(value) } else { plain(value) }),
        after: difference.after.as_ref().map(|value| match markers_of(value) {
            holes if !holes.is_empty() => Shown::Later(holes),
            _ if is_secret => sealed(value),
            _ => plain(value),
        }),
        by: if ownership.is_ours(&difference.path) { None } else { ownership.author(&difference.path) },
    }
}

/// Whether a path lies in what a Secret holds.
fn is_data(path: &FieldPath) -> bool {
    matches!(path.0.first(), Some(PathElement::Field(name)) if name == "data" || name == "stringData")
}

fn plain(value: &Value) -> Shown {
    Shown::Value(value.clone())
}

fn sealed(value: &Value) -> Shown {
    let decoded = value.as_str().and_then(|text| STANDARD.decode(text).ok());
    Shown::Fingerprint(match decoded {
        Some(bytes) => fingerprint(&bytes),
        None => fingerprint(value.to_string().as_bytes()),
    })
}

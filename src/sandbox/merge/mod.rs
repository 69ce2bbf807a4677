//! Server-side apply: merging, ownership and conflicts.
//!
//! Live and applied objects enter, as maps without managedFields, with the
//! kind's shape; the merged object and its managers leave. Pure, and built
//! after `sigs.k8s.io/structured-merge-diff` v6 step by step: where words
//! differ, that source decides.

mod compare;
mod managers;
mod typed;

pub use managers::Force;
pub(super) use managers::{ApplyFault, Conflict, Managers, Writer};

#[cfg(test)]
mod tests;

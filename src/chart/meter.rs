//! The bounds of one render, counted in work and bytes, never in time.

use std::cell::Cell;
use std::sync::Arc;

use super::error::{Fault, Limit};
use super::memo::Memo;

/// Units of work: steps of templates, values that functions visit, bytes they make.
pub(super) const MOST_STEPS: u64 = 5_000_000;
/// Bytes that templates and functions write, intermediate texts included.
pub(super) const MOST_BYTES: usize = 64 << 20;
/// Calls and constructs inside each other; a level takes some kilobytes of stack.
pub(super) const MOST_DEPTH: u32 = 250;
/// Levels of a value that is written, compared, merged or copied.
pub(super) const MOST_NESTING: usize = 128;
/// Bytes of one rendered document.
pub(super) const MOST_DOCUMENT: usize = 8 << 20;
/// Charts in one rendering: subcharts, each as often as an alias makes another of it.
pub(super) const MOST_CHARTS: usize = 1_000;
/// Bytes of one file of a chart.
pub(super) const MOST_FILE: usize = 16 << 20;

/// Counts what a render has used, and knows what earlier renders found out.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) memo: Arc<Memo>,
    steps: Cell<u64>,
    bytes: Cell<usize>,
}

impl Meter {
    /// A meter at zero for a chart whose renders share `memo`.
    pub(super) fn new(memo: Arc<Memo>) -> Self {
        Self { memo, ..Self::default() }
    }

    /// Counts work.
    pub(super) fn steps(&self, steps: u64) -> Result<(), Fault> {
        let used = self.steps.get().saturating_add(steps);
        self.steps.set(used);
        if used > MOST_STEPS { Err(Fault::Limit(Limit::Steps(MOST_STEPS))) } else { Ok(()) }
    }

    /// Counts a text that was made, or is about to be.
    pub(super) fn text(&self, bytes: usize) -> Result<(), Fault> {
        let used = self.bytes.get().saturating_add(bytes);
        self.bytes.set(used);
        if used > MOST_BYTES { Err(Fault::Limit(Limit::Output(MOST_BYTES))) } else { Ok(()) }
    }

    /// The bytes that may still be written.
    pub(super) fn bytes_left(&self) -> usize {
        MOST_BYTES.saturating_sub(self.bytes.get())
    }
}

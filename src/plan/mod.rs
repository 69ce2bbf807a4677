//! Desired against live: ordered steps of changes.
//!
//! What `compile` asks for and what was read of the clusters enter; a [`Plan`]
//! leaves, or [`Failure`](crate::diagnostic::Failure)s that say why none can be made. Pure: the clock
//! is a parameter, reading and dry runs are `cluster`'s.
//!
//! ```text
//! reads ─► (read) ─► content_reads ─► (read) ─► diff ─► candidates ─► (dry runs) ─► diff … ─► Plan
//! ```
//!
//! A cluster that could not be read is unknown, never empty: nothing is created, changed or deleted
//! for want of an answer.

mod change;
pub(crate) mod codes;
mod compare;
mod contents;
mod destroy;
mod diff;
mod disruption;
pub mod done;
mod in_use;
mod inputs;
mod inventory;
mod live;
mod markers;
mod prune;
mod reads;
mod removal;
mod rendered;
mod root;
pub mod saved;
mod step;
mod steps;
mod waves;

pub use change::{Action, Author, Cause, Change, Conflicts, FieldChange, Migration, Shown};
pub use codes::CODES;
pub use compare::{
    Comparison, Lasting, divergence, given_up, may_be_replaced, migrated, settled, taken_over, without_us,
};
pub use contents::{ContentRead, Held, content_reads};
pub use destroy::destroy;
pub use diff::{address_fault, diff};
pub use inputs::{Candidate, DryRun, DryRuns, Inputs};
pub use inventory::{Inventory, InventoryEntry, NotAnInventory, Origin, digest, inventory_ref};
pub use live::{Live, LiveCluster, Lookup, Reading, Sighting};
pub use reads::{ClusterReads, reads};
pub(crate) use root::is_root;
pub use step::{Mode, Part, Plan, PlannedCluster, RootOutlook, Step, StepId, Unmet};

#[cfg(test)]
pub(crate) mod tests;

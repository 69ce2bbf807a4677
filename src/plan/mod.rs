//! Desired against live: ordered steps of changes.
//!
//! What `compile` asks for and what was read of the clusters enter; a [`Plan`]
//! leaves, or [`Failure`](crate::diagnostic::Failure)s that say why none can be made. Pure: the clock
//! is a parameter, reading and dry runs are `cluster`'s.

mod change;
pub(crate) mod codes;
pub mod done;
mod inputs;
mod inventory;
mod live;
mod markers;
mod step;

pub use change::{Action, Author, Cause, Change, Conflicts, FieldChange, Shown};
pub use codes::CODES;
pub use inputs::{Candidate, DryRun, DryRuns, Inputs};
pub use inventory::{Inventory, InventoryEntry, NotAnInventory, Origin, digest, inventory_ref};
pub use live::{Live, LiveCluster, Lookup, Reading, Sighting};
pub use step::{Mode, Plan, PlannedCluster, RootOutlook, Step, Unmet};

//! Desired against live: ordered steps of changes.
//!
//! What `compile` asks for and what was read of the clusters enter; a [`Plan`]
//! leaves, or a [`Failure`](crate::diagnostic::Failure) that says why none can be made. Pure: the clock
//! is a parameter, reading and dry runs are `cluster`'s.

mod change;
mod live;
mod step;

pub use change::{Action, Cause, Change, FieldChange, Shown};
pub use live::{Inventory, InventoryEntry, Live, LiveCluster, Origin, Reading};
pub use step::{Mode, Plan, Step, Unmet};

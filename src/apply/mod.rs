//! A plan becomes live, step by step.
//!
//! A [`Plan`](crate::plan::Plan), the doors to its clusters and, where the root of trust is given in
//! files, that root enter ([`Job`]); [`Event`]s leave while it runs and a [`Summary`] at the end.
//! A step starts when its own predecessors are done, across clusters side by
//! side; what depends on a failed step is held back, everything else is
//! finished. What is made is in a cluster's inventory before it is made, so
//! that a run that is cut off anywhere converges when it is repeated. No two runs write to one
//! cluster at the same time: each holds a Lease there ([`Leases`]).
//!
//! Nothing is printed here, and no event, summary or error holds a secret.

mod activity;
mod begin;
mod clusterz;
mod codes;
mod error;
mod event;
mod fill;
mod lease;
mod ledger;
mod mint;
mod order;
mod registered;
mod run;
mod send;
mod step;
mod summary;
mod trouble;
mod wait;

pub use codes::CODES;
pub use error::ApplyError;
pub use event::{Counts, Event, Evidence, LeaseNews, Outcome};
pub use lease::{Guard, Holder, Leases, Terms, lease_ref};
pub use ledger::inventories_lag;
pub use run::{Job, Options, Stop, run};
pub use summary::{StepOutcome, Summary};
pub(crate) use wait::watched;

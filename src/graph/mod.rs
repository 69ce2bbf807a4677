//! The dependency graph: units, and why one waits for another.
//!
//! A validated [`Topology`](crate::topology::Topology) enters; a [`Graph`] leaves. It knows no
//! manifests and no clusters, only what must be done before what.

mod build;
mod order;
mod unit;

pub use build::{Edge, Graph, GraphError, Reason};
pub use unit::{Unit, UnitKind, UnknownUnit};

use crate::diagnostic::Code;

/// The codes that this stage raises.
pub static CODES: &[&Code] = &[&build::DEPENDENCY_CYCLE];

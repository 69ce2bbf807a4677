//! From a topology and its graph to what should be live: ordered units of objects and releases.
//!
//! Pure, and blind to live state: where a value does not exist yet, a
//! [`Hole`] stands. [`Desired::fill`] puts values in their place. The same
//! topology gives the same bytes, in whatever order its keys were written.

mod desired;
mod hole;

pub use desired::{
    Content, Desired, DesiredCluster, DesiredUnit, Done, Effects, MeshFacts, Release, RootFacts,
};
pub use hole::{Hole, Minted, Output, Value, Values};

//! From a topology and its graph to what should be live: ordered units of objects and releases.
//!
//! Pure, and blind to live state: where a value does not exist yet, a
//! [`Hole`] stands. [`Desired::fill`] puts values in their place. The same
//! topology gives the same bytes, in whatever order its keys were written.
//! Where a chart asks for a cluster's Kubernetes, that is handed in
//! ([`KubeVersions`]), and never read here.

mod applyset;
mod awaited;
mod desired;
mod error;
mod files;
mod fill;
mod hole;
mod render;
mod units;
mod values;
mod versions;

pub use applyset::{PART_OF, applyset_id, parent_name};
pub use awaited::{Awaited, Demand, Look, Place};
pub use desired::{
    Content, Desired, DesiredCluster, DesiredUnit, Done, Effects, Installer, MeshFacts, Release, RootFacts,
};
pub use error::{CODES, CompileError};
pub use files::{CompiledFile, files, order_text};
pub use fill::markers_in;
pub use hole::{Hole, Minted, NoHole, Output, Value, Values};
pub use render::Renders;
pub use units::{NODE_AGENT, PublicFiles, ROOT_DIGEST, compile};
use values::shell_word;
pub use values::values_files;
pub use versions::KubeVersions;

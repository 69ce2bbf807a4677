//! Simulated clusters: API servers in this process, with their state in a folder.
//!
//! A list of clusters and a folder enter; loopback addresses that speak the
//! Kubernetes API leave, to be reached through the same client as any cluster.
//! What a real server would refuse is refused here with the same words and
//! codes, and every write is on the disk before it is answered.
//!
//! [`ClusterStore`] is one cluster's state, and what `controllers` work on.

mod admission;
mod api_error;
mod clock;
pub mod controllers;
mod error;
mod folder;
mod fresh;
mod http;
mod merge;
mod processes;
mod resource;
mod running;
mod selector;
mod store;

pub use api_error::{ApiError, Cause, Details, Reason};
pub use clock::{Clock, ManualClock, SystemClock, server_time};
pub use error::{CODES, SANDBOX_IN_USE, SANDBOX_NOT_SERVED, SANDBOX_UNUSABLE, SandboxError};
pub use folder::{Sandbox, SandboxCluster};
pub use http::{RequestCount, RequestLine};
pub use merge::Force;
pub use processes::{ProcessAnswer, Processes};
pub use resource::{Provider, ResourceInfo};
pub use running::{Access, Endpoint, RunningSandbox, access, serve};
pub use selector::Selector;
pub use store::{
    ApplyOptions, Change, ChangeKind, ClusterStore, DeleteOptions, Deleted, Feed, JournalFault, Listed,
    Outcome, Page, Patch, Propagation, Run, UnknownFields, WriteOptions, Written,
};

/// The version that sandbox clusters say they are.
pub const KUBERNETES_VERSION: &str = "v1.34.1";

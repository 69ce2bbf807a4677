//! Which rights each command takes in each cluster, and no others.
//!
//! What a topology asks for enters, and where objects are dropped what an earlier one asked for; for each
//! cluster the [`ClusterRights`] of a [`Task`] leave. Pure: nothing is asked of a cluster. The requests come
//! from the functions by which `plan` and `apply` make them, and what a request takes from the one table
//! in `cluster` ([`Request::verbs`](crate::cluster::Request::verbs)).
//!
//! Rights are granted by name wherever Kubernetes can: reads of one object, server-side applies (new objects
//! included), deletes, watches of one object. A list by label takes the right to list the whole kind;
//! Secrets are never listed.

mod needs;
mod passed_on;
mod right;

pub use needs::{ClusterRights, Task, rights};
pub use passed_on::PassOn;
pub use right::{Right, Rights, Rule};

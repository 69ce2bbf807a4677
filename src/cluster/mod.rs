//! The one door to live clusters: list, read, dry-run, apply, delete, watch.
//!
//! A kubeconfig context or the URL of a sandbox enters; a [`Cluster`] leaves,
//! whose verbs take and give [`Object`](crate::object::Object)s. Whatever goes wrong is a
//! [`ClusterError`] that names cluster, object and attempts. Plurals come from
//! the table of kinds, so that nothing is discovered. Only `client` names
//! `kube`.

mod address;
mod client;
mod codes;
mod contents;
mod credentials;
mod dry_run;
mod error;
mod forward;
mod patience;
mod plugin;
mod proxy;
mod request;
mod status;
mod survey;
mod together;
mod transport;
mod verbs;
mod versioned;
mod watch;

pub use address::Selection;
pub use client::{Contexts, Transport};
pub use codes::CODES;
pub use dry_run::dry_runs;
pub use error::{ClusterError, Fault, FieldCause};
pub use request::Request;
pub use survey::{Greeted, greet, kube_versions, look_into, survey};
pub(crate) use together::together;
pub use transport::{ContextError, Limits, TransportError, Trust};
pub use verbs::{ApplyOptions, Cluster, Deleted, FIELD_MANAGER, Listing, Write};
pub use versioned::Created;
pub use watch::{Seen, Watch};

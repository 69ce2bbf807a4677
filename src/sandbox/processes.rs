//! What listens in the Pods of a simulated cluster.

use std::fmt;

use crate::object::Object;

/// The processes in Pods, as far as anybody asks them something.
pub trait Processes: fmt::Debug + Send + Sync {
    /// The answer to a GET at a port of a Pod; none where nothing listens there.
    fn get(&self, cluster: &str, pod: &Object, port: u16, path: &str) -> Option<ProcessAnswer>;
}

/// What a process answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessAnswer {
    /// `200`.
    pub status: u16,
    /// The body, JSON.
    pub body: String,
}

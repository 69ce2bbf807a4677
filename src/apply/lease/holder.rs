//! Who takes leases, and on what terms. Values: the edge reads the machine, nothing here does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a lease lasts from one renewal to the next, unless a test says otherwise.
const LASTS: Duration = Duration::from_secs(30);

/// One run, as its lease names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Person and machine: `alice@laptop`.
    pub who: String,
    /// The process.
    pub pid: u32,
    /// What it runs: `stolos apply prod.yaml`.
    pub command: String,
    /// What no other run has, not even one of the same process.
    pub run: String,
    /// By what its machine finds the process again; none where it cannot.
    pub process: Option<String>,
}

impl Holder {
    /// `spec.holderIdentity`: `alice@laptop/4711/9f3c12ab`.
    pub fn identity(&self) -> String {
        format!("{}/{}/{}", self.who, self.pid, self.run)
    }
}

/// How leases are taken and kept.
#[derive(Clone)]
pub struct Terms {
    /// How long a lease lasts from one renewal to the next, in whole seconds; 30 s by default.
    pub lasts: Duration,
    /// How long to wait for one that another run holds; no time by default.
    pub patience: Duration,
    /// Whether a process that a [`Holder`] names has ended for certain. Says no where it cannot tell.
    pub has_ended: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { lasts: LASTS, patience: Duration::ZERO, has_ended: Arc::new(|_| false) }
    }
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("lasts", &self.lasts)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

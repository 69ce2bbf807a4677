//! How an API server fails, and what has to be said of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::tap::{Asked, Class, Deed, status_body};

/// How an API server fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    TooMany,
    ErrorOnce,
    ErrorAlways,
    Unavailable,
    Reset,
    ResetDone,
    Close,
    CloseDone,
    Half,
    Stalled,
    Slow,
    Silence,
    SilenceDone,
    ConflictStorm,
    WebhookFails,
    Forbidden,
    DeadAWhile,
    DeadForEver,
    WatchDropped,
    WatchBroken,
    WatchExpired,
    WatchEventExpired,
    /// The process of the API server dies, and is started again.
    Killed,
    /// The process of the API server dies, and stays so until the run has ended.
    KilledForEver,
}

const OF_ALL: &[Fault] = &[
    Fault::TooMany,
    Fault::ErrorOnce,
    Fault::ErrorAlways,
    Fault::Unavailable,
    Fault::Reset,
    Fault::Close,
    Fault::Half,
    Fault::Stalled,
    Fault::Slow,
    Fault::Silence,
    Fault::Forbidden,
    Fault::DeadAWhile,
    Fault::DeadForEver,
];
const OF_WRITES: &[Fault] =
    &[Fault::ResetDone, Fault::CloseDone, Fault::SilenceDone, Fault::ConflictStorm, Fault::WebhookFails];
const OF_WATCHES: &[Fault] =
    &[Fault::WatchDropped, Fault::WatchBroken, Fault::WatchExpired, Fault::WatchEventExpired];

impl Fault {
    /// What a request may meet anywhere.
    pub(super) fn of(class: Class) -> impl Iterator<Item = Self> {
        let more = match class {
            Class::Read | Class::DryRun => &[],
            Class::Write => OF_WRITES,
            Class::Watch => OF_WATCHES,
        };
        OF_ALL.iter().chain(more).copied()
    }

    /// What a request may meet beside that where the API server is a process.
    pub(super) const OF_PROCESSES: [Self; 2] = [Self::Killed, Self::KilledForEver];

    /// Whether no request of the cluster is answered any more.
    pub(super) fn takes_the_cluster(self) -> bool {
        matches!(self, Self::DeadAWhile | Self::DeadForEver | Self::Killed | Self::KilledForEver)
    }

    /// What becomes of the request, and how often in a row.
    pub(super) fn deed(self) -> (Deed, usize) {
        let status = |code: u16, reason: &str, message: &str| {
            Deed::Json(code, serde_json::from_str(&status_body(code, reason, message)).expect("JSON"))
        };
        let expired = || {
            let body: Value =
                serde_json::from_str(&status_body(410, "Expired", "too old resource version")).expect("JSON");
            Deed::Lines(vec![json!({"type": "ERROR", "object": body})])
        };
        match self {
            Self::TooMany => (Deed::TooMany(1), 1),
            Self::ErrorOnce => (status(500, "InternalError", "etcd is away"), 1),
            Self::ErrorAlways => (status(500, "InternalError", "etcd is away"), usize::MAX),
            Self::Unavailable => (Deed::Text(503, "busy"), 1),
            Self::Reset => (Deed::Reset, 1),
            Self::ResetDone => (Deed::ResetDone, 1),
            Self::Close => (Deed::Close, 1),
            Self::CloseDone => (Deed::CloseDone, 1),
            Self::Half => (Deed::Half, 1),
            Self::Stalled => (Deed::Stalled, 1),
            Self::Slow => (Deed::Slow(Duration::from_millis(700)), 1),
            Self::Silence => (Deed::Silence, 1),
            Self::SilenceDone => (Deed::SilenceDone, 1),
            Self::ConflictStorm => (status(409, "Conflict", "the object has been modified"), 3),
            Self::WebhookFails => {
                let message = "Internal error occurred: failed calling webhook \"a.example.com\"";
                (status(500, "InternalError", message), usize::MAX)
            }
            Self::Forbidden => (status(403, "Forbidden", "user u may not"), usize::MAX),
            Self::DeadAWhile => (Deed::Dead(Some(Duration::from_secs(1))), 1),
            Self::DeadForEver | Self::Killed | Self::KilledForEver => (Deed::Dead(None), 1),
            Self::WatchDropped => (Deed::Lines(vec![]), 2),
            Self::WatchBroken => (Deed::Half, 2),
            Self::WatchExpired => (status(410, "Expired", "too old resource version"), 1),
            Self::WatchEventExpired => (expired(), 1),
        }
    }

    /// What an error that comes of it says beside cluster and object; none where a run goes on by itself.
    pub(super) fn words(self, hit: &Asked) -> Option<&'static [&'static str]> {
        // A server's words may quote what it was sent.
        if hit.path.contains("/secrets") && matches!(hit.method.as_str(), "PATCH" | "POST") {
            match self {
                Self::ErrorAlways | Self::WebhookFails => return Some(&["500: InternalError", "attempts"]),
                Self::Forbidden => return Some(&["Forbidden: takes the rights "]),
                _ => {}
            }
        }
        match self {
            Self::ErrorAlways => Some(&["etcd is away", "attempts"]),
            Self::WebhookFails => Some(&["failed calling webhook", "attempts"]),
            Self::Forbidden => Some(&["user u may not"]),
            // Of a wait that ends before the request does the error says who has not answered.
            Self::Stalled | Self::Silence => Some(&["answer"]),
            Self::SilenceDone => Some(&["no answer within 40 s"]),
            // A plan does not wait until a process is up again.
            Self::DeadForEver | Self::Killed | Self::KilledForEver => {
                Some(&["cannot be reached", "Connection refused", "attempts"])
            }
            // Only deletes mean one state of an object.
            Self::ConflictStorm => Some(&["it has changed since it was read"]),
            Self::TooMany
            | Self::ErrorOnce
            | Self::Unavailable
            | Self::Reset
            | Self::ResetDone
            | Self::Close
            | Self::CloseDone
            | Self::Half
            | Self::Slow
            | Self::DeadAWhile
            | Self::WatchDropped
            | Self::WatchBroken
            | Self::WatchExpired
            | Self::WatchEventExpired => None,
        }
    }
}

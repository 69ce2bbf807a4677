//! What is said of a way to an API server, whoever carries it: limits, a request, an answer, and why there is none.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// How long a request may take until it counts as unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands; 5 s by default.
    pub connect: Duration,
    /// Until the answer to a read has come; 10 s by default.
    pub read: Duration,
    /// Until the answer to a write has come: admission webhooks may take 30 s each; 40 s by default.
    pub write: Duration,
    /// Until a credential plugin has answered; 60 s by default, and longer where it asks somebody.
    pub plugin: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(10),
            write: Duration::from_secs(40),
            plugin: Duration::from_secs(60),
        }
    }
}

/// Why contexts could not be used. No variant holds a file's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// A file could not be read.
    #[error("the kubeconfig {file} cannot be read: {reason}")]
    Unreadable {
        /// Which.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// A file is no kubeconfig.
    #[error("the kubeconfig {file} is not valid")]
    Invalid {
        /// Which.
        file: String,
    },
    /// No file has the context.
    #[error("there is no context `{context}`")]
    NoContext {
        /// The context that was asked for.
        context: String,
        /// Those that there are.
        known: Vec<String>,
        /// Where was looked.
        files: Vec<String>,
    },
    /// The context, its cluster or its user cannot be used.
    #[error("context `{context}` cannot be used: {reason}")]
    Unusable {
        /// The context.
        context: String,
        /// Why, in words that quote nothing secret.
        reason: String,
    },
}

/// Whether a server has to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It has, or speaks without TLS.
    Verified,
    /// `insecure-skip-tls-verify`: whoever answers is believed.
    Blind,
}

/// What came of a request that did not reach an answer. No variant holds a body or a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection, or one that broke before the answer: worth another try.
    #[error("{0}")]
    Broken(String),
    /// A connection that cannot come about: a name that does not resolve, a certificate that is not trusted.
    #[error("{0}")]
    Refused(String),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Silent(Duration),
    /// The user's credentials could not be had.
    #[error("{0}")]
    Credentials(String),
}

/// A request's method and what goes with it.
pub(super) struct Call {
    /// GET, PATCH, DELETE.
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: String,
    /// What may come back.
    pub(super) accept: &'static str,
    /// What the body is.
    pub(super) content_type: &'static str,
    /// The body; empty for none.
    pub(super) body: Vec<u8>,
}

/// What a server answered.
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    /// `Retry-After` in seconds, where the server asks for it.
    pub(super) retry_after: Option<u64>,
    /// `Date`: the server's clock.
    pub(super) date: Option<Timestamp>,
    /// The whole body.
    pub(super) body: Vec<u8>,
}

/// The time in a `Date` header: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn time_of(text: &str) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(text).ok()
}

//! What goes wrong between us and an API server.

use std::fmt;

use super::{ContextError, codes};
use crate::diagnostic::{Code, Failure, did_you_mean};
use crate::topology::ClusterName;

/// A request to a cluster that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cluster}: {request}: {fault}{}", Attempts(*.attempts))]
pub struct ClusterError {
    /// The cluster.
    pub cluster: ClusterName,
    /// What was asked, with the object: `apply Deployment istio-system/istiod`.
    pub request: String,
    /// How often it was sent.
    pub attempts: u32,
    /// What went wrong.
    pub fault: Fault,
}

struct Attempts(u32);

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 1 { write!(f, " ({} attempts)", self.0) } else { Ok(()) }
    }
}

/// What went wrong. No text of it holds a credential or the contents of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be reached.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It was reached and never answered.
    #[error("{0}")]
    Silent(String),
    /// Our credentials could not be had.
    #[error("no credentials: {0}")]
    Credentials(String),
    /// It does not know us: whose credentials they are, where that is known.
    #[error("the credentials are not accepted{}", Whose(.0.as_deref()))]
    Unauthorized(Option<String>),
    /// We may not.
    #[error("{0}")]
    Forbidden(String),
    /// It has no such kind.
    #[error("the cluster does not know the kind {0}")]
    KindUnknown(String),
    /// Stolos does not know the kind, and so not its address.
    #[error("Stolos does not know the kind {0}")]
    KindUnsupported(String),
    /// The object, or its namespace, is not there.
    #[error("{0}")]
    NotFound(String),
    /// Other managers own fields with other values.
    #[error("others own fields of it: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    FieldConflict(Vec<FieldCause>),
    /// It is not the object that was meant any more.
    #[error("it has changed since it was read")]
    Changed,
    /// The object is not as it should be.
    #[error("the object is refused: {message}")]
    Invalid {
        /// What the server said; for a Secret only which fields.
        message: String,
        /// The fields, and what is wrong with each.
        causes: Vec<String>,
    },
    /// The version to go on from is no longer kept.
    #[error("the state to go on from is no longer kept")]
    Expired,
    /// The request is too large.
    #[error("the request is too large")]
    TooLarge,
    /// It answered with an error of its own.
    #[error("the server answered {status}: {message}")]
    Server {
        /// The status code.
        status: u16,
        /// What it said.
        message: String,
    },
    /// What it answered is not what an API server answers.
    #[error("the answer is not one of a Kubernetes API: {0}")]
    Unintelligible(String),
}

struct Whose<'w>(Option<&'w str>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(whose) => write!(f, ": those of {whose}"),
            None => Ok(()),
        }
    }
}

/// A field that another manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldCause {
    /// `.spec.replicas`.
    pub field: String,
    /// `kubectl-edit`.
    pub manager: String,
}

impl fmt::Display for FieldCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.field, self.manager)
    }
}

impl ClusterError {
    /// The code of its page.
    pub fn code(&self) -> &'static Code {
        match &self.fault {
            Fault::Unreachable(_) | Fault::Silent(_) => &codes::CLUSTER_UNREACHABLE,
            Fault::Credentials(_) => &codes::CREDENTIALS_MISSING,
            Fault::Unauthorized(_) => &codes::CREDENTIALS_REFUSED,
            Fault::Forbidden(_) => &codes::FORBIDDEN,
            Fault::KindUnknown(_) | Fault::KindUnsupported(_) => &codes::KIND_UNKNOWN,
            Fault::NotFound(_) => &codes::OBJECT_MISSING,
            Fault::FieldConflict(_) => &codes::FIELD_CONFLICT,
            Fault::Changed => &codes::OBJECT_CHANGED,
            Fault::Invalid { .. } | Fault::TooLarge => &codes::OBJECT_REFUSED,
            Fault::Expired | Fault::Server { .. } | Fault::Unintelligible(_) => &codes::CLUSTER_ERROR,
        }
    }

    /// What was asked, what came of it and how often, where the cluster is said already.
    pub fn of_request(&self) -> String {
        format!("{}: {}", self.request, self.reason())
    }

    /// What came of it and how often, where cluster and request are said already.
    pub fn reason(&self) -> String {
        format!("{}{}", self.fault, Attempts(self.attempts))
    }

    /// For a view.
    pub fn failure(&self) -> Failure {
        let again = if self.attempts > 1 { format!(", {} attempts", self.attempts) } else { String::new() };
        let plain = |text: &dyn fmt::Display| {
            Failure::new(self.code(), format!("{}: {}: {text}{again}", self.cluster, self.request))
        };
        match &self.fault {
            Fault::Unreachable(reason) => {
                Failure::new(self.code(), format!("{} cannot be reached: {reason}{again}", self.cluster))
                    .with_fact(format!("asked to {}", self.request))
            }
            Fault::Silent(reason) => {
                Failure::new(self.code(), format!("{} does not answer: {reason}{again}", self.cluster))
                    .with_fact(format!("asked to {}", self.request))
            }
            Fault::FieldConflict(causes) => causes
                .iter()
                .fold(plain(&"other managers own fields of it"), |failure, cause| {
                    failure.with_fact(format!("{} is owned by {}", cause.field, cause.manager))
                })
                .with_help("let the other manager give the fields up, or take them with --force-conflicts"),
            Fault::Invalid { message, causes } => causes
                .iter()
                .fold(plain(&format_args!("the object is refused: {message}")), |failure, cause| {
                    failure.with_fact(cause.clone())
                }),
            Fault::Changed => {
                plain(&self.fault).with_help("plan again: the object is not the one the plan saw")
            }
            // What a webhook denies no right would allow.
            Fault::Forbidden(said) if !said.contains("admission webhook") => plain(&self.fault)
                .with_help("the rights that each command takes: stolos rbac plan|apply|destroy PATH"),
            Fault::Credentials(_)
            | Fault::Unauthorized(_)
            | Fault::Forbidden(_)
            | Fault::KindUnknown(_)
            | Fault::KindUnsupported(_)
            | Fault::NotFound(_)
            | Fault::Expired
            | Fault::TooLarge
            | Fault::Server { .. }
            | Fault::Unintelligible(_) => plain(&self.fault),
        }
    }
}

impl ContextError {
    /// For a view; `cluster` is the one that the context is to reach.
    pub fn failure(&self, cluster: Option<&ClusterName>) -> Failure {
        let message = match cluster {
            Some(cluster) => format!("{cluster}: {self}"),
            None => self.to_string(),
        };
        match self {
            Self::Unreadable { .. } | Self::Invalid { .. } => {
                Failure::new(&codes::KUBECONFIG_UNREADABLE, message)
                    .with_help("name another file with --kubeconfig, or try the topology with --sandbox")
            }
            Self::NoContext { context, known, files } => Failure::new(&codes::CONTEXT_MISSING, message)
                .with_fact(format!("looked in {}", files.join(", ")))
                .with_help(did_you_mean(context, "Contexts", known.iter().map(String::as_str))),
            Self::Unusable { .. } => Failure::new(&codes::CONTEXT_UNUSABLE, message),
        }
    }
}

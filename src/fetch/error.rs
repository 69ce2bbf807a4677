//! Why a chart could not be had.

use std::time::Duration;

use super::codes::{
    CHART_CREDENTIALS, CHART_NOT_PUBLISHED, CHART_SOURCE_BROKEN, CHART_SOURCE_DENIED,
    CHART_SOURCE_UNREACHABLE,
};
use crate::diagnostic::{Failure, lasting};

/// How many of the versions that there are a message names.
const SHOWN: usize = 6;

/// Why a chart could not be had. No text in it holds a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No answer.
    #[error("{url} cannot be reached")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What the system or the other side said, from the outside in.
        reasons: Vec<String>,
    },
    /// It took too long.
    #[error("{origin} did not hand over its charts in {}", lasting(*limit))]
    Late {
        /// The source.
        origin: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The server wants to know who asks, or does not let in who does.
    #[error("{url} answers {status}")]
    Denied {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
        /// Whose credentials were sent; none where there are none.
        credentials: Option<String>,
        /// The server, as the configuration files call it.
        host: String,
        /// How one logs in there: `helm registry login`.
        login: &'static str,
    },
    /// Another status than success.
    #[error("{url} answers {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// The chart is not there.
    #[error("{origin} has no chart {chart} {version}")]
    NotPublished {
        /// The source.
        origin: String,
        /// The chart.
        chart: &'static str,
        /// Its version.
        version: String,
        /// The versions that are there, the newest first; none where nobody says.
        there: Option<Vec<String>>,
    },
    /// What came is not what it should be.
    #[error("{url} is not what it should be")]
    Broken {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration of Helm or Docker cannot be used.
    #[error("the credentials for {host} cannot be had")]
    Credentials {
        /// The server.
        host: String,
        /// The file that names them.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

impl FetchError {
    /// What is shown of it.
    pub fn failure(&self) -> Failure {
        let message = self.to_string();
        match self {
            Self::Unreachable { url: _, reasons } => {
                let failure = Failure::new(&CHART_SOURCE_UNREACHABLE, message);
                reasons.iter().fold(failure, Failure::with_fact)
            }
            Self::Late { .. } => Failure::new(&CHART_SOURCE_UNREACHABLE, message),
            Self::Status { .. } => Failure::new(&CHART_SOURCE_UNREACHABLE, message),
            Self::Denied { url: _, status: _, credentials, host, login } => {
                let fact = match credentials {
                    Some(whose) => format!("with the credentials of {whose}"),
                    None => "nobody has told Helm or Docker of credentials for it".to_owned(),
                };
                let failure = Failure::new(&CHART_SOURCE_DENIED, message).with_fact(fact);
                failure.with_help(format!("log in, and run the same command again: {login} {host}"))
            }
            Self::NotPublished { origin: _, chart: _, version: _, there } => {
                let failure = Failure::new(&CHART_NOT_PUBLISHED, message);
                match there.as_deref() {
                    None => failure,
                    Some([]) => failure.with_fact("it has no chart of this name at all"),
                    Some(versions) => {
                        let more = versions.len().saturating_sub(SHOWN);
                        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
                        let shown = versions[..versions.len() - more].join(", ");
                        failure.with_fact(format!("it has {shown}{rest}"))
                    }
                }
            }
            Self::Broken { url: _, reason } => Failure::new(&CHART_SOURCE_BROKEN, message).with_fact(reason),
            Self::Credentials { host: _, file, reason } => {
                Failure::new(&CHART_CREDENTIALS, message).with_fact(format!("{file}: {reason}"))
            }
        }
    }
}

//! Why a topology has no manifests.

use crate::chart::ChartError;
use crate::diagnostic::{Code, Failure};
use crate::graph::Unit;

static FILE_MISSING: Code = Code {
    name: "public-file-missing",
    summary: "a file that the topology names was not read",
    page: "\
`clusters.X.apiServer.ca` names a PEM file with the authority of that API server. It goes into the
remote secrets of the other primaries, so it has to be there when manifests are compiled. The path
is relative to the file that names it.
",
};

/// The codes that this stage raises, beside those of `chart`.
pub static CODES: &[&Code] = &[&FILE_MISSING];

/// Why a unit has no manifests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Its chart did not render.
    #[error("{unit}: {source}")]
    Chart {
        /// The unit.
        unit: Unit,
        /// What the chart said.
        source: Box<ChartError>,
    },
    /// A public file that the topology names was not given.
    #[error("{unit}: the file `{path}` was not read")]
    FileMissing {
        /// The unit that needs it.
        unit: Unit,
        /// The path as the topology names it.
        path: String,
    },
}

impl CompileError {
    /// For a view.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Chart { unit, source } => {
                let mut failure = source.failure();
                failure.message = format!("{unit}: {}", failure.message);
                failure
            }
            Self::FileMissing { .. } => Failure::new(&FILE_MISSING, self.to_string()),
        }
    }
}

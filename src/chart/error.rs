//! What can be wrong with a chart or its rendering, and where.

use std::fmt;

use crate::diagnostic::{Code, Failure};

use super::codes;

/// Why a chart could not be read or rendered.
///
/// It names the chart, the file and line, and the templates through which
/// evaluation came there, outermost first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ChartError {
    /// The chart's name, or `a chart` while that is unknown.
    pub chart: String,
    /// Where in the chart; none where no single place is to blame.
    pub place: Option<Place>,
    /// The calls (`include`, `template`, `tpl`) that led there, outermost first.
    pub calls: Vec<Call>,
    /// What is wrong there.
    pub fault: Fault,
}

/// A place in a file of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path in the chart: `templates/deployment.yaml`.
    pub file: String,
    /// From 1; 0 where only the file is known.
    pub line: u32,
    /// From 1, in characters; 0 where only the line is known.
    pub column: u32,
}

/// One call of a template by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The template that was called.
    pub template: String,
    /// Where it was called.
    pub from: Place,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The files are not a chart that can be rendered here.
    NotAChart(String),
    /// An archive among the files is broken, or holds what no chart may hold.
    Archive(String),
    /// A template breaks the language's grammar.
    Syntax(String),
    /// A template calls a function that is not implemented here.
    FunctionUnknown(String),
    /// A template calls a function that reads the clock, randomness, the network or the machine.
    FunctionRefused {
        /// The function.
        name: String,
        /// What it would read.
        reason: &'static str,
    },
    /// Evaluation failed.
    Template(String),
    /// The chart itself refused: `fail` or `required`.
    Refuses(String),
    /// The values break the chart's schema.
    Values(Vec<String>),
    /// What was rendered is no YAML, or no Kubernetes object.
    Yaml(String),
    /// A bound was reached.
    Limit(Limit),
}

/// The bounds of a rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Templates that call templates, and constructs inside constructs.
    Depth(u32),
    /// Bytes that the templates write, intermediate texts included.
    Output(usize),
    /// Units of work of evaluation.
    Steps(u64),
    /// Levels of maps and lists inside each other.
    Nesting(usize),
    /// Bytes of one rendered document.
    Document(usize),
    /// Bytes of one file of a chart.
    File(usize),
    /// Charts inside of a chart, each alias counted.
    Charts(usize),
}

impl fmt::Display for ChartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.chart)?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", self.fault)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAChart(what)
            | Self::Archive(what)
            | Self::Syntax(what)
            | Self::Template(what)
            | Self::Yaml(what) => f.write_str(what),
            Self::FunctionUnknown(name) => write!(f, "function `{name}` is not implemented"),
            Self::FunctionRefused { name, reason } => write!(f, "function `{name}` is refused: {reason}"),
            Self::Refuses(words) => f.write_str(words.trim()),
            Self::Values(faults) => write!(f, "the values break the chart's schema: {}", faults.join("; ")),
            Self::Limit(limit) => write!(f, "{limit}"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(most) => write!(f, "templates call each other more than {most} levels deep"),
            Self::Output(most) => write!(f, "the templates write more than {most} bytes"),
            Self::Steps(most) => write!(f, "rendering takes more than {most} steps"),
            Self::Nesting(most) => write!(f, "a value is nested more than {most} levels deep"),
            Self::Document(most) => write!(f, "a rendered document has more than {most} bytes"),
            Self::File(most) => write!(f, "a file of the chart has more than {most} bytes"),
            Self::Charts(most) => write!(f, "the chart has more than {most} charts inside of it"),
        }
    }
}

impl ChartError {
    /// A fault of the chart as a whole.
    pub(super) fn of_chart(chart: impl Into<String>, fault: Fault) -> Self {
        Self { chart: chart.into(), place: None, calls: Vec::new(), fault }
    }

    /// A fault at a place of a file.
    pub(super) fn at(chart: impl Into<String>, place: Place, fault: Fault) -> Self {
        Self { chart: chart.into(), place: Some(place), calls: Vec::new(), fault }
    }

    /// The code that `stolos explain` knows it by.
    pub fn code(&self) -> &'static Code {
        match &self.fault {
            Fault::NotAChart(_) => &codes::FILES,
            Fault::Archive(_) => &codes::ARCHIVE,
            Fault::Syntax(_) | Fault::Template(_) => &codes::TEMPLATE,
            Fault::FunctionUnknown(_) => &codes::FUNCTION_UNKNOWN,
            Fault::FunctionRefused { .. } => &codes::FUNCTION_REFUSED,
            Fault::Refuses(_) => &codes::REFUSES,
            Fault::Values(_) => &codes::VALUES,
            Fault::Yaml(_) => &codes::YAML,
            Fault::Limit(_) => &codes::LIMIT,
        }
    }

    /// The error as a failure for a view: message, the calls as facts, help.
    pub fn failure(&self) -> Failure {
        let message = match &self.fault {
            Fault::Refuses(words) => format!("chart {} refuses these values: {}", self.chart, words.trim()),
            Fault::Values(_) => format!("chart {}: the values break its schema", self.chart),
            _ => format!("chart {self}"),
        };
        let mut failure = Failure::new(self.code(), message);
        match (&self.fault, &self.place) {
            (Fault::Refuses(_), Some(place)) => failure = failure.with_fact(format!("at {place}")),
            (Fault::Values(faults), _) => {
                failure.facts.extend(faults.iter().cloned());
            }
            _ => {}
        }
        for call in self.calls.iter().rev() {
            failure = failure.with_fact(format!("in {}, called at {}", call.template, call.from));
        }
        match &self.fault {
            Fault::FunctionUnknown(_) | Fault::FunctionRefused { .. } => failure.with_help(
                "this chart needs more than the built-in renderer has; render it with helm instead",
            ),
            Fault::Refuses(_) | Fault::Values(_) => {
                failure.with_help("change the values that the chart was given")
            }
            _ => failure,
        }
    }
}

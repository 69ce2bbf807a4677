//! Findings: what is wrong, where, why, and what to write instead.
//!
//! A [`Diagnostic`] is about the text of a topology and points into it. A
//! [`Failure`] is about an operation and names cluster and object. Both carry a
//! [`Code`], whose page `stolos explain CODE` prints. Words are put on a screen
//! by `view`, never here.

mod duration;
pub mod shared;
mod words;

pub use duration::{NoDuration, duration};
pub use words::{counted, did_you_mean, lasting, listed, nearest};

use crate::document::Span;

/// A stable name for one kind of finding, with its fixed summary and its page.
///
/// Codes are statics that stand beside the code that raises them; each stage
/// lists its own in a `CODES` table.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Kebab-case name, a public interface: `network-unknown`.
    pub name: &'static str,
    /// One line without any name out of the user's file.
    pub summary: &'static str,
    /// What it means, why it matters, what to do: Markdown.
    pub page: &'static str,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing goes on.
    Error,
    /// Shown, and everything goes on.
    Warning,
}

/// A place in the text and what to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What stands there; may quote the user's names.
    pub text: String,
}

/// One finding about a topology's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of finding.
    pub code: &'static Code,
    /// Error or warning.
    pub severity: Severity,
    /// The place that is wrong.
    pub primary: Label,
    /// The declarations it clashes with.
    pub secondary: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: &'static Code, span: Span, text: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            primary: Label { span, text: text.into() },
            secondary: Vec::new(),
            help: None,
        }
    }

    /// A warning at `span`.
    pub fn warning(code: &'static Code, span: Span, text: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, text) }
    }

    /// Adds a declaration that it clashes with.
    #[must_use]
    pub fn with_label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// One failed operation, ready for a view: the stages' error enums turn into it.
///
/// No field may ever hold a private key, a token or a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub code: &'static Code,
    /// One line that names cluster and object.
    pub message: String,
    /// Further lines: conditions, events, what is held back.
    pub facts: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Failure {
    /// A failure of which one line says all.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), facts: Vec::new(), help: None }
    }

    /// Adds a line.
    #[must_use]
    pub fn with_fact(mut self, fact: impl Into<String>) -> Self {
        self.facts.push(fact.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

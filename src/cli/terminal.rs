//! Where a command writes: data to stdout, talk to stderr.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use super::{Stop, codes};
use crate::diagnostic::Failure;
use crate::view::diagnostics::{Colours, Look};

/// How wide talk is where nothing says how wide the terminal is.
const COLUMNS: usize = 100;

/// How narrow talk gets at the least; below this it is left to the terminal to wrap.
const NARROWEST: usize = 40;

/// The two streams of a command, and what each can show.
pub struct Terminal {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    data_look: Look,
    talk_look: Look,
    drawing: Drawing,
}

/// Whether stderr can be drawn anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drawing {
    /// Lines stay as they are: a file, a pipe, a dumb terminal.
    Lines,
    /// Lines can be drawn over.
    Over,
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("data_look", &self.data_look)
            .field("talk_look", &self.talk_look)
            .finish_non_exhaustive()
    }
}

impl Terminal {
    /// Those of this process: colours on a terminal unless `NO_COLOR` is set, as wide as `COLUMNS` says.
    pub fn of_process() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || is_dumb;
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(COLUMNS);
        let look = |is_terminal: bool| Look {
            colours: if is_terminal && !refused { Colours::On } else { Colours::Off },
            columns: columns.max(NARROWEST),
        };
        Self {
            data_look: look(io::stdout().is_terminal()),
            talk_look: look(io::stderr().is_terminal()),
            drawing: if io::stderr().is_terminal() && !is_dumb { Drawing::Over } else { Drawing::Lines },
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
        }
    }

    /// What stdout can show.
    pub fn data_look(&self) -> Look {
        self.data_look
    }

    /// What stderr can show.
    pub fn talk_look(&self) -> Look {
        self.talk_look
    }

    /// Whether what is said can be drawn over later.
    pub(super) fn drawing(&self) -> Drawing {
        self.drawing
    }

    /// Writes what the command was asked for.
    pub(super) fn data(&mut self, text: &str) -> Result<(), Stop> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Stop::OutputClosed),
            Err(error) => {
                let message = format!("stdout cannot be written: {error}");
                Err(Failure::new(&codes::OUTPUT_UNWRITABLE, message).into())
            }
        }
    }

    /// Says something to the person at the terminal; one who closed stderr wants to hear nothing.
    pub(super) fn talk(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
    }
}

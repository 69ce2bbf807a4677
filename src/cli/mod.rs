//! The command line: flags and files enter, words and an exit code leave.
//!
//! Each verb is one file: `Args`, whose doc comments are the help, and `run`.
//! To add one, add its module, a line to [`Command`] and a line to [`dispatch`].
//! A verb reads files, calls the stages in their order and hands what they give
//! to `view`; it decides nothing about meshes. stdout is data, stderr is talk.

mod apply;
mod charts;
mod clusters;
mod codes;
mod compile;
mod desired;
mod destroy;
mod explain;
mod folder;
mod graph;
mod holder;
mod init;
mod interrupts;
mod load;
mod mesh;
mod plan;
mod rbac;
mod run;
mod sandbox;
mod saved;
mod schema;
mod show;
mod terminal;
mod validate;
mod vendor;
mod whole;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

pub use codes::codes;
pub use terminal::Terminal;

use crate::diagnostic::{Diagnostic, Failure};
use crate::document::Sources;
use crate::view;

/// A declarative compiler for Istio meshes that span clusters
#[derive(Debug, Parser)]
#[command(name = "stolos", version, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Validate(validate::Args),
    Graph(graph::Args),
    Compile(compile::Args),
    Plan(plan::Args),
    Show(show::Args),
    Apply(apply::Args),
    Destroy(destroy::Args),
    Rbac(rbac::Args),
    Sandbox(sandbox::Args),
    Explain(explain::Args),
    Schema(schema::Args),
    Vendor(vendor::Args),
}

/// How a command ended: its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `plan --detailed-exitcode` nothing is to change.
    Done,
    /// Something is wrong, the usage included.
    Error,
    /// There are changes: only with `plan --detailed-exitcode`.
    Changes,
    /// A cluster could not be read.
    Incomplete,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Changes => 2,
            Exit::Incomplete => 3,
        })
    }
}

/// Why a command stopped before its end.
#[derive(Debug)]
enum Stop {
    /// The topology is wrong.
    Findings {
        /// The texts that the findings point into.
        sources: Sources,
        /// Every finding, warnings included.
        found: Vec<Diagnostic>,
        /// What they are in, as the user calls it.
        about: String,
    },
    /// An operation failed.
    Failure(Box<Failure>),
    /// Several did, none because of another.
    Failures(Vec<Failure>),
    /// Whoever read stdout has gone: no fault, and nobody to tell.
    OutputClosed,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

/// Runs one command line; the first argument is the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>, terminal: &mut Terminal) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, terminal),
    };
    match dispatch(&cli.command, terminal) {
        Ok(exit) => exit,
        Err(Stop::Findings { sources, found, about }) => {
            let look = terminal.talk_look();
            terminal.talk(&view::diagnostics::findings(&sources, &found, &about, look));
            Exit::Error
        }
        Err(Stop::Failure(failure)) => {
            let look = terminal.talk_look();
            terminal.talk(&view::diagnostics::failure(&failure, look));
            Exit::Error
        }
        Err(Stop::Failures(failures)) => {
            let look = terminal.talk_look();
            let told: Vec<String> =
                failures.iter().map(|failure| view::diagnostics::failure(failure, look)).collect();
            terminal.talk(&told.join("\n"));
            Exit::Error
        }
        Err(Stop::OutputClosed) => Exit::Done,
    }
}

/// How long what is still under way may take to end once a command has: a credential plugin may never do.
const ENDING: Duration = Duration::from_secs(1);

/// Runs what has to do with clusters. Only such verbs pay for a runtime.
fn on_runtime<T>(work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(work);
            runtime.shutdown_timeout(ENDING);
            ended
        }
        Err(error) => {
            let message = format!("the system gives no threads to work with: {error}");
            Err(Failure::new(&codes::RUNTIME_UNAVAILABLE, message).into())
        }
    }
}

fn dispatch(command: &Command, terminal: &mut Terminal) -> Result<Exit, Stop> {
    match command {
        Command::Init(args) => init::run(args, terminal),
        Command::Validate(args) => validate::run(args, terminal),
        Command::Graph(args) => graph::run(args, terminal),
        Command::Compile(args) => compile::run(args, terminal),
        Command::Plan(args) => plan::run(args, terminal),
        Command::Show(args) => show::run(args, terminal),
        Command::Apply(args) => apply::run(args, terminal),
        Command::Destroy(args) => destroy::run(args, terminal),
        Command::Rbac(args) => rbac::run(args, terminal),
        Command::Sandbox(args) => sandbox::run(args, terminal),
        Command::Explain(args) => explain::run(args, terminal),
        Command::Schema(args) => schema::run(args, terminal),
        Command::Vendor(args) => vendor::run(args, terminal),
    }
}

/// Help and version are data; a usage that is wrong is an error like any other.
fn usage(error: &clap::Error, terminal: &mut Terminal) -> Exit {
    let text = error.render();
    if error.use_stderr() {
        terminal.talk(&text.to_string());
        Exit::Error
    } else {
        // Whether anybody reads it or not, nothing is left to do.
        let _ = terminal.data(&text.to_string());
        Exit::Done
    }
}

//! The `stolos` command.

use std::process::ExitCode;

use stolos::cli::{self, Terminal};

fn main() -> ExitCode {
    cli::run(std::env::args_os(), &mut Terminal::of_process()).into()
}

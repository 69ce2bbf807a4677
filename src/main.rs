//! The `stolos` command.

use std::process::ExitCode;

use stolos::cli::{self, Terminal};

/// Plans and renders are many small allocations, which the system's allocator takes a quarter of their time for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(std::env::args_os(), &mut Terminal::of_process()).into()
}

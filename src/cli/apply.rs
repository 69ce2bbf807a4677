//! `stolos apply`: bring the clusters to what the topology asks for.

use super::run::{self, RunArgs, Words};
use super::{Exit, Stop, Terminal};
use crate::plan::{Conflicts, Mode};

/// Bring the clusters to what the topology asks for
///
/// Shows the plan, asks, and runs it: each step starts when those that it waits for are done, and is
/// done when what it made is ready. What depends on a failed step is held back, the rest is finished.
/// The same command goes on where an earlier one stopped. The first Ctrl-C lets running requests end
/// and writes the inventories; the second abandons them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Take over fields that another tool applied
    #[arg(long)]
    force_conflicts: bool,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let words =
        Words { mode: Mode::Apply, verb: "apply", question: "Apply these changes? Only \"yes\" goes on:" };
    let conflicts = if args.force_conflicts { Conflicts::Force } else { Conflicts::Refuse };
    run::run(&words, &args.run, conflicts, terminal)
}

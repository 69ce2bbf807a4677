//! `stolos apply`: bring the clusters to what the topology asks for.

use super::run::{self, RunArgs, Words};
use super::{Exit, Stop, Terminal, saved};
use crate::plan::{Conflicts, Mode};

/// Bring the clusters to what the topology asks for
///
/// Shows the plan, asks, and runs it: each step starts when those that it waits for are done, and is
/// done when what it made is ready. What depends on a failed step is held back, the rest is finished.
/// The same command goes on where an earlier one stopped. The first Ctrl-C lets running requests end
/// and writes the inventories; the second abandons them.
///
/// Given a plan that `stolos plan --out` saved, it does what that plan shows, without asking, or nothing at
/// all where anything has changed since.
#[derive(Debug, clap::Args)]
#[command(mut_arg("paths", |path| path.value_name("PATH|PLANFILE").help("The topology: a file, or a folder of files; or a saved plan")))]
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
    if let Some(plan) = saved::plan_in(args.run.topology.one()?)? {
        return saved::apply(plan, &args.run, conflicts, terminal);
    }
    run::run(&words, &args.run, conflicts, terminal)
}

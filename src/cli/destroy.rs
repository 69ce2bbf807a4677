//! `stolos destroy`: take a mesh down again.

use super::run::{self, RunArgs, Words};
use super::{Exit, Stop, Terminal};
use crate::plan::{Conflicts, Mode};

/// Take the mesh down again, in reverse order
///
/// Deletes what the inventories record as made by Stolos and that is still so; what was adopted loses
/// only the fields of Stolos. Application namespaces stay, and so does a namespace or a definition that
/// holds anything of others: the plan names it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    run: RunArgs,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let words = Words {
        mode: Mode::Destroy,
        verb: "destroy",
        question: "Destroy the mesh as shown? Only \"yes\" goes on:",
    };
    run::run(&words, &args.run, Conflicts::Refuse, terminal)
}

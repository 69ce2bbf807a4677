//! `stolos plan`: what an apply would do, or a destroy.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::clusters::Reach;
use super::load::TopologyPath;
use super::mesh::{Mesh, Outlook, Patience};
use super::run::{flags, is_over};
use super::{Exit, Stop, Terminal, saved};
use crate::plan::{Conflicts, Mode, Plan};
use crate::view;

/// Show what an apply would do
///
/// Reads the clusters and changes nothing. Exits with 0 once the plan is made, with 1 where none can be,
/// and with 3 where a cluster could not be read. A plan that was saved with --out is shown again by
/// `stolos show FILE`, and `stolos apply FILE` does what it shows, once.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    topology: TopologyPath,
    #[command(flatten)]
    reach: Reach,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with 2 where there is something to do
    #[arg(long)]
    detailed_exitcode: bool,
    /// Plan to take over fields that another tool applied
    #[arg(long)]
    force_conflicts: bool,
    /// Plan to take the mesh down, as `stolos destroy` does
    #[arg(long, conflicts_with = "force_conflicts")]
    destroy: bool,
    /// Save the plan in FILE, to be applied by `stolos apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person at a terminal
    Text,
    /// For a program
    Json,
    /// For a pull request
    Markdown,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    if let Some(file) = &args.out {
        saved::may_write(file)?;
    }
    super::on_runtime(async {
        let mesh =
            Mesh::open(args.topology.one()?, &args.reach, Patience { limit: Duration::ZERO, terminal })
                .await?;
        let ended = planned(args, &mesh, terminal).await;
        mesh.close().await;
        ended
    })
}

async fn planned(args: &Args, mesh: &Mesh, terminal: &mut Terminal) -> Result<Exit, Stop> {
    mesh.warn(terminal);
    let conflicts = if args.force_conflicts { Conflicts::Force } else { Conflicts::Refuse };
    let mode = if args.destroy { Mode::Destroy } else { Mode::Apply };
    let Outlook { live, plan } = mesh.outlook(mode, conflicts, BTreeMap::new()).await?;
    let plan = plan.map_err(Stop::Failures)?;
    if let Some(file) = &args.out {
        saved::write(file, &saved::save(mesh, &plan, &live, &args.reach, conflicts)?)?;
    }
    let text = match args.format {
        Format::Text => view::plan::text(&plan, terminal.data_look()),
        Format::Json => view::plan::json(&plan),
        Format::Markdown => view::plan::markdown(&plan),
    };
    terminal.data(&text)?;
    if args.format == Format::Text {
        terminal.talk(&next(args, &mesh.loaded.about, &plan, conflicts));
    }
    Ok(if plan.is_incomplete() {
        Exit::Incomplete
    } else if args.detailed_exitcode && !is_over(&plan) {
        Exit::Changes
    } else {
        Exit::Done
    })
}

/// Where the plan is, and what carries it out.
fn next(args: &Args, about: &str, plan: &Plan, conflicts: Conflicts) -> String {
    let verb = match plan.mode {
        Mode::Apply => "Apply",
        Mode::Destroy => "Destroy",
    };
    match &args.out {
        Some(file) if is_over(plan) => format!("Saved as {}.\n", file.display()),
        Some(file) => {
            let file = file.display();
            format!("Saved as {file}.\nApply it with: stolos apply {file}\n")
        }
        None if is_over(plan) => String::new(),
        None => {
            let flags = flags(&args.reach, conflicts);
            format!("{verb} it with: stolos {} {flags}{about}\n", verb.to_lowercase())
        }
    }
}

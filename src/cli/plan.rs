//! `stolos plan`: what an apply would do.

use clap::ValueEnum;

use super::clusters::Reach;
use super::load::TopologyPath;
use super::mesh::Mesh;
use super::run::flags;
use super::{Exit, Stop, Terminal};
use crate::plan::{Conflicts, Mode};
use crate::view;

/// Show what an apply would do
///
/// Reads the clusters and changes nothing. Exits with 0 once the plan is made, with 1 where none can be,
/// and with 3 where a cluster could not be read.
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
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person at a terminal
    Text,
    /// For a program
    Json,
    /// For a pull request
    Markdown,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    super::on_runtime(async {
        let mesh = Mesh::open(args.topology.one()?, &args.reach).await?;
        let ended = planned(args, &mesh, terminal).await;
        mesh.close().await;
        ended
    })
}

async fn planned(args: &Args, mesh: &Mesh, terminal: &mut Terminal) -> Result<Exit, Stop> {
    mesh.loaded.warn(terminal);
    let conflicts = if args.force_conflicts { Conflicts::Force } else { Conflicts::Refuse };
    let plan = mesh.plan(Mode::Apply, conflicts).await?;
    let text = match args.format {
        Format::Text => view::plan::text(&plan, terminal.data_look()),
        Format::Json => view::plan::json(&plan),
        Format::Markdown => view::plan::markdown(&plan),
    };
    terminal.data(&text)?;
    if args.format == Format::Text && !plan.is_empty() {
        let flags = flags(&args.reach, conflicts);
        terminal.talk(&format!("Apply it with: stolos apply {flags}{}\n", mesh.loaded.about));
    }
    Ok(if plan.is_incomplete() {
        Exit::Incomplete
    } else if args.detailed_exitcode && !plan.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    })
}

//! `stolos graph`: the dependency graph of a topology.

use clap::ValueEnum;

use super::load::{TopologyPath, load};
use super::{Exit, Stop, Terminal};
use crate::graph::Graph;
use crate::validate::Use;
use crate::view;

/// Show the dependency graph: which unit waits for which, and why
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    topology: TopologyPath,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Stages, their units, and the reason of every edge
    Text,
    /// For Graphviz
    Dot,
    /// For Markdown that draws Mermaid
    Mermaid,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let loaded = load(args.topology.one()?, Use::Offline)?;
    loaded.warn(terminal);
    let graph = Graph::of(&loaded.topology).map_err(|error| error.failure())?;
    let text = match args.format {
        Format::Text => view::graph::text(&graph),
        Format::Dot => view::graph::dot(&graph),
        Format::Mermaid => view::graph::mermaid(&graph),
    };
    terminal.data(&text)?;
    Ok(Exit::Done)
}

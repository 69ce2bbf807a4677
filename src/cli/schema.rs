//! `stolos schema`: the JSON schema of a topology, for editors.

use super::{Exit, Stop, Terminal};
use crate::topology;

/// Print the JSON schema of a topology, for editors
///
/// Save it beside your topologies, and begin them with a line that names it:
/// `# yaml-language-server: $schema=stolos.schema.json`
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    terminal.data(&format!("{:#}\n", topology::schema()))?;
    Ok(Exit::Done)
}

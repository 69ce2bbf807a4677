//! `stolos validate`: everything that is wrong with a topology, at once.

use clap::ValueEnum;
use serde_json::json;

use super::{Exit, Stop, Terminal, load};
use crate::diagnostic::{Severity, counted};
use crate::topology::Topology;
use crate::validate::Use;
use crate::view;

/// Say all that is wrong with a topology
///
/// No cluster is needed, and none is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    topology: load::TopologyPath,

    /// How findings are written: as text for people on stderr, or as JSON on stdout
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let load::Examined { sources, topology, found, about } =
        load::examine(args.topology.one()?, Use::Offline)?;
    let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let errors = count(Severity::Error);
    match args.format {
        Format::Json => {
            let report = json!({
                "version": 1,
                "path": about,
                "errors": errors,
                "warnings": count(Severity::Warning),
                "findings": view::diagnostics::findings_json(&sources, &found),
            });
            terminal.data(&format!("{report:#}\n"))?;
        }
        Format::Text => {
            let look = terminal.talk_look();
            terminal.talk(&view::diagnostics::findings(&sources, &found, &about, look));
            if let (true, Some(topology)) = (found.is_empty(), &topology) {
                terminal.talk(&format!("{about}: {}; nothing wrong\n", summary(topology)));
            }
        }
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Error })
}

/// What the mesh is made of: `2 clusters, 2 networks, 1 primary, 1 remote`.
fn summary(topology: &Topology) -> String {
    let primaries = topology.primaries().count();
    let remotes = topology.clusters.len() - primaries;
    let mut parts = vec![
        counted(topology.clusters.len(), "cluster", "clusters"),
        counted(topology.networks.len(), "network", "networks"),
        counted(primaries, "primary", "primaries"),
    ];
    if remotes > 0 {
        parts.push(counted(remotes, "remote", "remotes"));
    }
    parts.join(", ")
}

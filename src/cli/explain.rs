//! `stolos explain`: the page of a code, or what a unit is and waits for.

use std::path::{Path, PathBuf};

use super::desired::desired_offline;
use super::load::load;
use super::{Exit, Stop, Terminal, codes};
use crate::diagnostic::{Failure, nearest};
use crate::graph::{Graph, Unit};
use crate::validate::Use;
use crate::view;

/// Explain a code, a unit of a topology, or the versions of Istio
///
/// A code stands in brackets in a finding: stolos explain network-unknown. A unit is named by its
/// cluster: stolos explain cluster1/eastwest-gateway mesh.yaml says what it is, waits for and
/// unblocks. stolos explain versions prints which versions of Istio are known, and what differs
/// between them. Without anything to explain it lists the codes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A code, CLUSTER/UNIT, or `versions`
    #[arg(value_name = "CODE|CLUSTER/UNIT|versions")]
    subject: Option<String>,
    /// The topology that has the unit: a file, or a folder of files
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let text = match (&args.subject, &args.path) {
        (Some(subject), None) if subject == "versions" => view::versions::table(),
        (None, _) => list(),
        (Some(subject), Some(path)) => unit(subject, path, terminal)?,
        (Some(subject), None) if subject.contains('/') => return Err(without_topology(subject).into()),
        (Some(code), None) => page(code)?,
    };
    terminal.data(&text)?;
    Ok(Exit::Done)
}

/// The page of a code under its summary.
fn page(name: &str) -> Result<String, Failure> {
    // People copy what they see: `error[network-unknown]` is as good as the name.
    let bare = name.rsplit('[').next().unwrap_or(name).trim_end_matches([']', ':']);
    match codes().find(|code| code.name == bare) {
        Some(code) => Ok(format!("{}: {}\n\n{}", code.name, code.summary, code.page)),
        None => Err(unknown(bare)),
    }
}

fn unknown(name: &str) -> Failure {
    let failure = Failure::new(&codes::CODE_UNKNOWN, format!("there is no code `{name}`"));
    failure.with_help(match nearest(name, codes().map(|code| code.name)) {
        Some(meant) => format!("did you mean `{meant}`? All of them: stolos explain"),
        None => "all of them: stolos explain".to_owned(),
    })
}

/// What a unit of a topology is, waits for and unblocks.
fn unit(subject: &str, path: &Path, terminal: &mut Terminal) -> Result<String, Stop> {
    let loaded = load(path, Use::Offline)?;
    let graph = Graph::of(&loaded.topology).map_err(|error| error.failure())?;
    let desired = desired_offline(&loaded, terminal)?;
    let known = subject.parse().ok().and_then(|unit: Unit| desired.unit(&unit));
    let Some(known) = known else {
        let names: Vec<String> = graph.units().into_iter().map(Unit::to_string).collect();
        let message = format!("{} has no unit `{subject}`", loaded.about);
        let help = match nearest(subject, names.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`? All of them: stolos graph {}", loaded.about),
            None => format!("all of them: stolos graph {}", loaded.about),
        };
        return Err(Failure::new(&codes::UNIT_UNKNOWN, message).with_help(help).into());
    };
    Ok(view::graph::unit(&graph, known))
}

fn without_topology(subject: &str) -> Failure {
    Failure::new(&codes::UNIT_UNKNOWN, format!("`{subject}` is a unit of some topology, and none is named"))
        .with_help(format!("stolos explain {subject} PATH"))
}

/// Every code with its summary, a line each, by name.
fn list() -> String {
    let mut codes: Vec<_> = codes().map(|code| (code.name, code.summary)).collect();
    codes.sort_unstable();
    codes.dedup();
    let width = codes.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    codes.iter().map(|(name, summary)| format!("{name:width$}  {summary}\n")).collect()
}

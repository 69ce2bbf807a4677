//! `stolos explain`: the page of a code, or what a unit is and waits for.

use super::{Exit, Stop, Terminal, codes};
use crate::diagnostic::{Failure, nearest};

/// Explain a code, or a unit of a topology
///
/// Without anything to explain it lists the codes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A code, as it stands in brackets: network-unknown
    code: Option<String>,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let text = match &args.code {
        None => list(),
        Some(name) => page(name)?,
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

/// Every code with its summary, a line each, by name.
fn list() -> String {
    let mut codes: Vec<_> = codes().map(|code| (code.name, code.summary)).collect();
    codes.sort_unstable();
    codes.dedup();
    let width = codes.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    codes.iter().map(|(name, summary)| format!("{name:width$}  {summary}\n")).collect()
}

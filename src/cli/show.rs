//! `stolos show`: a saved plan as it was shown when it was made.

use std::path::PathBuf;

use super::plan::Format;
use super::saved::plan_in;
use super::{Exit, Stop, Terminal};
use crate::diagnostic::Failure;
use crate::plan::codes::PLAN_MISSING;

/// Show a saved plan
///
/// As `stolos plan --out` showed it when it was made; no cluster is asked. Whether it can still be applied
/// is for `stolos apply` to find out.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A plan that `stolos plan --out` saved
    #[arg(value_name = "PLANFILE")]
    file: PathBuf,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let Some(plan) = plan_in(&args.file)? else {
        let file = args.file.display();
        return Err(Failure::new(&PLAN_MISSING, format!("{file} is no saved plan"))
            .with_help(format!("stolos plan {file} --out FILE, then stolos show FILE"))
            .into());
    };
    terminal.data(match args.format {
        Format::Text => &plan.view.text,
        Format::Json => &plan.view.json,
        Format::Markdown => &plan.view.markdown,
    })?;
    Ok(Exit::Done)
}

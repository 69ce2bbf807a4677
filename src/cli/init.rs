//! `stolos init`: a starter topology with a word on every line.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use super::{Exit, Stop, Terminal, codes};
use crate::diagnostic::Failure;

/// Write a starter topology
///
/// Two clusters on two networks, a primary and its remote, with a comment on every choice. A file
/// that is there already is never overwritten.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write it; the ending chooses YAML or TOML
    #[arg(default_value = "mesh.yaml")]
    path: PathBuf,
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let shown = args.path.display();
    let starter = match args.path.extension().and_then(|ending| ending.to_str()) {
        Some("yaml" | "yml") => include_str!("starter/mesh.yaml"),
        Some("toml") => include_str!("starter/mesh.toml"),
        Some(_) | None => {
            let message = format!("{shown} does not say whether it is YAML or TOML");
            return Err(Failure::new(&codes::FILE_KIND_UNKNOWN, message)
                .with_help("give it a name that ends in .yaml, .yml or .toml")
                .into());
        }
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(&args.path).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            Failure::new(&codes::FILE_EXISTS, format!("{shown} is there already"))
                .with_help("name another file: stolos init OTHER.yaml")
        } else {
            Failure::new(&codes::OUTPUT_UNWRITABLE, format!("{shown} cannot be written: {error}"))
        }
    })?;
    file.write_all(starter.as_bytes()).map_err(|error| {
        Failure::new(&codes::OUTPUT_UNWRITABLE, format!("{shown} cannot be written: {error}"))
    })?;
    terminal.talk(&format!(
        "Wrote {shown}: two clusters, a primary and its remote, each on a network of its own.\n\
         Check it with: stolos validate {shown}\n\
         Try it with:   stolos apply --sandbox {shown}\n"
    ));
    Ok(Exit::Done)
}

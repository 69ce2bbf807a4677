//! A loaded topology to what should be live, with the public files that it names read.

use std::fs;
use std::path::{Path, PathBuf};

use super::Stop;
use super::load::Loaded;
use crate::compile::{self, Desired, PublicFiles};
use crate::diagnostic::Failure;
use crate::document::{Sources, Spanned};
use crate::graph::Graph;
use crate::topology::files;

/// Orders and compiles a topology.
pub(super) fn desired(loaded: &Loaded) -> Result<Desired, Stop> {
    let graph = Graph::of(&loaded.topology).map_err(|error| error.failure())?;
    let files = public_files(loaded)?;
    Ok(compile::compile(&loaded.topology, &graph, &files).map_err(|error| error.failure())?)
}

/// The place of a file that a topology names: relative to the file that names it.
pub(super) fn beside(sources: &Sources, named: &Spanned<String>) -> PathBuf {
    let naming = Path::new(&sources.get(named.span.source).name);
    naming.parent().unwrap_or(Path::new("")).join(&named.value)
}

/// The authorities of API servers. Keys are never read here.
fn public_files(loaded: &Loaded) -> Result<PublicFiles, Failure> {
    let declared = loaded.topology.clusters.values().filter_map(|cluster| cluster.api_server.as_ref());
    declared
        .filter_map(|api_server| api_server.ca.as_ref())
        .map(|ca| {
            let path = beside(&loaded.sources, ca);
            let shown = path.display().to_string();
            let text =
                fs::read_to_string(&path).map_err(|error| files::unreadable(&shown, &error.to_string()))?;
            Ok((ca.value.clone(), text))
        })
        .collect()
}

//! A loaded topology to what should be live, with the public files that it names read.

use std::path::{Path, PathBuf};

use super::charts::charts;
use super::load::{Loaded, read};
use super::{Stop, Terminal};
use crate::chart::ChartSet;
use crate::compile::{self, Desired, PublicFiles};
use crate::diagnostic::Failure;
use crate::document::{Sources, Spanned};
use crate::graph::Graph;
use crate::topology::{Root, files};

/// Orders and compiles a topology with its charts.
pub(super) fn desired(loaded: &Loaded, charts: &ChartSet) -> Result<Desired, Stop> {
    let graph = Graph::of(&loaded.topology).map_err(|error| error.failure())?;
    let files = public_files(loaded)?;
    Ok(compile::compile(&loaded.topology, &graph, &files, charts).map_err(|error| error.failure())?)
}

/// The same for a verb that has nothing to do with clusters, and little with a network.
pub(super) fn desired_offline(loaded: &Loaded, terminal: &mut Terminal) -> Result<Desired, Stop> {
    desired(loaded, &super::on_runtime(charts(loaded, terminal))?)
}

/// Where a file that a topology names is: relative to the file that names it.
pub(super) fn path_of_named(sources: &Sources, named: &Spanned<String>) -> PathBuf {
    let naming = sources.get(named.span.source);
    Path::new(&naming.name).parent().unwrap_or(Path::new("")).join(&named.value)
}

/// Where a topology names a file: `named in mesh.yaml:3`.
pub(super) fn named_at(sources: &Sources, named: &Spanned<String>) -> String {
    let naming = sources.get(named.span.source);
    let line = naming.text[..named.span.range().start].matches('\n').count() + 1;
    format!("named in {}:{line}", naming.name)
}

/// Reads a text file that a topology names.
pub(super) fn read_named(sources: &Sources, named: &Spanned<String>) -> Result<String, Failure> {
    let path = path_of_named(sources, named);
    let shown = path.display().to_string();
    let here = |failure: Failure| failure.with_fact(named_at(sources, named));
    let bytes = read(&path).map_err(|error| here(files::unreadable(&shown, &error.to_string())))?;
    String::from_utf8(bytes).map_err(|_| here(files::unreadable(&shown, "it is not UTF-8 text")))
}

/// The authorities of API servers. Keys are never read here.
fn public_files(loaded: &Loaded) -> Result<PublicFiles, Failure> {
    authorities(loaded).map(|ca| Ok((ca.value.clone(), read_named(&loaded.sources, ca)?))).collect()
}

fn authorities(loaded: &Loaded) -> impl Iterator<Item = &Spanned<String>> {
    let declared = loaded.topology.clusters.values().filter_map(|cluster| cluster.api_server.as_ref());
    declared.filter_map(|api_server| api_server.ca.as_ref())
}

/// Every public file that a topology names: authorities, and the certificate of its root. Never the key.
pub(super) fn public_named(loaded: &Loaded) -> Vec<&Spanned<String>> {
    let root = match loaded.topology.root.as_ref().map(|root| &root.value) {
        Some(Root::Files { certificate, .. }) => Some(certificate),
        Some(Root::Generate { .. } | Root::Istiod) | None => None,
    };
    root.into_iter().chain(authorities(loaded)).collect()
}

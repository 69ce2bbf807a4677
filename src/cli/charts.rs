//! The charts that a topology names: those in the binary, or Istio's own from a folder or an archive.

use std::fs;
use std::io;
use std::path::Path;

use super::desired::{named_at, path_of_named};
use super::load::{Loaded, read};
use crate::chart::archive::{charts_in, files_of};
use crate::chart::{CHART_ARCHIVE, ChartSet, Files, NodeAgent};
use crate::diagnostic::Failure;
use crate::topology::{Charts, Cni, VersionRule, files};

/// How deep below the named folder a chart may lie: Istio's source has one three levels down.
const DEPTH: usize = 4;
/// The most files of a chart.
const MOST_FILES: usize = 10_000;

/// A chart and where it was found.
type Found = (String, Files);

/// Reads the charts of a topology.
pub(super) fn charts(loaded: &Loaded) -> Result<ChartSet, Failure> {
    let named = match loaded.topology.istio.charts.as_ref().map(|charts| &charts.value) {
        Some(Charts::Path(named)) => named,
        // Only the sandbox lets a topology go without a choice.
        Some(Charts::Embedded) | None => return Ok(ChartSet::embedded()),
    };
    let here = |failure: Failure| failure.with_fact(named_at(&loaded.sources, named));
    let path = path_of_named(&loaded.sources, named);
    let found = found_at(&path).map_err(here)?;
    let version = loaded.topology.version();
    let unasked: &[&str] =
        if VersionRule::GatewaySchemaRefusesAll.holds(version) { &["gateway"] } else { &[] };
    let agent = match loaded.topology.istio.cni.as_ref().map(|cni| cni.value) {
        Some(Cni::Enabled) => NodeAgent::Wanted,
        Some(Cni::External) | None => NodeAgent::Unwanted,
    };
    ChartSet::find(found, &version.to_string(), &named.value, unasked, agent)
        .map_err(|error| here(error.failure()))
}

/// The charts in an archive, or below a folder.
fn found_at(path: &Path) -> Result<Vec<Found>, Failure> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return archived(path);
    }
    let mut found = Vec::new();
    look_below(path, 0, &mut found)?;
    Ok(found)
}

fn archived(path: &Path) -> Result<Vec<Found>, Failure> {
    let bytes = read(path).map_err(|error| unreadable(path, &error))?;
    let files = files_of(&bytes).map_err(|reason| {
        Failure::new(&CHART_ARCHIVE, format!("{} cannot be unpacked", path.display())).with_fact(reason)
    })?;
    let inside = |(folder, files): Found| (format!("{}/{folder}", path.display()), files);
    Ok(charts_in(files).into_iter().map(inside).collect())
}

fn look_below(folder: &Path, depth: usize, found: &mut Vec<Found>) -> Result<(), Failure> {
    if folder.join("Chart.yaml").is_file() {
        let mut files = Files::new();
        gather(folder, "", &mut files)?;
        found.push((folder.display().to_string(), files));
        return Ok(());
    }
    for (name, path) in entries(folder)? {
        if path.is_dir() {
            if depth < DEPTH && !name.starts_with('.') {
                look_below(&path, depth + 1, found)?;
            }
        } else if name.ends_with(".tgz") {
            found.extend(archived(&path)?);
        }
    }
    Ok(())
}

/// Reads the files of a chart. A link could lead out of it, and what a template reads into a manifest.
fn gather(folder: &Path, prefix: &str, files: &mut Files) -> Result<(), Failure> {
    for (name, path) in entries(folder)? {
        let metadata = fs::symlink_metadata(&path).map_err(|error| unreadable(&path, &error))?;
        let refused = |reason: &str| {
            Failure::new(&CHART_ARCHIVE, format!("{} cannot be part of a chart", path.display()))
                .with_fact(reason)
        };
        if metadata.is_dir() {
            gather(&path, &format!("{prefix}{name}/"), files)?;
        } else if metadata.is_symlink() {
            return Err(refused("it is a link"));
        } else if files.len() == MOST_FILES {
            return Err(refused(&format!("the chart has more than {MOST_FILES} files")));
        } else {
            let content = read(&path).map_err(|error| unreadable(&path, &error))?;
            files.insert(format!("{prefix}{name}"), content);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    files::unreadable(&path.display().to_string(), &error.to_string())
}

/// What is in a folder, by name; names that are no UTF-8 are errors.
fn entries(folder: &Path) -> Result<Vec<(String, std::path::PathBuf)>, Failure> {
    let failed = |error: io::Error| unreadable(folder, &error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().into_string().map_err(|name| {
            failed(io::Error::new(io::ErrorKind::InvalidData, format!("{} is not UTF-8", name.display())))
        })?;
        entries.push((name, entry.path()));
    }
    entries.sort();
    Ok(entries)
}

//! A path to a validated topology: what every verb that takes one begins with.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Stop, Terminal};
use crate::diagnostic::{Diagnostic, Failure, Severity};
use crate::document::{Source, Sources};
use crate::plan::saved;
use crate::topology::{self, Parsed, Topology, files};
use crate::validate::{self, Use};
use crate::view;

/// How much of one file is read at all; what may be in a topology is `document`'s to say.
const READ_AT_MOST: u64 = 64 << 20;

/// The topology that a verb is about.
#[derive(Debug, clap::Args)]
pub(super) struct TopologyPath {
    /// The topology: a file, or a folder of files
    // Several are taken from the command line, so that refusing them can say what to do instead.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

impl TopologyPath {
    /// The one path, or what is wrong with several.
    pub(super) fn one(&self) -> Result<&Path, Failure> {
        match self.paths.as_slice() {
            [path] => Ok(path),
            paths => {
                let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                Err(files::several_paths(&names.iter().map(String::as_str).collect::<Vec<_>>()))
            }
        }
    }
}

/// A topology that may be used, and the texts that it came from.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The texts, for findings of later stages.
    pub(super) sources: Sources,
    /// The topology; no finding about it is an error.
    pub(super) topology: Topology,
    /// What is doubtful about it: for the verb to show.
    pub(super) warnings: Vec<Diagnostic>,
    /// What the user calls it: the path as it was given.
    pub(super) about: String,
}

impl Loaded {
    /// Says what is doubtful about the topology.
    pub(super) fn warn(&self, terminal: &mut Terminal) {
        if !self.warnings.is_empty() {
            let look = terminal.talk_look();
            terminal.talk(&view::diagnostics::findings(&self.sources, &self.warnings, &self.about, look));
        }
    }
}

/// What is known of the files at a path, right or wrong.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) sources: Sources,
    pub(super) topology: Option<Topology>,
    pub(super) found: Vec<Diagnostic>,
    pub(super) about: String,
}

/// Reads, decodes and validates the topology at `path`, or stops with all that is wrong with it.
pub(super) fn load(path: &Path, for_use: Use) -> Result<Loaded, Stop> {
    accepted(examine(path, for_use)?)
}

/// The same for texts that were read before.
pub(super) fn load_texts(about: &str, texts: Vec<Source>, for_use: Use) -> Result<Loaded, Stop> {
    accepted(examine_texts(about, texts, for_use))
}

fn accepted(examined: Examined) -> Result<Loaded, Stop> {
    let Examined { sources, topology, found, about } = examined;
    match topology {
        Some(topology) if found.iter().all(|finding| finding.severity == Severity::Warning) => {
            Ok(Loaded { sources, topology, warnings: found, about })
        }
        Some(_) | None => Err(Stop::Findings { sources, found, about }),
    }
}

/// The same, without a verdict: stops only where a file cannot be read.
pub(super) fn examine(path: &Path, for_use: Use) -> Result<Examined, Stop> {
    Ok(examine_texts(&path.display().to_string(), texts_at(path)?, for_use))
}

fn examine_texts(about: &str, texts: Vec<Source>, for_use: Use) -> Examined {
    let mut sources = Sources::default();
    let ids: Vec<_> = texts.into_iter().map(|Source { name, text }| sources.add(name, text)).collect();
    let Parsed { topology, diagnostics: mut found } = topology::parse(&sources, &ids);
    if let Some(topology) = &topology {
        found.extend(validate::validate(topology, for_use));
        found.sort_by_key(|finding| (finding.primary.span, finding.severity));
    }
    Examined { sources, topology, found, about: about.to_owned() }
}

/// The texts of the topology at `path`.
pub(super) fn texts_at(path: &Path) -> Result<Vec<Source>, Failure> {
    let mut texts = Vec::new();
    for file in files_at(path)? {
        let name = file.display().to_string();
        let bytes = read(&file).map_err(|error| unreadable(&file, &error))?;
        if let Some(refusal) = saved::refusal_as_topology(&name, &bytes) {
            return Err(refusal);
        }
        let text = files::text(&name, bytes)?;
        texts.push(Source { name, text });
    }
    Ok(texts)
}

/// The file itself, or the topology files of a folder by name.
fn files_at(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let entry = entry.map_err(|error| unreadable(path, &error))?;
        let file = entry.path();
        if entry.file_name().to_str().is_some_and(files::belongs) && !file.is_dir() {
            found.push(file);
        }
    }
    found.sort();
    if found.is_empty() { Err(files::empty_folder(&path.display().to_string())) } else { Ok(found) }
}

/// Reads a file, up to a bound, and never waits for one that nobody writes.
pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    if waits(file)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a named pipe, not a file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(READ_AT_MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether reading would wait until somebody writes: a named pipe. What a shell hands over under /dev has a writer.
#[cfg(unix)]
fn waits(file: &Path) -> io::Result<bool> {
    use std::os::unix::fs::FileTypeExt;
    Ok(fs::metadata(file)?.file_type().is_fifo() && !file.starts_with("/dev") && !file.starts_with("/proc"))
}

#[cfg(not(unix))]
fn waits(_: &Path) -> io::Result<bool> {
    Ok(false)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display().to_string();
    match error.kind() {
        io::ErrorKind::NotFound => files::not_found(&path),
        _ => files::unreadable(&path, &error.to_string()),
    }
}

//! `stolos vendor`: the charts of a topology, beside it and pinned.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::charts::cache;
use super::charts::pinned::{self, Archive};
use super::load::{Loaded, TopologyPath, load};
use super::whole::{self, Readers};
use super::{Exit, Stop, Terminal, codes};
use crate::chart::lock::{ArchiveDigest, Pin, Pinned};
use crate::diagnostic::{Failure, duration};
use crate::topology::{ChartSource, Charts};
use crate::validate::Use;
use crate::view::vendor::{Vendored, vendored};

/// Load the charts of a topology down, and pin them
///
/// Takes Istio's charts from the repository or the registry that istio.charts names, writes them to a folder
/// beside the topology, and their digests to stolos.lock. Commit both: other commands then need no network,
/// and render nothing but these bytes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    topology: TopologyPath,
    /// The folder to write the archives to [default: charts, beside the topology]
    #[arg(short, long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Write stolos.lock alone: whoever needs the archives loads them down
    #[arg(long, conflicts_with = "dir")]
    lock_only: bool,
    /// How long loading down may take: 90s, 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    timeout: Duration,
}

/// Where archives go.
enum Place {
    /// Nowhere.
    Lock,
    /// To this folder.
    Folder(PathBuf),
}

pub(super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Stop> {
    let loaded = load(args.topology.one()?, Use::Offline)?;
    loaded.warn(terminal);
    let source = source_of(&loaded)?;
    super::on_runtime(vendor(args, &loaded, source, terminal))
}

/// The source of a topology's charts.
fn source_of(loaded: &Loaded) -> Result<&ChartSource, Failure> {
    let from = match loaded.topology.istio.charts.as_ref().map(|charts| &charts.value) {
        Some(Charts::Source(source)) => return Ok(source),
        Some(Charts::Path(path)) => format!("from {}", path.value),
        Some(Charts::Embedded) | None => "from the binary".to_owned(),
        Some(Charts::External) => "from whoever installs them".to_owned(),
    };
    let message = format!("there is nothing to load down: {} takes its charts {from}", loaded.about);
    Err(Failure::new(&codes::NOTHING_TO_VENDOR, message)
        .with_help("name where they are published: `istio: { charts: { repo: URL } }` or `{ oci: URL }`"))
}

async fn vendor(
    args: &Args,
    loaded: &Loaded,
    source: &ChartSource,
    terminal: &mut Terminal,
) -> Result<Exit, Stop> {
    let file = pinned::lock_file(loaded, source);
    let before = pinned::read_lock(&file)?.unwrap_or_default();
    let place = match (&args.dir, args.lock_only) {
        (_, true) => Place::Lock,
        (Some(folder), false) => Place::Folder(folder.clone()),
        (None, false) => Place::Folder(file.with_file_name("charts")),
    };
    let archives = pinned::archives(loaded, source, &before, args.timeout, terminal).await?;
    // What cannot be rendered is not pinned.
    pinned::set_of(&loaded.topology, source, &archives)?;
    let mut lock = before.clone();
    let mut lines = Vec::new();
    for archive in &archives {
        let Archive { pinned, bytes, called: _ } = archive;
        let sha256 = ArchiveDigest::of(bytes);
        if before.pin(pinned).is_none() {
            cache::put(&sha256, bytes);
        }
        let written = match &place {
            Place::Lock => None,
            Place::Folder(folder) => Some(written(folder, archive)?),
        };
        let named = written.as_ref().map(|path| relative(path, &file)).transpose();
        let pin = Pin { sha256: sha256.clone(), file: named.map_err(|error| unwritable(&file, &error))? };
        lines.push(Vendored {
            chart: pinned.chart,
            version: pinned.version.clone(),
            sha256,
            path: written,
            is_new: before.pin(pinned) != Some(&pin),
        });
        lock.insert(pinned.clone(), pin);
    }
    // Last: until then whoever reads the lock finds what it pinned before.
    if lock != before || !file.exists() {
        whole::write(&file, lock.to_text().as_bytes(), Readers::Everybody)
            .map_err(|error| unwritable(&file, &error))?;
    }
    terminal.talk(&vendored(&lines, &file));
    Ok(Exit::Done)
}

/// Writes an archive, unless it is there.
fn written(folder: &Path, archive: &Archive) -> Result<PathBuf, Failure> {
    let Pinned { source: _, version, chart } = &archive.pinned;
    let path = folder.join(format!("{}-{version}.tgz", chart.as_str()));
    if fs::read(&path).is_ok_and(|there| there == archive.bytes) {
        return Ok(path);
    }
    fs::create_dir_all(folder)
        .and_then(|()| whole::write(&path, &archive.bytes, Readers::Everybody))
        .map_err(|error| unwritable(&path, &error))?;
    Ok(path)
}

/// The path of a file as seen from the folder of the lock, with `/` between its parts.
fn relative(path: &Path, lock: &Path) -> io::Result<String> {
    let folder = match lock.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let (path, folder) = (fs::canonicalize(path)?, fs::canonicalize(folder)?);
    let shared = path.components().zip(folder.components()).take_while(|(one, other)| one == other).count();
    let up = folder.components().skip(shared).map(|_| "..".to_owned());
    let down = path.components().skip(shared).map(|part| part.as_os_str().to_string_lossy().into_owned());
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(&codes::OUTPUT_UNWRITABLE, format!("{} cannot be written: {error}", path.display()))
}

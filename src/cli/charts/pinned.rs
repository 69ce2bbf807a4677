//! Charts of a repository or a registry, as `stolos.lock` pins them.
//!
//! Nothing is rendered from bytes that are not pinned. They are taken from where they were vendored, else from
//! the cache, else from their source, and compared with their digest wherever they come from.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Found, cache, local, set, wanted};
use crate::chart::ChartSet;
use crate::chart::lock::{ArchiveDigest, Lock, Pin, Pinned};
use crate::cli::codes::{CHART_DIGEST_MISMATCH, CHART_LOCK_MALFORMED, CHARTS_NOT_PINNED};
use crate::cli::desired::{named_at, path_of_named, read_named};
use crate::cli::load::{self, Loaded};
use crate::cli::{Stop, Terminal};
use crate::diagnostic::{Failure, listed};
use crate::document::Spanned;
use crate::fetch::{ConfigFiles, Terms, fetch};
use crate::topology::{ChartName, ChartSource, Topology};

/// How long loading down may take where nobody says otherwise.
const LIMIT: Duration = Duration::from_secs(300);

/// An archive, and where it was found.
#[derive(Debug)]
pub(in crate::cli) struct Archive {
    pub(in crate::cli) pinned: Pinned,
    pub(in crate::cli) bytes: Vec<u8>,
    /// What it is called in messages: its path, or what it is of which source.
    pub(in crate::cli) called: String,
}

/// The pinned charts of a source.
pub(super) async fn charts(
    loaded: &Loaded,
    source: &ChartSource,
    terminal: &mut Terminal,
) -> Result<ChartSet, Stop> {
    let file = lock_file(loaded, source);
    let lock = read_lock(&file)?.unwrap_or_default();
    let is_missing = |pinned: &Pinned| lock.pin(pinned).is_none();
    if let Some(missing) = pinned(&loaded.topology, source).into_iter().find(is_missing) {
        return Err(not_pinned(loaded, &lock, &file, &missing).into());
    }
    let archives = archives(loaded, source, &lock, LIMIT, terminal).await?;
    Ok(set_of(&loaded.topology, source, &archives)?)
}

/// The archives of a topology in the order of their charts, from where they are at hand or from the source. Those that
/// are pinned are what the lock says.
pub(in crate::cli) async fn archives(
    loaded: &Loaded,
    source: &ChartSource,
    lock: &Lock,
    limit: Duration,
    terminal: &mut Terminal,
) -> Result<Vec<Archive>, Failure> {
    let file = lock_file(loaded, source);
    let mut archives = Vec::new();
    let mut missing = Vec::new();
    for pinned in pinned(&loaded.topology, source) {
        let at_hand = match lock.pin(&pinned) {
            Some(pin) => at_hand(&file, &pinned, pin)?,
            None => None,
        };
        match at_hand {
            Some(archive) => archives.push(archive),
            None => missing.push(pinned.chart),
        }
    }
    for archive in fetched(loaded, source, &missing, limit, terminal).await? {
        if let Some(pin) = lock.pin(&archive.pinned) {
            check(&archive, &pin.sha256, &file)?;
            cache::put(&pin.sha256, &archive.bytes);
        }
        archives.push(archive);
    }
    archives.sort_by(|one, other| one.pinned.cmp(&other.pinned));
    Ok(archives)
}

/// What a topology takes of a source.
fn pinned(topology: &Topology, source: &ChartSource) -> Vec<Pinned> {
    let of_chart = |chart: ChartName| Pinned {
        source: source.origin.value.to_string(),
        version: topology.version().to_string(),
        chart,
    };
    wanted(topology).into_iter().map(of_chart).collect()
}

/// The lock of a topology: in the folder of the file that names the source.
pub(in crate::cli) fn lock_file(loaded: &Loaded, source: &ChartSource) -> PathBuf {
    path_of_named(&loaded.sources, &Spanned::new("stolos.lock".to_owned(), source.origin.span))
}

/// Reads a lock; none where there is no file.
pub(in crate::cli) fn read_lock(file: &Path) -> Result<Option<Lock>, Failure> {
    let malformed = |reason: String| {
        Failure::new(&CHART_LOCK_MALFORMED, format!("{} cannot be read as a lock", file.display()))
            .with_fact(reason)
    };
    let bytes = match load::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(load::unreadable(file, &error)),
    };
    let text = String::from_utf8(bytes).map_err(|_| malformed("it is no UTF-8 text".to_owned()))?;
    Lock::parse(&text).map(Some).map_err(|error| malformed(error.to_string()))
}

/// The archive as it was vendored, or as it is in the cache.
fn at_hand(file: &Path, pinned: &Pinned, pin: &Pin) -> Result<Option<Archive>, Failure> {
    if let Some(vendored) = &pin.file {
        let path = file.with_file_name("").join(vendored);
        match load::read(&path) {
            Ok(bytes) => {
                let called = path.display().to_string();
                let archive = Archive { pinned: pinned.clone(), bytes, called };
                check(&archive, &pin.sha256, file)?;
                return Ok(Some(archive));
            }
            // Whoever does not commit archives still has their digests.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(load::unreadable(&path, &error)),
        }
    }
    let cached = cache::get(&pin.sha256);
    Ok(cached.map(|bytes| Archive { pinned: pinned.clone(), bytes, called: pinned.to_string() }))
}

/// Refuses an archive that is not the pinned one.
fn check(archive: &Archive, sha256: &ArchiveDigest, file: &Path) -> Result<(), Failure> {
    let found = ArchiveDigest::of(&archive.bytes);
    if found == *sha256 {
        return Ok(());
    }
    let message = format!("{} is not what {} pins", archive.called, file.display());
    Err(Failure::new(&CHART_DIGEST_MISMATCH, message)
        .with_fact(format!("pinned  sha256:{sha256}"))
        .with_fact(format!("found   sha256:{found}"))
        .with_help(
            "find out who changed it; if that was meant, remove its entry from the lock and run stolos vendor",
        ))
}

/// Loads charts down; says so, since it may take a while.
async fn fetched(
    loaded: &Loaded,
    source: &ChartSource,
    charts: &[ChartName],
    limit: Duration,
    terminal: &mut Terminal,
) -> Result<Vec<Archive>, Failure> {
    if charts.is_empty() {
        return Ok(Vec::new());
    }
    let ca = source.ca.as_ref().map(|ca| read_named(&loaded.sources, ca).map(String::into_bytes));
    let terms = Terms { ca: ca.transpose()?, limit, config: ConfigFiles::of_environment() };
    let origin = &source.origin;
    let version = loaded.topology.version().to_string();
    let names = listed(charts.iter().map(|chart| chart.as_str()));
    terminal.talk(&format!("Loading {names} {version} down from {}\n", origin.value));
    let fetched = fetch(&origin.value, &version, charts, &terms).await.map_err(|error| {
        let named = Spanned::new(String::new(), origin.span);
        error.failure().with_fact(named_at(&loaded.sources, &named))
    })?;
    let archive = |fetched: crate::fetch::Fetched| {
        let pinned =
            Pinned { source: origin.value.to_string(), version: version.clone(), chart: fetched.chart };
        Archive { called: pinned.to_string(), pinned, bytes: fetched.archive }
    };
    Ok(fetched.into_iter().map(archive).collect())
}

/// The set of charts that archives hold.
pub(in crate::cli) fn set_of(
    topology: &Topology,
    source: &ChartSource,
    archives: &[Archive],
) -> Result<ChartSet, Failure> {
    let mut found: Vec<Found> = Vec::new();
    for archive in archives {
        found.extend(local::unpacked(&archive.called, &archive.bytes)?);
    }
    set(topology, found, &source.origin.value.to_string()).map_err(|error| error.failure())
}

fn not_pinned(loaded: &Loaded, lock: &Lock, file: &Path, pinned: &Pinned) -> Failure {
    let message = format!("{} does not pin {pinned}", file.display());
    let failure = Failure::new(&CHARTS_NOT_PINNED, message);
    let versions: Vec<&str> = lock.versions(&pinned.source, pinned.chart).collect();
    let failure = match versions.as_slice() {
        [] => failure,
        versions => failure.with_fact(format!("it pins {}", listed(versions.iter().copied()))),
    };
    failure.with_help(format!("stolos vendor {}", loaded.about))
}

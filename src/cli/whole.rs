//! A file that is written whole or not at all: beside its place, and moved there.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Who may read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Its owner alone.
    Owner,
    /// Whoever the system lets.
    Everybody,
}

/// Writes a file. Whoever reads it meanwhile sees what was there before.
pub(super) fn write(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let beside = beside(path)?;
    let mut file = created(&beside, readers)?;
    let moved = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    if moved.is_err() {
        let _ = fs::remove_file(&beside);
    }
    moved
}

/// Sixteen bytes that nobody has seen before, in hexadecimal digits. They are no key: a salt and an ID.
pub(super) fn fresh() -> String {
    // Each is seeded by the system's own randomness.
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

/// A name in the same folder, so that a rename stays on one file system.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name =
        path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", fresh()));
    Ok(path.with_file_name(beside))
}

#[cfg(unix)]
fn created(path: &Path, readers: Readers) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn created(path: &Path, _: Readers) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

//! Archives that were loaded down before, by their digest.
//!
//! A cache is nobody's memory: what is missing or damaged in it is loaded down again, and one that cannot be
//! written is done without.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use crate::chart::lock::ArchiveDigest;
use crate::cli::whole::{self, Readers};

/// The bytes of this digest, if they are there.
pub(in crate::cli) fn get(digest: &ArchiveDigest) -> Option<Vec<u8>> {
    let bytes = fs::read(path(digest)?).ok()?;
    (ArchiveDigest::of(&bytes) == *digest).then_some(bytes)
}

/// Keeps bytes for the next time, where that can be.
pub(in crate::cli) fn put(digest: &ArchiveDigest, bytes: &[u8]) {
    let Some(path) = path(digest) else { return };
    let folder = path.parent().map(fs::create_dir_all);
    if matches!(folder, Some(Ok(()))) {
        let _ = whole::write(&path, bytes, Readers::Everybody);
    }
}

/// `STOLOS_CACHE_DIR`, else where the system wants caches to be.
fn path(digest: &ArchiveDigest) -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    let default = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let caches = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(default)));
    let folder = set("STOLOS_CACHE_DIR").or_else(|| Some(caches()?.join("stolos")))?;
    Some(folder.join("charts").join(format!("{digest}.tgz")))
}

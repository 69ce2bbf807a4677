//! Istio's own charts, where `STOLOS_ISTIO_CHARTS` names a folder of them.

use std::path::PathBuf;
use std::time::Duration;

use crate::table::{Against, Row};

/// The folder, absolute.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("STOLOS_ISTIO_CHARTS")?);
    Some(std::fs::canonicalize(folder).expect("STOLOS_ISTIO_CHARTS names a folder"))
}

/// The newest release in it, and its folder.
pub(crate) fn newest() -> Option<(String, PathBuf)> {
    let number = |part: &str| part.parse::<u32>().ok();
    let entries = std::fs::read_dir(folder()?).expect("a readable folder");
    let releases = entries.filter_map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name()?.to_str()?.to_owned();
        let numbers: Vec<u32> = name.split('.').map(number).collect::<Option<_>>()?;
        Some((numbers, name, path))
    });
    releases.max().map(|(_, name, path)| (name, path))
}

/// A row that says that there is no figure, and why.
pub(crate) fn left_out(name: &str) -> Row {
    let why = Against::Nothing("left out: STOLOS_ISTIO_CHARTS names no folder of Istio's charts");
    Row { name: name.to_owned(), ours: Duration::ZERO, against: why }
}

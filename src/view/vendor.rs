//! What `vendor` says.

use std::path::{Path, PathBuf};

use crate::chart::lock::ArchiveDigest;
use crate::topology::ChartName;

/// A chart that is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendored {
    /// Which.
    pub chart: ChartName,
    /// Its version.
    pub version: String,
    /// The digest of its archive.
    pub sha256: ArchiveDigest,
    /// Where the archive lies; none where only the lock was asked for.
    pub path: Option<PathBuf>,
    /// Whether the lock said otherwise, or nothing, before.
    pub is_new: bool,
}

/// A line for each chart, and what to do with it all.
pub fn vendored(charts: &[Vendored], lock: &Path) -> String {
    let widest = charts.iter().map(|chart| chart.chart.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for Vendored { chart, version, sha256, path, is_new } in charts {
        let sign = if *is_new { '+' } else { ' ' };
        let path = path.as_ref().map(|path| format!("  {}", path.display())).unwrap_or_default();
        text.push_str(&format!("{sign} {:widest$}  {version}  sha256:{sha256:.12}{path}\n", chart.as_str()));
    }
    let lock = lock.display();
    let are = match charts.iter().any(|chart| chart.path.is_some()) {
        true => "Commit it and the archives: other commands then need no network.",
        false => "Commit it: other commands load these archives down, and no others.",
    };
    match charts.iter().filter(|chart| chart.is_new).count() {
        0 => text.push_str(&format!("{lock} pinned them already, and nothing has changed.\n")),
        _ => text.push_str(&format!("{lock} pins them. {are}\n")),
    }
    text
}

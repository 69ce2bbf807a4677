//! The folder of compiled manifests on disk: written, or compared with what it should hold.
//!
//! A file that is replaced is written beside its place and moved there, so that a reader never sees half of it.
//! Nothing is deleted but files that an earlier list of the same kind recorded in the same folder: `order.txt` those of
//! manifests, `values.txt` those of values.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::compile::CompiledFile;
use crate::cores::on_all_cores;
use crate::topology::ChartName;
use crate::view::compile::{Difference, Written};

/// An error of the file system, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}", .path.display())]
pub(super) struct FolderError {
    /// The path that was read or written.
    pub(super) path: PathBuf,
    /// What the system said.
    #[source]
    pub(super) source: io::Error,
}

/// Makes the folder hold exactly these files, beside files that are not ours.
pub(super) fn write(folder: &Path, files: &[CompiledFile]) -> Result<Written, FolderError> {
    let stale = stale(folder, files)?;
    // The list goes last: until then an interrupted run is seen as the earlier compilation, to be written again.
    let (order, manifests): (Vec<_>, Vec<_>) = files.iter().partition(|file| is_list(&file.path));
    let parents: BTreeSet<_> =
        files.iter().filter_map(|file| Some(folder.join(&file.path).parent()?.to_owned())).collect();
    for parent in &parents {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    let mut report = Written::default();
    let changes: Vec<FileChange> =
        on_all_cores(&manifests, |file| write_file(folder, file)).into_iter().collect::<Result<_, _>>()?;
    for path in &stale {
        let path = folder.join(path);
        fs::remove_file(&path).map_err(at(&path))?;
        // A cluster that is gone leaves its folder; one with files of others stays.
        if let Some(parent) = path.parent() {
            let _ = fs::remove_dir(parent);
        }
        report.removed += 1;
    }
    let last = order.into_iter().map(|file| write_file(folder, file)).collect::<Result<Vec<_>, _>>()?;
    for change in changes.into_iter().chain(last) {
        match change {
            FileChange::Written => report.written += 1,
            FileChange::Unchanged => report.unchanged += 1,
        }
    }
    Ok(report)
}

/// Whether a file had to be written.
#[derive(Debug, Clone, Copy)]
enum FileChange {
    Written,
    Unchanged,
}

fn write_file(folder: &Path, file: &CompiledFile) -> Result<FileChange, FolderError> {
    let path = folder.join(&file.path);
    match fs::read(&path) {
        Ok(found) if found == file.text.as_bytes() => return Ok(FileChange::Unchanged),
        // Nobody has read it yet; cut off in the middle, it differs from what the next run writes.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::write(&path, file.text.as_bytes()).map_err(at(&path))?;
        }
        Ok(_) | Err(_) => {
            let beside = path.with_extension("stolos-new");
            fs::write(&beside, file.text.as_bytes()).map_err(at(&beside))?;
            fs::rename(&beside, &path).map_err(at(&path))?;
        }
    }
    Ok(FileChange::Written)
}

/// Compares the folder with these files.
pub(super) fn differences(folder: &Path, files: &[CompiledFile]) -> Result<Vec<Difference>, FolderError> {
    let mut differences = Vec::new();
    for file in files {
        let path = folder.join(&file.path);
        match fs::read(&path) {
            Ok(found) if found == file.text.as_bytes() => {}
            Ok(found) => differences.push(Difference::Differs {
                path: file.path.clone(),
                found: String::from_utf8_lossy(&found).into_owned(),
                expected: file.text.to_string(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                differences.push(Difference::Missing(file.path.clone()));
            }
            Err(error) => return Err(at(&path)(error)),
        }
    }
    differences.extend(stale(folder, files)?.into_iter().map(Difference::Stale));
    Ok(differences)
}

/// Whether a file says which others there are.
fn is_list(path: &str) -> bool {
    ["order.txt", "values.txt"].contains(&path)
}

/// Files that the folder's list of their kind records, that exist, and that are no longer asked for.
fn stale(folder: &Path, files: &[CompiledFile]) -> Result<Vec<String>, FolderError> {
    let Some(list) = files.iter().find(|file| is_list(&file.path)) else { return Ok(Vec::new()) };
    let order = folder.join(&list.path);
    let recorded = match fs::read_to_string(&order) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(&order)(error)),
    };
    let wanted: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let paths = recorded.lines().filter_map(|line| line.split_whitespace().nth(2));
    Ok(paths
        .filter(|path| !wanted.contains(path) && is_ours(path) && folder.join(path).is_file())
        .map(str::to_owned)
        .collect())
}

/// Whether a recorded path is one that Stolos writes: `CLUSTER/NN-UNIT.yaml` or `CLUSTER/CHART.yaml`, and nothing
/// that leads elsewhere.
fn is_ours(path: &str) -> bool {
    let Some((cluster, file)) = path.split_once('/') else { return false };
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let Some(stem) = file.strip_suffix(".yaml") else { return false };
    let numbered =
        stem.len() > 3 && stem.as_bytes()[..2].iter().all(u8::is_ascii_digit) && stem.as_bytes()[2] == b'-';
    let is_chart = ChartName::ALL.iter().any(|chart| chart.as_str() == stem);
    !cluster.is_empty() && plain(cluster) && plain(stem) && (numbered || is_chart)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_manifests_and_values_are_ever_removed() {
        assert!(is_ours("cluster1/75-remote-secret-west.yaml") && is_ours("cluster1/istiod.yaml"));
        for path in [
            "../x/10-namespace.yaml",
            "/etc/10-passwd.yaml",
            "a/b/10-c.yaml",
            "a/notes.yaml",
            "order.txt",
            "a/10-.yaml",
        ] {
            assert!(!is_ours(path), "{path}");
        }
    }
}

//! Compiled manifests as the files that `stolos compile` writes.

use std::sync::Arc;

use super::{CompileError, Desired, DesiredUnit};
use crate::cores::on_all_cores;

/// One file of the output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledFile {
    /// Its path in the folder: `cluster1/40-control-plane.yaml`.
    pub path: String,
    /// What it holds. Clusters alike share one: those of a base have a million bytes.
    pub text: Arc<str>,
}

/// Every file of the folder, sorted by path: the order, and a file for each unit of which there is something
/// to write.
///
/// Units are independent of one another, so they are rendered on all cores.
pub fn files(desired: &Desired) -> Result<Vec<CompiledFile>, CompileError> {
    let mut files = vec![CompiledFile { path: "order.txt".to_owned(), text: order_text(desired).into() }];
    let written: Vec<&DesiredUnit> =
        desired.units.iter().filter(|unit| !unit.is_theirs(&desired.mesh)).collect();
    for file in on_all_cores(&written, |unit| file(desired, unit)) {
        files.push(file?);
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// `order.txt`: `<stage> <cluster>/<unit> <file>` a line, in apply order. A unit that others install has no
/// file, and `-` in its place: what comes after it waits for them.
pub fn order_text(desired: &Desired) -> String {
    let width = desired.units.iter().map(|unit| unit.stage).max().unwrap_or(1).to_string().len();
    let file = |unit: &DesiredUnit| match unit.is_theirs(&desired.mesh) {
        true => "-".to_owned(),
        false => path(unit),
    };
    desired.units.iter().map(|unit| format!("{:width$} {} {}\n", unit.stage, unit.unit, file(unit))).collect()
}

fn file(desired: &Desired, unit: &DesiredUnit) -> Result<CompiledFile, CompileError> {
    Ok(CompiledFile { path: path(unit), text: unit.text(&desired.mesh)? })
}

fn path(unit: &DesiredUnit) -> String {
    format!("{}/{}", unit.unit.cluster, unit.unit.file_name())
}

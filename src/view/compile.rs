//! What `compile` says of a folder.

use std::path::Path;

use similar::TextDiff;

/// What became of a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files that were made or changed.
    pub written: usize,
    /// Files that held what they should.
    pub unchanged: usize,
    /// Files of an earlier compilation that are no longer asked for.
    pub removed: usize,
}

/// How a folder differs from what it should hold.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    /// A file is not there.
    Missing(String),
    /// A file holds something else.
    Differs {
        /// Its path in the folder.
        path: String,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// A file of an earlier compilation is still there.
    Stale(String),
}

/// One line: what was written.
pub fn written(folder: &Path, written: &Written) -> String {
    let Written { written, unchanged, removed } = written;
    let mut line = format!("{}: {} written", folder.display(), files(*written));
    if *unchanged > 0 {
        line.push_str(&format!(", {unchanged} unchanged"));
    }
    if *removed > 0 {
        line.push_str(&format!(", {removed} no longer asked for and removed"));
    }
    line.push('\n');
    line
}

/// One line: nothing to do.
pub fn agrees(folder: &Path, count: usize) -> String {
    format!("{}: {} as the topology compiles to\n", folder.display(), files(count))
}

/// Each difference, as a unified diff where both sides exist.
pub fn differences(differences: &[Difference]) -> String {
    let mut text = String::new();
    for difference in differences {
        match difference {
            Difference::Missing(path) => text.push_str(&format!("+ {path}: missing\n")),
            Difference::Stale(path) => text.push_str(&format!("- {path}: no longer asked for\n")),
            Difference::Differs { path, found, expected } => {
                let diff = TextDiff::from_lines(found.as_str(), expected.as_str());
                text.push_str(&format!("~ {path}\n{}", diff.unified_diff()));
            }
        }
    }
    text
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

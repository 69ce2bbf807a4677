//! Runs the built binary, as a person would, and shows all that came of it as one text.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a command printed and how it ended: compare it with a text, whole.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.stdout)?;
        if !self.stderr.is_empty() {
            write!(f, "------- stderr -------\n{}", self.stderr)?;
        }
        match self.code {
            Some(code) => writeln!(f, "[exit {code}]"),
            None => writeln!(f, "[killed]"),
        }
    }
}

/// Runs `stolos` in a folder, in an environment that holds nothing of this machine's.
pub(crate) fn stolos(folder: &Path, arguments: &[&str]) -> Ran {
    stolos_with(folder, arguments, &[])
}

/// The same with some of an environment.
pub(crate) fn stolos_with(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output = command(folder, arguments)
        .envs(environment.iter().copied())
        .output()
        .expect("the binary that this suite was built with");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("stolos prints UTF-8");
    Ran { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

/// The command, for a test that has to do with the process itself.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stolos"));
    command.args(arguments).current_dir(folder).env_clear().env("COLUMNS", "100").env("HOME", folder);
    command
}

/// A folder of the repository.
pub(crate) fn repository(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

//! Which files make a topology, and what can be wrong with them as files.
//!
//! Reading is `cli`'s. Names, bytes and the system's words enter; texts or
//! failures leave, so that every command says the same.

use super::codes::{FILE_NOT_UTF8, FILE_UNREADABLE, FOLDER_EMPTY, PATH_NOT_FOUND, SEVERAL_PATHS};
use crate::diagnostic::Failure;

/// Most bytes of one file that are looked at: enough to say that it is too large.
pub const MOST_BYTES: u64 = crate::document::yaml::Limits::TOPOLOGY.bytes as u64 + 1;

/// Whether a file of a folder is one of its topology's: by its ending, and not hidden.
pub fn belongs(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    !name.starts_with('.') && ending.is_some_and(|ending| ["yaml", "yml", "toml"].contains(&ending.as_str()))
}

/// The text of a file.
pub fn text(path: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::new(&FILE_NOT_UTF8, format!("{path} is not UTF-8 text"))
            .with_fact(format!("line {line}, byte {} of the file", before.len() + 1))
            .with_help("save it as UTF-8.")
    })
}

/// A path that leads nowhere.
pub fn not_found(path: &str) -> Failure {
    Failure::new(&PATH_NOT_FOUND, format!("there is no {path}"))
        .with_help("name a topology file, or a folder of them; `stolos init` writes one to start from.")
}

/// A file that the system does not let us read; `reason` is the system's.
pub fn unreadable(path: &str, reason: &str) -> Failure {
    Failure::new(&FILE_UNREADABLE, format!("{path} cannot be read")).with_fact(reason)
}

/// A folder in which no file [`belongs`].
pub fn empty_folder(path: &str) -> Failure {
    Failure::new(&FOLDER_EMPTY, format!("{path} holds no *.yaml, *.yml or *.toml"))
        .with_help("folders inside of a folder are not looked into: name the one that holds the files.")
}

/// More than one path.
pub fn several_paths(paths: &[&str]) -> Failure {
    Failure::new(&SEVERAL_PATHS, format!("one topology at a time: {} paths are given", paths.len()))
        .with_help("put the files of one topology into a folder and name the folder.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_yaml_and_toml_files() {
        for name in ["a.yaml", "b.yml", "c.toml", "D.YAML"] {
            assert!(belongs(name), "{name}");
        }
        for name in [".hidden.yaml", "yaml", "a.yaml.bak", "README.md", ""] {
            assert!(!belongs(name), "{name}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_where_they_stand() {
        assert_eq!(text("a.yaml", "é".into()), Ok("é".to_owned()));
        let failure = text("a.yaml", b"a: 1\nb: \xff".to_vec()).expect_err("no UTF-8");
        assert_eq!(failure.code.name, "file-not-utf8");
        assert_eq!(failure.facts, ["line 2, byte 9 of the file"]);
    }
}

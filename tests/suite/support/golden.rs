//! Goldens: what the tool gave when somebody last read it, kept under `golden/`.
//!
//! `STOLOS_GOLDEN=write cargo test` writes them anew. A golden is a claim: read
//! it before it is committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use similar::TextDiff;

use super::command::repository;

/// Compares texts, by their paths under `golden/<folder>`, with the files there.
///
/// Every text that differs is shown as a diff; so is a file that no text is
/// for, and a text that has no file.
pub(crate) fn assert_folder(folder: &str, texts: &BTreeMap<String, String>) {
    let root = repository("golden").join(folder);
    let mut files = BTreeMap::new();
    read_folder(&root, &root, &mut files);
    if std::env::var_os("STOLOS_GOLDEN").is_some_and(|wish| wish == "write") {
        write_folder(&root, &files, texts);
        return;
    }
    let mut faults = String::new();
    for (path, text) in texts {
        match files.get(path) {
            Some(golden) if golden == text => {}
            Some(golden) => faults.push_str(&diff(&format!("golden/{folder}/{path}"), golden, text)),
            None => faults.push_str(&diff(&format!("golden/{folder}/{path} (missing)"), "", text)),
        }
    }
    for path in files.keys().filter(|path| !texts.contains_key(*path)) {
        faults.push_str(&format!("golden/{folder}/{path} is an orphan: nothing gives it\n"));
    }
    assert!(
        faults.is_empty(),
        "{faults}\nif this is what it should be: STOLOS_GOLDEN=write cargo test, and read what changed"
    );
}

/// Compares a text with the file at a path under `golden/`, which another test keeps.
pub(crate) fn assert_file(path: &str, text: &str) {
    let golden = fs::read_to_string(repository("golden").join(path)).expect("a golden");
    assert!(golden == text, "{}", diff(&format!("golden/{path}"), &golden, text));
}

fn diff(title: &str, golden: &str, text: &str) -> String {
    TextDiff::from_lines(golden, text).unified_diff().header(title, "what it gives now").to_string()
}

fn read_folder(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("an entry of a folder of this repository").path();
        if path.is_dir() {
            read_folder(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("it lies under it").to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(&path).expect("goldens are texts"));
        }
    }
}

fn write_folder(root: &Path, files: &BTreeMap<String, String>, texts: &BTreeMap<String, String>) {
    for path in files.keys().filter(|path| !texts.contains_key(*path)) {
        fs::remove_file(root.join(path)).expect("a file of this repository");
    }
    for (path, text) in texts.iter().filter(|(path, text)| files.get(*path) != Some(*text)) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().expect("it lies under golden/")).expect("this repository");
        fs::write(file, text).expect("this repository");
    }
}

//! Every mistake that a topology can hold: `topologies/invalid/<code>[-case].(yaml|toml)`.
//!
//! The file's name is its fault, and `golden/invalid` what is said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use stolos::{document, topology, validate};

use crate::support::command::{Ran, repository, stolos};
use crate::support::golden;

/// Codes that no file in the corpus can have, and the test that shows each instead.
const SHOWN_ELSEWHERE: &[(&str, &str)] = &[
    ("document-too-large", "validate::a_file_of_ten_megabytes_is_refused"),
    ("file-not-utf8", "validate::a_file_that_is_no_text_shows_where"),
    ("file-unreadable", "validate::a_file_that_cannot_be_read_says_why"),
    ("folder-empty", "validate::a_path_that_leads_nowhere_is_named"),
    ("path-not-found", "validate::a_path_that_leads_nowhere_is_named"),
    ("several-paths", "validate::several_topologies_are_refused"),
];

/// The corpus: file names by stem.
fn corpus() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(repository("topologies/invalid")).expect("the corpus") {
        let name = entry.expect("a file of the corpus").file_name().into_string().expect("a name in ASCII");
        let (stem, _) = name.rsplit_once('.').expect("a name with an ending");
        let twin = files.insert(stem.to_owned(), name.clone());
        assert_eq!(twin, None, "{name} is not the only one of its stem");
    }
    files
}

/// Every code that is told of with a place in the text.
fn codes_of_findings() -> BTreeSet<&'static str> {
    let rules = validate::RULES.iter().map(|rule| rule.code);
    let texts = document::CODES.iter().chain(topology::CODES).copied();
    rules.chain(texts).map(|code| code.name).collect()
}

/// The code that a file is about: the longest that its stem begins with.
fn code_of(stem: &str) -> &'static str {
    codes_of_findings()
        .into_iter()
        .filter(|code| stem == *code || stem.strip_prefix(code).is_some_and(|case| case.starts_with('-')))
        .max_by_key(|code| code.len())
        .unwrap_or_else(|| panic!("{stem} begins with no code"))
}

#[test]
fn every_code_has_a_file_and_every_file_a_code() {
    let mut without: BTreeSet<&str> = codes_of_findings();
    for (code, test) in SHOWN_ELSEWHERE {
        assert!(without.remove(code), "{code}, which {test} shows, is no code any more");
    }
    for stem in corpus().keys() {
        without.remove(code_of(stem));
    }
    assert_eq!(without, BTreeSet::new(), "these have no file in topologies/invalid");
}

#[test]
fn every_file_has_the_fault_that_it_is_called_after() {
    for (stem, file) in corpus() {
        let ran = stolos(&repository("topologies/invalid"), &["validate", "--format", "json", &file]);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{file}: {ran}"));
        let findings = report["findings"].as_array().expect("a list of findings");
        let codes: BTreeSet<&str> = findings.iter().filter_map(|finding| finding["code"].as_str()).collect();
        // One mistake, one finding: whatever follows from it is not told as well.
        assert_eq!(codes, BTreeSet::from([code_of(&stem)]), "{file}");
        let is_error = findings.iter().any(|finding| finding["severity"] == "error");
        assert_eq!(ran.code, Some(if is_error { 1 } else { 0 }), "{file}");
    }
}

#[test]
fn what_is_said_of_every_mistake_was_read_by_somebody() {
    let folder = repository("topologies/invalid");
    let mut texts = BTreeMap::new();
    for (stem, file) in corpus() {
        let ran: Ran = stolos(&folder, &["validate", &file]);
        assert_eq!(ran.stdout, "", "findings are talk");
        texts.insert(format!("{stem}.txt"), ran.to_string());
    }
    golden::assert_folder("invalid", &texts);
}

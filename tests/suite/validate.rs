//! `stolos validate`: files that are right, files that are wrong, and files that are none.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::command::{repository, stolos};
use crate::support::scratch::scratch;

const PROD: &str = "\
version: 1
mesh: { id: mesh1 }
istio: { version: 1.30.3, charts: embedded }
trust: { root: generate }
networks: { network1: {}, network2: {} }
clusters:
  cluster1: { network: network1, role: primary }
  cluster2: { network: network2, role: remote, primaries: [cluster1] }
";

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    fs::write(folder.join(name), text).expect("a scratch folder");
}

#[test]
fn a_topology_that_is_right_gets_one_calm_line() {
    let folder = scratch("validate-right");
    write(&folder, "prod.yaml", PROD);
    assert_eq!(
        stolos(&folder, &["validate", "prod.yaml"]).to_string(),
        "\
------- stderr -------
prod.yaml: 2 clusters, 2 networks, 1 primary, 1 remote; nothing wrong
[exit 0]
"
    );
}

#[test]
fn every_topology_of_this_repository_is_right() {
    let folder = repository("topologies");
    for entry in fs::read_dir(&folder).expect("the topologies") {
        let path = entry.expect("a file of this repository").path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII");
        let ran = stolos(&folder, &["validate", name]);
        assert!(ran.stderr.ends_with("; nothing wrong\n") && ran.stderr.lines().count() == 1, "{ran}");
        assert_eq!((ran.stdout.as_str(), ran.code), ("", Some(0)), "{name}");
    }
}

#[test]
fn all_findings_come_at_once_and_are_counted() {
    let folder = scratch("validate-all-at-once");
    let text = PROD
        .replace("trust: { root: generate }\n", "")
        .replace("network: network2", "network: netwrok2")
        .replace("[cluster1]", "[clutser1]");
    write(&folder, "prod.yaml", text);
    assert_eq!(
        stolos(&folder, &["validate", "prod.yaml"]).to_string(),
        "\
------- stderr -------
warning[trust-not-chosen]: the root of trust is not chosen
   ╭─[prod.yaml:2:13]
 1 │ version: 1
 2 │ mesh: { id: mesh1 }
   ·             ──┬──
   ·               ╰── this mesh gets a generated root in the sandbox, and none on real clusters
 3 │ istio: { version: 1.30.3, charts: embedded }
   ╰────
  help: add `trust: { root: generate }`, or `trust: { root: { certificate: ca/root.pem, key:
        ca/root.key } }`.
        stolos explain trust-not-chosen

error[network-unknown]: cluster names a network that is not declared
   ╭─[prod.yaml:7:24]
 6 │   cluster1: { network: network1, role: primary }
 7 │   cluster2: { network: netwrok2, role: remote, primaries: [clutser1] }
   ·                        ────┬───
   ·                            ╰── no network is called this
   ╰────
  help: did you mean `network2`? Declared: network1, network2.
        stolos explain network-unknown

error[primary-unknown]: remote names a primary that is not declared
   ╭─[prod.yaml:7:60]
 6 │   cluster1: { network: network1, role: primary }
 7 │   cluster2: { network: netwrok2, role: remote, primaries: [clutser1] }
   ·                                                            ────┬───
   ·                                                                ╰── no cluster is called this
   ╰────
  help: did you mean `cluster1`? Primaries: cluster1.
        stolos explain primary-unknown

2 errors, 1 warning in prod.yaml
[exit 1]
"
    );
}

#[test]
fn a_doubtful_topology_is_shown_and_let_pass() {
    let folder = scratch("validate-doubtful");
    write(&folder, "prod.yaml", PROD.replace("{ id: mesh1 }", "{ id: mesh1, dns: off }"));
    let ran = stolos(&folder, &["validate", "prod.yaml"]);
    assert!(ran.stderr.starts_with("warning[dns-capture-off]: "), "{ran}");
    assert!(ran.stderr.ends_with("\n1 warning in prod.yaml\n"), "{ran}");
    assert_eq!(ran.code, Some(0));
}

#[test]
fn the_files_of_a_folder_are_one_topology() {
    let folder = scratch("validate-folder");
    fs::create_dir_all(folder.join("mesh/old.yaml")).expect("a scratch folder");
    write(&folder, "mesh/mesh.yaml", &PROD[..PROD.find("  cluster2").expect("it is there")]);
    write(
        &folder,
        "mesh/west.toml",
        "version = 1\n[clusters.cluster2]\nnetwork = \"network2\"\nrole = \"remote\"\nprimaries = [\"cluster1\"]\n",
    );
    write(&folder, "mesh/.swp.yaml", ": not read");
    write(&folder, "mesh/notes.md", "not read either");
    assert_eq!(
        stolos(&folder, &["validate", "mesh"]).to_string(),
        "\
------- stderr -------
mesh: 2 clusters, 2 networks, 1 primary, 1 remote; nothing wrong
[exit 0]
"
    );
    write(
        &folder,
        "mesh/east.yaml",
        "version: 1\nclusters:\n  cluster3: { network: network3, role: primary, context: cluster2 }\nnetworks: { network3: {} }\n",
    );
    assert_eq!(
        stolos(&folder, &["validate", "mesh/"]).to_string(),
        "\
------- stderr -------
error[context-duplicate]: two clusters are reached through the same context
   ╭─[mesh/west.toml:2:11]
 1 │ version = 1
 2 │ [clusters.cluster2]
   ·           ────┬───
   ·               ╰── another cluster has this context already
 3 │ network = \"network2\"
   ╰────
   ╭─[mesh/east.yaml:3:58]
 2 │ clusters:
 3 │   cluster3: { network: network3, role: primary, context: cluster2 }
   ·                                                          ────┬───
   ·                                                              ╰── the first one
 4 │ networks: { network3: {} }
   ╰────
  help: give each cluster the `context` of its own; without one it is the cluster's name.
        stolos explain context-duplicate

1 error in mesh/
[exit 1]
"
    );
}

#[test]
fn a_machine_reads_findings_from_stdout() {
    let folder = scratch("validate-json");
    write(&folder, "prod.yaml", PROD.replace("network: network2", "network: netwrok2"));
    let ran = stolos(&folder, &["validate", "--format", "json", "prod.yaml"]);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(1)));
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let expected = serde_json::json!({
        "version": 1, "path": "prod.yaml", "errors": 1, "warnings": 0,
        "findings": [{
            "code": "network-unknown", "severity": "error",
            "summary": "cluster names a network that is not declared",
            "place": { "file": "prod.yaml", "line": 8, "column": 24, "endLine": 8, "endColumn": 32, "text": "no network is called this" },
            "related": [],
            "help": "did you mean `network2`? Declared: network1, network2.",
        }],
    });
    assert_eq!(report, expected);
}

#[test]
fn a_path_that_leads_nowhere_is_named() {
    let folder = scratch("validate-nowhere");
    assert_eq!(
        stolos(&folder, &["validate", "prod.yaml"]).to_string(),
        "\
------- stderr -------
error[path-not-found]: there is no prod.yaml
  help: name a topology file, or a folder of them; `stolos init` writes one to start from.
        stolos explain path-not-found
[exit 1]
"
    );
    assert_eq!(
        stolos(&folder, &["validate", "."]).to_string(),
        "\
------- stderr -------
error[folder-empty]: . holds no *.yaml, *.yml or *.toml
  help: folders inside of a folder are not looked into: name the one that holds the files.
        stolos explain folder-empty
[exit 1]
"
    );
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = scratch("validate-unreadable");
    write(&folder, "prod.yaml", PROD);
    assert_eq!(
        stolos(&folder, &["validate", "prod.yaml/mesh.yaml"]).to_string(),
        "\
------- stderr -------
error[file-unreadable]: prod.yaml/mesh.yaml cannot be read
  Not a directory (os error 20)
  help: stolos explain file-unreadable
[exit 1]
"
    );
}

#[test]
fn several_topologies_are_refused() {
    let folder = scratch("validate-several");
    assert_eq!(
        stolos(&folder, &["validate", "a.yaml", "b.yaml"]).to_string(),
        "\
------- stderr -------
error[several-paths]: one topology at a time: 2 paths are given
  help: put the files of one topology into a folder and name the folder.
        stolos explain several-paths
[exit 1]
"
    );
}

#[test]
fn a_file_that_is_no_text_shows_where() {
    let folder = scratch("validate-latin1");
    write(&folder, "prod.yaml", b"version: 1\nmesh: { id: z\xfcrich }\n");
    assert_eq!(
        stolos(&folder, &["validate", "prod.yaml"]).to_string(),
        "\
------- stderr -------
error[file-not-utf8]: prod.yaml is not UTF-8 text
  line 2, byte 25 of the file
  help: save it as UTF-8.
        stolos explain file-not-utf8
[exit 1]
"
    );
}

#[test]
fn a_file_of_ten_megabytes_is_refused() {
    let folder = scratch("validate-large");
    let line = format!("# {}\n", "x".repeat(97));
    write(&folder, "prod.yaml", format!("{PROD}{}", line.repeat(100_000)));
    let ran = stolos(&folder, &["validate", "prod.yaml"]);
    assert!(ran.stderr.starts_with("error[document-too-large]: "), "{ran}");
    assert_eq!(ran.code, Some(1));
}

#[test]
fn a_line_of_megabytes_is_shown_in_part() {
    let folder = scratch("validate-wide");
    let clusters: String =
        (0..20_000).map(|n| format!("c{n}: {{ network: nowhere, role: primary }}, ")).collect();
    write(
        &folder,
        "wide.yaml",
        format!("version: 1\nmesh: {{ id: m }}\nnetworks: {{}}\nclusters: {{ {clusters} }}\n"),
    );
    let ran = stolos(&folder, &["validate", "wide.yaml"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.lines().all(|line| line.chars().count() < 400), "a line is too wide");
    assert!(ran.stderr.contains("\nand 19952 more\n20000 errors, 2 warnings in wide.yaml\n"), "{ran}");
}

#[test]
fn escapes_in_a_topology_do_not_reach_the_terminal() {
    let folder = scratch("validate-escapes");
    write(&folder, "prod.yaml", PROD.replace("network: network2", "network: \"\\e[2J\\u202e\""));
    write(&folder, "prod.toml", "version = 1\n# \u{202e}\u{9b}\nmesh = 3\n");
    for file in ["prod.yaml", "prod.toml"] {
        let ran = stolos(&folder, &["validate", file]);
        let obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!ran.stderr.contains(obeyed), "{ran:?}");
        assert_eq!(ran.code, Some(1));
    }
}

#[test]
fn a_usage_that_is_wrong_is_an_error_like_any_other() {
    let folder = scratch("validate-usage");
    for arguments in [&["validate"][..], &["validat"], &["--frob"], &[]] {
        let ran = stolos(&folder, arguments);
        assert_eq!((ran.stdout.as_str(), ran.code), ("", Some(1)), "{arguments:?}");
        assert!(ran.stderr.contains("Usage: stolos"), "{ran}");
    }
    let ran = stolos(&folder, &["validate", "--help"]);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(0)));
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused_and_never_waited_for() {
    let folder = scratch("validate-pipe");
    fs::create_dir_all(folder.join("mesh")).expect("a scratch folder");
    let made = std::process::Command::new("mkfifo").arg(folder.join("mesh/prod.yaml")).status();
    assert!(made.expect("mkfifo").success());
    for path in ["mesh/prod.yaml", "mesh"] {
        let said = stolos(&folder, &["validate", path]).to_string();
        assert!(said.contains("error[file-unreadable]: mesh/prod.yaml cannot be read"), "{said}");
        assert!(said.contains("a named pipe, not a file"), "{said}");
        assert!(said.ends_with("[exit 1]\n"), "{said}");
    }
}

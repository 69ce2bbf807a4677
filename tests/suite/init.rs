//! `stolos init` and `stolos schema`: what a person starts from.

use std::fs;

use serde_json::Value;

use crate::support::command::stolos;
use crate::support::scratch::scratch;

#[test]
fn the_starter_is_right_in_both_languages() {
    let folder = scratch("init-starter");
    for file in ["mesh.yaml", "mesh.toml"] {
        assert_eq!(
            stolos(&folder, &["init", file]).to_string(),
            format!(
                "\
------- stderr -------
Wrote {file}: two clusters, a primary and its remote, each on a network of its own.
Check it with: stolos validate {file}
Try it with:   stolos apply --sandbox {file}
[exit 0]
"
            )
        );
        assert_eq!(
            stolos(&folder, &["validate", file]).to_string(),
            format!(
                "\
------- stderr -------
{file}: 2 clusters, 2 networks, 1 primary, 1 remote; nothing wrong
[exit 0]
"
            )
        );
    }
}

#[test]
fn every_line_of_the_starter_that_is_a_comment_may_be_taken_in() {
    let folder = scratch("init-comments");
    let _ = stolos(&folder, &["init"]);
    let starter = fs::read_to_string(folder.join("mesh.yaml")).expect("it was written");
    let taken: String = starter
        .lines()
        .filter(|line| !line.contains("root: generate"))
        .map(|line| match line.trim_start().strip_prefix("# ") {
            Some(rest)
                if rest.split(' ').next().is_some_and(|word| word.ends_with(':') && word.len() > 3)
                    && !rest.starts_with("A mesh") =>
            {
                format!("{}{rest}\n", &line[..line.len() - line.trim_start().len()])
            }
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    fs::write(folder.join("taken.yaml"), &taken).expect("a scratch folder");
    assert_eq!(
        stolos(&folder, &["validate", "taken.yaml"]).to_string(),
        "\
------- stderr -------
taken.yaml: 2 clusters, 2 networks, 1 primary, 1 remote; nothing wrong
[exit 0]
",
        "{taken}"
    );
    assert!(taken.contains("\n    context: kind-cluster1") && taken.contains("\n  mtls: strict"), "{taken}");
}

#[test]
fn a_file_that_is_there_is_never_overwritten() {
    let folder = scratch("init-exists");
    fs::write(folder.join("mesh.yaml"), "mine\n").expect("a scratch folder");
    assert_eq!(
        stolos(&folder, &["init"]).to_string(),
        "\
------- stderr -------
error[file-exists]: mesh.yaml is there already
  help: name another file: stolos init OTHER.yaml
        stolos explain file-exists
[exit 1]
"
    );
    assert_eq!(fs::read_to_string(folder.join("mesh.yaml")).ok().as_deref(), Some("mine\n"));
}

#[test]
fn a_starter_that_cannot_be_written_says_why() {
    let folder = scratch("init-unwritable");
    assert_eq!(
        stolos(&folder, &["init", "no/such/folder/mesh.yaml"]).to_string(),
        "\
------- stderr -------
error[output-unwritable]: no/such/folder/mesh.yaml cannot be written: No such file or directory (os error 2)
  help: stolos explain output-unwritable
[exit 1]
"
    );
}

#[test]
fn the_schema_is_json() {
    let ran = stolos(&scratch("schema"), &["schema"]);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", Some(0)));
    let schema: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(schema["properties"]["clusters"].is_object(), "{schema:#}");
}

//! `plan`, `apply`, `destroy` and `sandbox serve` as a person runs them.

use std::path::PathBuf;
use std::sync::Arc;

use stolos::sandbox::{Clock, Sandbox, SandboxCluster, SystemClock};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::command::{repository, stolos};
use crate::support::commands::Commands;
use crate::support::found;
use crate::support::golden;
use crate::support::meshes::topology_text;
use crate::support::nobody::Nobody;
use crate::support::scratch::scratch;

const FILE: &str = "primary-remote-multi-network.yaml";

fn folder(test: &str) -> PathBuf {
    let folder = scratch(test);
    std::fs::write(folder.join("mesh.yaml"), topology_text(FILE)).expect("a file");
    folder
}

on_both_back_ends!(
    a_mesh_is_applied_planned_clean_and_destroyed,
    nobody_is_asked_without_a_terminal_and_nothing_is_changed,
    no_output_of_a_run_holds_a_secret,
);

/// Commands on the topology that most tests take.
async fn commands(on: BackEnd, test: &str) -> Commands {
    Commands::on(on, test, &topology_text(FILE)).await
}

async fn a_mesh_is_applied_planned_clean_and_destroyed(on: BackEnd) {
    let commands = commands(on, "run-there-and-back").await;
    let reach = commands.reach();
    let planned = commands.stolos(&["plan", "--detailed-exitcode"]);
    assert_eq!(planned.code, Some(2), "{planned}");
    assert_eq!(planned.stderr, format!("Apply it with: stolos apply {reach} mesh.yaml\n"));
    golden::assert_file("primary-remote-multi-network/plan.txt", &planned.stdout);
    let applied = commands.stolos(&["apply", "--auto-approve"]);
    assert_eq!(applied.code, Some(0), "{applied}");
    let next = format!("Check it with: stolos plan {reach} mesh.yaml\n");
    assert!(applied.stderr.ends_with(&next), "{applied}");
    let no_changes = "\
Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)

No changes. 2 clusters are as the topology asks.
[exit 0]
";
    for words in [["plan", "--detailed-exitcode"], ["apply", "--auto-approve"]] {
        assert_eq!(commands.stolos(&words).to_string(), no_changes);
    }
    let destroyed = commands.stolos(&["destroy", "--auto-approve"]);
    assert_eq!(destroyed.code, Some(0), "{destroyed}");
    assert_eq!(
        commands.stolos(&["destroy", "--auto-approve"]).to_string(),
        "\
Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)

Nothing to destroy. No cluster holds anything of this mesh.
[exit 0]
"
    );
}

async fn nobody_is_asked_without_a_terminal_and_nothing_is_changed(on: BackEnd) {
    let commands = commands(on, "run-no-terminal").await;
    let reach = commands.reach();
    for verb in ["apply", "destroy"] {
        if verb == "destroy" {
            let applied = commands.stolos(&["apply", "--auto-approve"]);
            assert_eq!(applied.code, Some(0), "{applied}");
        }
        let refused = commands.stolos(&[verb]);
        assert_eq!(refused.code, Some(1));
        assert_eq!(
            refused.stderr,
            format!(
                "\
error[approval-missing]: stolos {verb} asks on a terminal, and there is none
  help: stolos {verb} --auto-approve {reach} mesh.yaml
        stolos explain approval-missing
"
            )
        );
        let planned = commands.stolos(&["plan", "--detailed-exitcode"]);
        let expected = if verb == "destroy" { 0 } else { 2 };
        assert_eq!(planned.code, Some(expected), "{planned}");
    }
}

#[test]
fn a_kubeconfig_beside_a_sandbox_is_refused() {
    let folder = folder("run-both");
    let refused = stolos(&folder, &["plan", "--sandbox", "--kubeconfig", "config", "mesh.yaml"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.starts_with("error: the argument '--sandbox[=<DIR>]' cannot be used with"),
        "{refused}"
    );
}

#[test]
fn a_missing_kubeconfig_is_named() {
    let folder = folder("run-no-kubeconfig");
    let refused = stolos(&folder, &["plan", "--kubeconfig", "nowhere", "mesh.yaml"]);
    assert_eq!(
        refused.to_string(),
        "\
------- stderr -------
error[kubeconfig-unreadable]: the kubeconfig nowhere cannot be read: No such file or directory (os error 2)
  help: name another file with --kubeconfig, or try the topology with --sandbox
        stolos explain kubeconfig-unreadable
[exit 1]
"
    );
}

#[test]
fn every_missing_context_is_named_at_once() {
    let folder = folder("run-no-context");
    let nobody = Nobody::listens();
    std::fs::write(folder.join("config"), nobody.kubeconfig(&["cluster1", "kluster_2"])).expect("a file");
    let arguments = ["plan", "--kubeconfig", "config", "--context", "cluter2=x", "mesh.yaml"];
    assert_eq!(
        stolos(&folder, &arguments).to_string(),
        "\
------- stderr -------
error[context-of-no-cluster]: --context cluter2=x: there is no such cluster
  help: did you mean `cluster2`? Declared: cluster1, cluster2.
        stolos explain context-of-no-cluster

error[context-missing]: cluster2: there is no context `cluster2`
  looked in config
  help: did you mean `cluster1`? Contexts: cluster1, kluster_2.
        stolos explain context-missing
[exit 1]
"
    );
}

#[test]
fn clusters_that_cannot_be_read_make_a_plan_incomplete() {
    let folder = folder("run-unread");
    let nobody = Nobody::listens();
    std::fs::write(folder.join("config"), nobody.kubeconfig(&["cluster1", "cluster2"])).expect("a file");
    let text = topology_text(FILE).replace("root: generate", "root: istiod");
    std::fs::write(folder.join("mesh.yaml"), text).expect("a file");
    let planned = stolos(&folder, &["plan", "--kubeconfig", "config", "mesh.yaml"]);
    assert_eq!(planned.code, Some(3), "{planned}");
    let applied = stolos(&folder, &["apply", "--auto-approve", "--kubeconfig", "config", "mesh.yaml"]);
    assert_eq!(applied.code, Some(3), "{applied}");
    assert!(!applied.to_string().contains("hunter2"));
}

#[test]
fn the_second_of_two_commands_on_one_sandbox_is_refused() {
    let folder = folder("run-two-at-once");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let clusters = ["cluster1", "cluster2"].map(|name| SandboxCluster { name: name.into(), id: name.into() });
    let held = Sandbox::open(&folder.join(".stolos/sandbox"), &clusters, &clock).expect("a sandbox");
    let refused = stolos(&folder, &["plan", "--sandbox", "mesh.yaml"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.starts_with("error[sandbox-in-use]: "), "{refused}");
    drop(held);
    let planned = stolos(&folder, &["plan", "--sandbox", "mesh.yaml"]);
    assert_eq!(planned.code, Some(0), "{planned}");
}

async fn no_output_of_a_run_holds_a_secret(on: BackEnd) {
    let commands = commands(on, "run-canary").await;
    let mut said = String::new();
    for words in [
        &["apply", "--auto-approve"][..],
        &["plan", "--format", "json"],
        &["plan", "--format", "markdown"],
        &["plan", "--out", "empty.plan"],
        &["plan", "--destroy", "--out", "destroy.plan"],
        &["destroy"],
    ] {
        said.push_str(&commands.stolos(words).to_string());
    }
    said.push_str(&stolos(&commands.folder, &["show", "destroy.plan"]).to_string());
    for plan in ["empty.plan", "destroy.plan"] {
        said.push_str(&std::fs::read_to_string(commands.folder.join(plan)).expect("a saved plan"));
    }
    let mut secrets = 0;
    for value in kept(&commands).await {
        each_secret_text(&value, &mut |text| {
            secrets += 1;
            assert!(!said.contains(text), "a value of a Secret was printed");
        });
    }
    assert!(secrets > 10, "{secrets}");
    assert!(!said.contains("PRIVATE KEY"));
}

/// Everything that clusters keep: lines of journals, or live objects.
async fn kept(commands: &Commands) -> Vec<serde_json::Value> {
    let mut values = Vec::new();
    for cluster in ["cluster1", "cluster2"] {
        match &commands.lent {
            Some(lent) => {
                let found = found::all(&lent.raw(cluster).await).await;
                values.extend(found.into_iter().map(|found| found.object.into_value()));
            }
            None => {
                let journal = commands.folder.join(format!(".stolos/sandbox/{cluster}.jsonl"));
                let lines = std::fs::read_to_string(journal).expect("a journal");
                values.extend(lines.lines().map(|line| serde_json::from_str(line).expect("a line")));
            }
        }
    }
    values
}

/// Visits the values of every Secret in a tree, as they stand there and decoded.
fn each_secret_text(value: &serde_json::Value, visit: &mut impl FnMut(&str)) {
    use base64::Engine;
    if value["kind"] == "Secret" {
        for text in value["data"].as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str()) {
            if text.len() > 16 {
                visit(text);
            }
            let decoded = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
            if let Ok(decoded) = String::from_utf8(decoded)
                && decoded.len() > 16
            {
                visit(&decoded);
            }
        }
    }
    match value {
        serde_json::Value::Object(map) => map.values().for_each(|value| each_secret_text(value, visit)),
        serde_json::Value::Array(items) => items.iter().for_each(|value| each_secret_text(value, visit)),
        _ => {}
    }
}

#[test]
fn rights_are_printed_as_documents_for_kubectl() {
    let folder = repository("topologies");
    let ran = stolos(&folder, &["rbac", "plan", "--cluster", "cluster2", "multi-primary.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let head = "\
# cluster2: what `stolos plan` takes.
# Bind it: kubectl create clusterrolebinding stolos-mesh1-cluster2-plan --clusterrole=stolos-mesh1-cluster2-plan --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: stolos-mesh1-cluster2-plan
rules:
";
    assert!(ran.stdout.starts_with(head), "{}", ran.stdout);
    let verbs: std::collections::BTreeSet<&str> = ran
        .stdout
        .lines()
        .skip_while(|line| *line != "rules:")
        .filter(|line| line.starts_with("  - "))
        .collect();
    assert!(verbs.contains("  - get") && verbs.contains("  - list"), "{verbs:?}");
    for verb in ["create", "patch", "update", "delete", "watch", "'*'"] {
        assert!(!verbs.contains(format!("  - {verb}").as_str()), "{verb}");
    }

    let ran = stolos(&folder, &["rbac", "destroy", "multi-primary.toml"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            Some(0),
            "Each cluster takes its own: stolos rbac destroy --cluster NAME multi-primary.toml | \
             kubectl --context CONTEXT apply -f -\n"
        )
    );
    let kinds = ran.stdout.lines().filter(|line| *line == "kind: ClusterRole").count();
    assert_eq!((kinds, ran.stdout.matches("\n---\n").count()), (4, 3));

    let ran = stolos(&folder, &["rbac", "plan", "--cluster", "cluster3", "multi-primary.toml"]);
    assert_eq!(
        ran.to_string(),
        "\
------- stderr -------
error[rights-of-no-cluster]: --cluster cluster3: there is no such cluster
  help: did you mean `cluster1`? Declared: cluster1, cluster2.
        stolos explain rights-of-no-cluster
[exit 1]
"
    );
}

#[test]
fn what_the_flags_of_a_run_take_is_said_in_plain_words() {
    let folder = repository("topologies");
    let wrong = |flag: &str, value: &str| {
        let ran = stolos(&folder, &["apply", "--sandbox", flag, value, FILE]);
        assert_eq!(ran.code, Some(1), "{flag} {value}");
        ran.stderr.lines().next().unwrap_or_default().to_owned()
    };
    for value in ["0", "-1", "many", ""] {
        assert_eq!(
            wrong(&format!("--parallelism={value}"), "--auto-approve"),
            format!(
                "error: invalid value '{value}' for '--parallelism <N>': it is a number of steps, from 1 on"
            )
        );
    }
    assert_eq!(
        wrong("--timeout=", "--auto-approve"),
        "error: invalid value '' for '--timeout <DURATION>': a span of time is written 90s, 5m or 1h30m"
    );
}

#[test]
fn a_cluster_has_one_context_on_the_command_line() {
    let folder = folder("context-twice");
    std::fs::write(folder.join("kubeconfig"), "apiVersion: v1\nkind: Config\n").expect("a file");
    let arguments =
        ["plan", "--kubeconfig", "kubeconfig", "--context", "cluster1=a", "--context", "cluster1=b"];
    let ran = stolos(&folder, &[&arguments[..], &["mesh.yaml"]].concat());
    let told: Vec<&str> = ran.stderr.lines().take(3).collect();
    assert_eq!(
        told,
        [
            "error[context-given-twice]: --context is given twice for cluster1",
            "  as a and as b",
            "  help: leave one out: a cluster is reached through one context",
        ]
    );
    assert_eq!(ran.code, Some(1));
}

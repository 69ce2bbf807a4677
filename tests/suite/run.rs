//! `plan`, `apply`, `destroy` and `sandbox serve` as a person runs them.

use std::path::PathBuf;
use std::sync::Arc;

use stolos::sandbox::{Clock, Sandbox, SandboxCluster, SystemClock};

use crate::support::command::{scratch, stolos};
use crate::support::meshes::topology_text;

const FILE: &str = "primary-remote-multi-network.yaml";

fn folder(test: &str) -> PathBuf {
    let folder = scratch(test);
    std::fs::write(folder.join("mesh.yaml"), topology_text(FILE)).expect("a file");
    folder
}

#[test]
fn a_mesh_is_applied_planned_clean_and_destroyed() {
    let folder = folder("run-there-and-back");
    let applied = stolos(&folder, &["apply", "--sandbox", "--auto-approve", "mesh.yaml"]);
    assert_eq!(applied.code, Some(0), "{applied}");
    assert!(applied.stderr.ends_with("Check it with: stolos plan --sandbox mesh.yaml\n"), "{applied}");
    let no_changes = "\
Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)

No changes. 2 clusters are as the topology asks.
[exit 0]
";
    for arguments in [
        ["plan", "--sandbox", "--detailed-exitcode", "mesh.yaml"],
        ["apply", "--sandbox", "--auto-approve", "mesh.yaml"],
    ] {
        assert_eq!(stolos(&folder, &arguments).to_string(), no_changes);
    }
    let destroyed = stolos(&folder, &["destroy", "--sandbox", "--auto-approve", "mesh.yaml"]);
    assert_eq!(destroyed.code, Some(0), "{destroyed}");
    let again = stolos(&folder, &["destroy", "--sandbox", "--auto-approve", "mesh.yaml"]);
    assert_eq!(
        again.to_string(),
        "\
Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)

Nothing to destroy. No cluster holds anything of this mesh.
[exit 0]
"
    );
}

#[test]
fn what_a_change_asks_for_is_a_code_of_its_own() {
    let folder = folder("run-changes");
    let planned = stolos(&folder, &["plan", "--sandbox", "--detailed-exitcode", "mesh.yaml"]);
    assert_eq!(planned.code, Some(2), "{planned}");
    assert_eq!(planned.stderr, "Apply it with: stolos apply --sandbox mesh.yaml\n");
}

#[test]
fn nobody_is_asked_without_a_terminal_and_nothing_is_changed() {
    let folder = folder("run-no-terminal");
    for verb in ["apply", "destroy"] {
        if verb == "destroy" {
            let applied = stolos(&folder, &["apply", "--sandbox", "--auto-approve", "mesh.yaml"]);
            assert_eq!(applied.code, Some(0), "{applied}");
        }
        let refused = stolos(&folder, &[verb, "--sandbox", "mesh.yaml"]);
        assert_eq!(refused.code, Some(1));
        assert_eq!(
            refused.stderr,
            format!(
                "\
error[approval-missing]: stolos {verb} asks on a terminal, and there is none
  help: stolos {verb} --auto-approve --sandbox mesh.yaml
        stolos explain approval-missing
"
            )
        );
        let planned = stolos(&folder, &["plan", "--sandbox", "--detailed-exitcode", "mesh.yaml"]);
        let expected = if verb == "destroy" { 0 } else { 2 };
        assert_eq!(planned.code, Some(expected), "{planned}");
    }
}

fn journals(folder: &std::path::Path) -> Vec<Vec<u8>> {
    ["cluster1", "cluster2"]
        .iter()
        .map(|name| std::fs::read(folder.join(format!(".stolos/sandbox/{name}.jsonl"))).unwrap_or_default())
        .collect()
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

/// A kubeconfig whose clusters nobody serves.
fn nobody_serves(contexts: &[&str]) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let closed = listener.local_addr().expect("an address");
    let contexts: Vec<String> =
        contexts.iter().map(|name| format!("{{name: {name}, context: {{cluster: c, user: u}}}}")).collect();
    format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'http://{closed}'}}}}]\n\
         users: [{{name: u, user: {{token: hunter2}}}}]\ncontexts: [{}]\n",
        contexts.join(", ")
    )
}

#[test]
fn every_missing_context_is_named_at_once() {
    let folder = folder("run-no-context");
    std::fs::write(folder.join("config"), nobody_serves(&["cluster1", "kluster_2"])).expect("a file");
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
    std::fs::write(folder.join("config"), nobody_serves(&["cluster1", "cluster2"])).expect("a file");
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

#[test]
fn no_output_of_a_run_holds_a_secret() {
    let folder = folder("run-canary");
    let mut said = String::new();
    for arguments in [
        &["apply", "--sandbox", "--auto-approve", "mesh.yaml"][..],
        &["plan", "--sandbox", "--format", "json", "mesh.yaml"],
        &["plan", "--sandbox", "--format", "markdown", "mesh.yaml"],
        &["plan", "--sandbox", "--out", "empty.plan", "mesh.yaml"],
        &["plan", "--sandbox", "--destroy", "--out", "destroy.plan", "mesh.yaml"],
        &["show", "destroy.plan"],
        &["destroy", "--sandbox", "mesh.yaml"],
    ] {
        said.push_str(&stolos(&folder, arguments).to_string());
    }
    for plan in ["empty.plan", "destroy.plan"] {
        said.push_str(&std::fs::read_to_string(folder.join(plan)).expect("a saved plan"));
    }
    let mut secrets = 0;
    for journal in journals(&folder) {
        for line in String::from_utf8(journal).expect("text").lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect("a line of a journal");
            each_secret_text(&value, &mut |text| {
                secrets += 1;
                assert!(!said.contains(text), "a value of a Secret was printed");
            });
        }
    }
    assert!(secrets > 10, "{secrets}");
    assert!(!said.contains("PRIVATE KEY"));
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

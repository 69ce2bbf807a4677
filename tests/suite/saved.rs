//! Plans that are saved by one command and applied by another.

use std::path::{Path, PathBuf};

use http::Method;
use serde_json::json;
use stolos::apply::{self, Job, Stop};
use stolos::object::ObjectRef;
use stolos::plan::saved::{Binding, SavedPlan, SavedReach, SavedTopology, SavedView, VERSION, stale};
use stolos::plan::{Conflicts, Mode};
use stolos::sandbox::controllers::Part;
use tokio::sync::{mpsc, watch};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::command::{Ran, stolos};
use crate::support::commands::Commands;
use crate::support::golden;
use crate::support::meshes::{self, Meshes, collection, topology_text};
use crate::support::nobody::Nobody;
use crate::support::scratch::scratch;

on_both_back_ends!(
    a_saved_plan_outlives_what_controllers_write_and_nothing_else,
    a_saved_plan_is_shown_again_applied_without_asking_and_used_up,
    what_a_controller_writes_in_between_does_not_matter,
    a_field_that_somebody_changes_in_between_makes_the_plan_stale,
    a_field_that_another_tool_applies_in_between_makes_the_plan_stale,
);

const FILE: &str = "primary-remote-multi-network.yaml";

fn folder(test: &str) -> PathBuf {
    let folder = scratch(test);
    std::fs::write(folder.join("mesh.yaml"), topology_text(FILE)).expect("a file");
    folder
}

/// Runs a command that is to end well.
fn done(folder: &Path, arguments: &[&str]) -> Ran {
    let ran = stolos(folder, arguments);
    assert_eq!(ran.code, Some(0), "{ran}");
    ran
}

/// The same, where nothing that it says matters.
fn succeeds(folder: &Path, arguments: &[&str]) {
    let _ = done(folder, arguments);
}

/// Clusters with a mesh that was applied, and a saved plan that changes one field of it.
async fn one_field(on: BackEnd, test: &str) -> Commands {
    let commands = Commands::on(on, test, &topology_text(FILE)).await;
    ends_well(&commands.stolos(&["apply", "--auto-approve"]));
    let text = topology_text(FILE).replace(
        "cluster1: { network: network1, role: primary }",
        "cluster1: { network: network1, role: primary, eastWestGateway: { replicas: 3 } }",
    );
    assert_ne!(text, topology_text(FILE));
    std::fs::write(commands.folder.join("mesh.yaml"), text).expect("a file");
    ends_well(&commands.stolos(&["plan", "--out", "mesh.plan"]));
    commands
}

fn ends_well(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{ran}");
}

fn gateway() -> ObjectRef {
    ObjectRef {
        group: "apps".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "istio-eastwestgateway".to_owned(),
    }
}

async fn a_saved_plan_is_shown_again_applied_without_asking_and_used_up(on: BackEnd) {
    let commands = Commands::on(on, "saved-once", &topology_text(FILE)).await;
    let reach = commands.reach();
    let planned = commands.stolos(&["plan", "--out", "mesh.plan"]);
    assert_eq!(planned.stderr, "Saved as mesh.plan.\nApply it with: stolos apply mesh.plan\n");
    let shown = commands.alone(&["show", "mesh.plan"]);
    assert_eq!(shown.to_string(), format!("{}[exit 0]\n", planned.stdout));
    for (format, golden) in [("json", "plan.json"), ("markdown", "plan.md")] {
        let shown = commands.alone(&["show", "--format", format, "mesh.plan"]);
        golden::assert_file(&format!("primary-remote-multi-network/{golden}"), &shown.stdout);
    }
    let applied = commands.alone(&["apply", "mesh.plan"]);
    assert_eq!(applied.stdout, planned.stdout);
    let next = format!("Check it with: stolos plan {reach} mesh.yaml\n");
    assert!(applied.stderr.ends_with(&next), "{applied}");
    assert_eq!(commands.stolos(&["plan", "--detailed-exitcode"]).stderr, "");
    assert_eq!(
        commands.alone(&["apply", "mesh.plan"]).to_string(),
        format!(
            "\
------- stderr -------
error[plan-used]: this plan was applied before, and a plan is applied once
  recorded in cluster1, cluster2
  help: see what is left, and save that: stolos plan {reach} --out mesh.plan mesh.yaml
        stolos explain plan-used
[exit 1]
"
        )
    );
}

#[test]
fn a_mesh_is_taken_down_by_a_saved_plan() {
    let folder = folder("saved-destroy");
    succeeds(&folder, &["apply", "--sandbox", "--auto-approve", "mesh.yaml"]);
    let planned = done(&folder, &["plan", "--destroy", "--sandbox", "mesh.yaml"]);
    assert_eq!(planned.stderr, "Destroy it with: stolos destroy --sandbox mesh.yaml\n");
    let saved = done(&folder, &["plan", "--destroy", "--sandbox", "--out", "down.plan", "mesh.yaml"]);
    assert_eq!(saved.stdout, planned.stdout);
    let applied = done(&folder, &["apply", "down.plan"]);
    assert!(applied.stderr.contains("\nDestroyed: 77 deleted, 2 released in 15 steps, "), "{applied}");
    let again = stolos(&folder, &["plan", "--destroy", "--sandbox", "--detailed-exitcode", "mesh.yaml"]);
    assert_eq!(again.code, Some(0), "{again}");
}

#[test]
fn a_plan_that_changes_nothing_is_saved_and_applied_like_any_other() {
    let folder = folder("saved-empty");
    succeeds(&folder, &["apply", "--sandbox", "--auto-approve", "mesh.yaml"]);
    let planned = done(&folder, &["plan", "--sandbox", "--out", "mesh.plan", "mesh.yaml"]);
    assert_eq!(planned.stderr, "Saved as mesh.plan.\n");
    let applied = done(&folder, &["apply", "mesh.plan"]);
    assert_eq!((applied.stdout, applied.stderr), (planned.stdout, String::new()));
}

async fn what_a_controller_writes_in_between_does_not_matter(on: BackEnd) {
    let commands = one_field(on, "saved-status").await;
    let status = json!([{"op": "replace", "path": "/status/availableReplicas", "value": 0}]);
    commands.patch("cluster1", &gateway(), Part::Status, "kube-controller-manager", status).await;
    let applied = commands.alone(&["apply", "mesh.plan"]);
    assert!(applied.stderr.contains("\nApplied: 1 configured"), "{applied}");
}

async fn a_field_that_somebody_changes_in_between_makes_the_plan_stale(on: BackEnd) {
    let commands = one_field(on, "saved-stale").await;
    let label = |verb: &str| json!([{"op": verb, "path": "/metadata/labels/app", "value": "gateway"}]);
    commands.patch("cluster1", &gateway(), Part::Object, "kubectl-edit", label("replace")).await;
    let service = ObjectRef { group: String::new(), kind: "Service".to_owned(), ..gateway() };
    commands.patch("cluster2", &service, Part::Object, "kubectl-edit", label("add")).await;
    assert_eq!(
        commands.alone(&["apply", "mesh.plan"]).to_string(),
        format!(
            "\
------- stderr -------
error[plan-stale]: mesh.plan is no longer what an apply would do
  cluster1: Deployment.apps istio-system/istio-eastwestgateway: metadata.labels.app has another value
  cluster2: Service istio-system/istio-eastwestgateway was changed: metadata.labels.app
  help: plan again: stolos plan {} --out mesh.plan mesh.yaml
        stolos explain plan-stale
[exit 1]
",
            commands.reach()
        )
    );
    // The same way out works, over the stale file.
    ends_well(&commands.stolos(&["plan", "--out", "mesh.plan"]));
    ends_well(&commands.alone(&["apply", "mesh.plan"]));
}

async fn a_field_that_another_tool_applies_in_between_makes_the_plan_stale(on: BackEnd) {
    let commands = one_field(on, "saved-conflict").await;
    let applied = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
        "name": "istio-eastwestgateway", "namespace": "istio-system", "labels": {"app": "gateway"}}});
    commands.apply_forced("cluster1", applied, "argocd").await;
    assert_eq!(
        commands.alone(&["apply", "mesh.plan"]).to_string(),
        format!(
            "\
------- stderr -------
error[plan-stale]: mesh.plan is no longer what an apply would do
  cluster1: Deployment istio-system/istio-eastwestgateway has fields of another tool: \
metadata.labels.app is applied by argocd; in step cluster1/eastwest-gateway
  help: plan again: stolos plan {} --out mesh.plan mesh.yaml
        stolos explain plan-stale
[exit 1]
",
            commands.reach()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_goes_with_its_topology_and_not_with_another() {
    let folder = one_field(BackEnd::Sandbox, "saved-topology").await.folder;
    let text = std::fs::read_to_string(folder.join("mesh.yaml")).expect("a file");
    std::fs::write(folder.join("mesh.yaml"), format!("{text}# another\n")).expect("a file");
    assert_eq!(
        stolos(&folder, &["apply", "mesh.plan"]).to_string(),
        "\
------- stderr -------
error[plan-stale]: mesh.plan is no longer what an apply would do
  mesh.yaml was changed
  help: plan again: stolos plan --sandbox --out mesh.plan mesh.yaml
        stolos explain plan-stale
[exit 1]
"
    );
    // Where there is no such file, as in another job of a pipeline, the plan has the text.
    std::fs::remove_file(folder.join("mesh.yaml")).expect("it is there");
    succeeds(&folder, &["apply", "mesh.plan"]);
}

#[test]
fn a_folder_that_gained_a_file_is_another_topology() {
    let folder = scratch("saved-folder");
    std::fs::create_dir(folder.join("mesh")).expect("a folder");
    std::fs::write(folder.join("mesh/a.yaml"), topology_text(FILE)).expect("a file");
    succeeds(&folder, &["plan", "--sandbox", "--out", "mesh.plan", "mesh"]);
    std::fs::write(folder.join("mesh/b.yaml"), "version: 1\nnamespaces: { more: {} }\n").expect("a file");
    let refused = stolos(&folder, &["apply", "mesh.plan"]);
    assert!(refused.stderr.contains("\n  mesh/b.yaml was added to the topology\n"), "{refused}");
    std::fs::remove_file(folder.join("mesh/b.yaml")).expect("it is there");
    succeeds(&folder, &["apply", "mesh.plan"]);
}

#[test]
fn a_changed_root_certificate_makes_the_plan_stale_and_its_key_is_never_in_it() {
    let folder = scratch("saved-root");
    let text =
        topology_text(FILE).replace("root: generate", "root: { certificate: ca/root.pem, key: ca/root.key }");
    std::fs::write(folder.join("mesh.yaml"), text).expect("a file");
    std::fs::create_dir(folder.join("ca")).expect("a folder");
    let root = |id: &str| stolos::trust::Root::generate(id, jiff::Timestamp::now()).expect("a root");
    let write = |root: &stolos::trust::Root| {
        std::fs::write(folder.join("ca/root.pem"), root.certificate().pem()).expect("a file");
        std::fs::write(folder.join("ca/root.key"), root.key().expose()).expect("a file");
    };
    let first = root("mesh1");
    write(&first);
    succeeds(&folder, &["plan", "--sandbox", "--out", "mesh.plan", "mesh.yaml"]);
    let plan = std::fs::read_to_string(folder.join("mesh.plan")).expect("a file");
    let secret = first.key().expose().lines().nth(1).expect("a line").to_owned();
    assert!(!plan.contains(&secret) && !plan.contains("PRIVATE KEY"));
    write(&root("mesh2"));
    let refused = stolos(&folder, &["apply", "mesh.plan"]);
    assert!(refused.stderr.contains("\n  ca/root.pem was changed\n"), "{refused}");
    write(&first);
    succeeds(&folder, &["apply", "mesh.plan"]);
}

#[test]
fn flags_that_say_something_else_than_the_plan_are_refused() {
    let folder = folder("saved-flags");
    succeeds(&folder, &["plan", "--sandbox", "--out", "mesh.plan", "mesh.yaml"]);
    let told = |flags: &[&str], message: &str, help: &str| {
        let arguments: Vec<&str> =
            ["apply"].into_iter().chain(flags.iter().copied()).chain(["mesh.plan"]).collect();
        let expected = format!(
            "------- stderr -------\nerror[plan-flag]: {message}\n  help: {help}\n        stolos explain plan-flag\n[exit 1]\n"
        );
        assert_eq!(stolos(&folder, &arguments).to_string(), expected);
    };
    told(
        &["--sandbox=elsewhere"],
        "--sandbox=elsewhere: the plan was made for --sandbox=.stolos/sandbox",
        "leave --sandbox=elsewhere out, or plan again with it",
    );
    told(
        &["--kubeconfig", "config"],
        "--kubeconfig config: the plan was made for --sandbox=.stolos/sandbox",
        "leave --kubeconfig config out, or plan again with it",
    );
    told(
        &["--context", "cluster1=other"],
        "--context cluster1=other: the plan was made for --sandbox=.stolos/sandbox",
        "leave --context cluster1=other out, or plan again with it",
    );
    told(
        &["--force-conflicts"],
        "--force-conflicts: the plan was made without it, and takes no field of another tool",
        "stolos plan --force-conflicts --sandbox --out mesh.plan mesh.yaml",
    );
    // Those that say the same are none.
    succeeds(&folder, &["apply", "--sandbox", "--auto-approve", "--parallelism", "2", "mesh.plan"]);
}

#[test]
fn clusters_that_the_plan_could_not_read_are_left_alone_by_its_apply() {
    let folder = scratch("saved-unread");
    let nobody = Nobody::listens();
    std::fs::write(folder.join("config"), nobody.kubeconfig(&["cluster1", "cluster2", "west"]))
        .expect("a file");
    let text = topology_text(FILE).replace("root: generate", "root: istiod");
    std::fs::write(folder.join("mesh.yaml"), text).expect("a file");
    let arguments =
        ["plan", "--kubeconfig", "config", "--context", "cluster2=west", "--out", "mesh.plan", "mesh.yaml"];
    let planned = stolos(&folder, &arguments);
    assert_eq!(planned.code, Some(3), "{planned}");
    let plan = std::fs::read_to_string(folder.join("mesh.plan")).expect("it is saved");
    assert!(!plan.contains("hunter2"));
    let applied = stolos(&folder, &["apply", "mesh.plan"]);
    assert_eq!((applied.code, &applied.stdout), (Some(3), &planned.stdout), "{applied}");
    // The kubeconfig may be another, the context not.
    std::fs::rename(folder.join("config"), folder.join("elsewhere")).expect("it is there");
    let applied =
        stolos(&folder, &["apply", "--kubeconfig", "elsewhere", "--context", "cluster2=west", "mesh.plan"]);
    assert_eq!((applied.code, &applied.stdout), (Some(3), &planned.stdout), "{applied}");
    let refused = stolos(
        &folder,
        &["apply", "--kubeconfig", "elsewhere", "--context", "cluster2=cluster2", "mesh.plan"],
    );
    assert!(
        refused.stderr.starts_with(
            "error[plan-flag]: --context cluster2=cluster2: the plan was made for context west\n"
        ),
        "{refused}"
    );
}

#[test]
fn a_file_that_is_no_plan_any_more_is_refused_and_says_why() {
    let folder = folder("saved-files");
    succeeds(&folder, &["plan", "--sandbox", "--out", "mesh.plan", "mesh.yaml"]);
    let text = std::fs::read_to_string(folder.join("mesh.plan")).expect("a file");
    let code = |bytes: &[u8]| {
        std::fs::write(folder.join("other.yaml"), bytes).expect("a file");
        let codes = ["apply", "show"].map(|verb| {
            let refused = stolos(&folder, &[verb, "other.yaml"]);
            assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused}");
            let code = refused.stderr.strip_prefix("error[").and_then(|rest| rest.split_once(']'));
            code.unwrap_or_else(|| panic!("{}", refused.stderr)).0.to_owned()
        });
        assert_eq!(codes[0], codes[1]);
        codes[0].clone()
    };
    assert_eq!(code(&text.as_bytes()[..text.len() - 3]), "plan-truncated");
    assert_eq!(code(text.replacen("create", "delete", 1).as_bytes()), "plan-edited");
    assert_eq!(code(text.replacen("\"checksum\"", "checksum", 1).as_bytes()), "plan-unreadable");
    assert_eq!(code(text.replacen("planfile/v1", "planfile/v9", 1).as_bytes()), "plan-format-newer");
    let json = done(&folder, &["plan", "--sandbox", "--format", "json", "mesh.yaml"]).stdout;
    assert_eq!(code(json.as_bytes()), "plan-format-other");
    let refused = stolos(&folder, &["show", "mesh.yaml"]);
    assert!(refused.stderr.starts_with("error[plan-missing]: mesh.yaml is no saved plan\n"), "{refused}");
}

#[test]
fn a_saved_plan_is_no_topology() {
    let folder = folder("saved-no-topology");
    succeeds(&folder, &["plan", "--sandbox", "--out", "mesh.plan", "mesh.yaml"]);
    for verb in ["plan", "destroy", "validate", "graph"] {
        let refused = stolos(&folder, &[verb, "mesh.plan"]);
        assert_eq!(
            refused.to_string(),
            "\
------- stderr -------
error[plan-not-a-topology]: mesh.plan is a saved plan, where a topology is asked for
  help: show it with stolos show mesh.plan, apply it with stolos apply mesh.plan; it was made from
        mesh.yaml
        stolos explain plan-not-a-topology
[exit 1]
"
        );
    }
}

#[test]
fn a_plan_is_written_for_its_owner_alone_and_over_nothing_but_a_plan() {
    let folder = folder("saved-out");
    let out = |file: &str| stolos(&folder, &["plan", "--sandbox", "--out", file, "mesh.yaml"]);
    let expected = topology_text(FILE);
    assert_eq!(
        out("mesh.yaml").to_string(),
        "\
------- stderr -------
error[file-exists]: mesh.yaml is there already, and is no saved plan
  help: name another file, or remove it first
        stolos explain file-exists
[exit 1]
"
    );
    assert_eq!(std::fs::read_to_string(folder.join("mesh.yaml")).expect("a file"), expected);
    assert_eq!(
        out(".").to_string(),
        "\
------- stderr -------
error[output-unwritable]: . is a folder, and a plan is one file
  help: name a file in it: --out ./mesh.plan
        stolos explain output-unwritable
[exit 1]
"
    );
    let refused = out("nowhere/mesh.plan");
    assert!(
        refused.stderr.starts_with("error[output-unwritable]: nowhere/mesh.plan cannot be written: "),
        "{refused}"
    );
    std::fs::write(folder.join("mesh.plan"), "").expect("an empty file, as mktemp makes it");
    for _ in 0..2 {
        assert_eq!(out("mesh.plan").code, Some(0));
    }
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, [".stolos", "mesh.plan", "mesh.yaml"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.join("mesh.plan")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// A plan as it is saved, of which only what it is bound to matters.
fn bound(binding: Binding, salt: &str) -> SavedPlan {
    SavedPlan {
        stolos: VERSION.to_owned(),
        id: "7f".to_owned(),
        made: "2026-11-20T12:00:00Z".to_owned(),
        salt: salt.to_owned(),
        mode: Mode::Apply,
        conflicts: Conflicts::Refuse,
        reach: SavedReach::default(),
        topology: SavedTopology::default(),
        binding,
        view: SavedView { text: String::new(), markdown: String::new(), json: String::new() },
    }
}

async fn a_saved_plan_outlives_what_controllers_write_and_nothing_else(on: BackEnd) {
    let mut meshes = Meshes::on(on, "saved-controllers", meshes::desired(FILE, &topology_text(FILE))).await;
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let text = topology_text(FILE).replace(
        "cluster1: { network: network1, role: primary }",
        "cluster1: { network: network1, role: primary, eastWestGateway: { replicas: 3 } }",
    );
    meshes.desired = meshes::desired(FILE, &text);
    let live = meshes.read(Mode::Apply).await;
    let saved = bound(Binding::of(&meshes.plan(Mode::Apply).await, &live, "sa1t"), "sa1t");
    assert_eq!(saved.binding.changes.len(), 2);
    let now = || async { stale(&saved, &meshes.plan(Mode::Apply).await, &meshes.read(Mode::Apply).await) };
    assert_eq!(now().await, Vec::<String>::new());

    let raw = meshes.raw("cluster1").await;
    let path = format!(
        "{}/istio-eastwestgateway/status?fieldManager=kube-controller-manager",
        collection(&gateway())
    );
    let status = json!({"status": {"observedGeneration": 0}});
    let answer = raw.ask(Method::PATCH, &path, "application/merge-patch+json", &status).await;
    assert_eq!(answer.code, 200, "{answer:?}");
    let webhook = ObjectRef {
        group: "admissionregistration.k8s.io".to_owned(),
        kind: "MutatingWebhookConfiguration".to_owned(),
        namespace: None,
        name: "istio-sidecar-injector".to_owned(),
    };
    let bundle = json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]);
    meshes.patch("cluster1", &webhook, bundle, "pilot-discovery").await;
    let note = json!([{"op": "add", "path": "/metadata/labels/team", "value": "platform"}]);
    meshes.patch("cluster1", &gateway(), note, "kubectl-label").await;
    assert_eq!(now().await, Vec::<String>::new());

    let scaler = ObjectRef {
        group: "autoscaling".to_owned(),
        kind: "HorizontalPodAutoscaler".to_owned(),
        ..gateway()
    };
    let app = meshes.live("cluster1", &scaler).await.expect("it is there").label("app").map(str::to_owned);
    let same = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {
        "name": "istio-eastwestgateway", "namespace": "istio-system", "labels": {"app": app}}});
    let path = format!("{}/istio-eastwestgateway?fieldManager=argocd", collection(&scaler));
    let answer = raw.ask(Method::PATCH, &path, "application/apply-patch+yaml", &same).await;
    assert_eq!(answer.code, 200, "{answer:?}");
    let label = json!([{"op": "replace", "path": "/metadata/labels/app", "value": "gateway"}]);
    meshes.patch("cluster1", &gateway(), label, "kubectl-edit").await;
    assert_eq!(
        now().await,
        [
            "cluster1: Deployment.apps istio-system/istio-eastwestgateway: metadata.labels.app has another value",
            "cluster1: HorizontalPodAutoscaler.autoscaling istio-system/istio-eastwestgateway: \
             metadata.labels.app is held by stolos, argocd",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_whose_apply_was_cut_off_is_used_up() {
    for (mode, cut) in [(Mode::Apply, 12), (Mode::Destroy, 12)] {
        let meshes = Meshes::open(
            &scratch(&format!("saved-cut-{mode:?}")),
            meshes::desired(FILE, &topology_text(FILE)),
        )
        .await;
        if mode == Mode::Destroy {
            assert!(meshes.apply().await.summary.is_complete());
        }
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (_stopper, stop) = watch::channel(Stop::Go);
        let (job, killed) = meshes.job(meshes.plan(mode).await);
        let job = Job { saved: Some("7f".to_owned()), ..job };
        let cut_off = async {
            for _ in 0..cut {
                receiver.recv().await.expect("more to come");
            }
        };
        tokio::select! {
            biased;
            () = cut_off => {}
            _ = apply::run(job, sender, stop) => panic!("it is longer than that"),
        }
        meshes.killed(killed);
        let plan = meshes.plan(mode).await;
        let of_cluster = |name: &str| plan.clusters[name].inventory.clone().map(|inventory| inventory.plans);
        let used: Vec<_> = ["cluster1", "cluster2"].iter().filter_map(|name| of_cluster(name)).collect();
        assert!(used.contains(&vec!["7f".to_owned()]), "{mode:?}: {used:?}");
        // What it left is for an apply like any other, which remembers the plan.
        if mode == Mode::Apply {
            assert!(meshes.apply().await.summary.is_complete());
            let plan = meshes.plan(mode).await;
            let inventory = plan.clusters["cluster1"].inventory.as_ref().expect("an inventory");
            assert_eq!(inventory.plans, ["7f"]);
        }
    }
}

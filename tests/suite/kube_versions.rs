//! Charts that ask for the cluster's Kubernetes: `compile` is told, `plan` and `apply` ask each cluster, and nobody
//! asks where no chart does.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use stolos::object::ObjectRef;

use crate::charts::{copied, on_charts};
use crate::support::command::stolos;
use crate::support::scratch::scratch;
use crate::support::tap::{Asked, Deed};
use crate::support::tapped::{Tapped, run_on, with_api_servers};

const FILE: &str = "multi-primary-multi-network.yaml";
/// What the sandbox says.
const OF_SANDBOX: &str = "v1.34.1";
const WHICH: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: which, namespace: istio-system }\n\
                     data: { which: {{ .Capabilities.KubeVersion.Version }} }\n";

/// Charts in a folder, of which istiod's asks, or none.
fn charts(folder: &Path, which: &str) {
    copied(&folder.join("charts"));
    fs::write(folder.join("charts/istiod/templates/which.yaml"), which).expect("scratch");
}

fn topology() -> String {
    on_charts(FILE, "charts")
}

fn compiled(folder: &Path, flags: &[&str]) -> Vec<String> {
    let ran = stolos(folder, &[&["compile", "mesh.yaml", "-o", "out"], flags].concat());
    assert_eq!(ran.code, Some(0), "{ran}");
    ["cluster1", "cluster2"].map(|cluster| which_in(&folder.join("out").join(cluster))).into()
}

fn which_in(cluster: &Path) -> String {
    let text = fs::read_to_string(cluster.join("40-control-plane.yaml")).expect("it was written");
    let line = text.lines().find_map(|line| line.strip_prefix("  which: ")).expect("the chart's object");
    line.to_owned()
}

#[test]
fn compile_tells_every_cluster_the_version_that_it_was_given() {
    let folder = scratch("kube-versions-compile");
    fs::write(folder.join("mesh.yaml"), topology()).expect("scratch");
    charts(&folder, WHICH);
    assert_eq!(compiled(&folder, &[]), ["v1.33.0", "v1.33.0"]);
    assert_eq!(compiled(&folder, &["--kube-version", "1.29"]), ["v1.29", "v1.29"]);
    assert_eq!(compiled(&folder, &["--kube-version", "v1.31.2-gke.7"]), ["v1.31.2", "v1.31.2"]);
    let refused = stolos(&folder, &["compile", "mesh.yaml", "-o", "out", "--kube-version", "latest"]);
    assert_eq!(refused.code, Some(1), "{refused}");
    let says = "invalid value 'latest' for '--kube-version <VERSION>': it is written 1.33 or v1.33.1";
    assert!(refused.stderr.contains(says), "{refused}");
}

/// Lets all pass but the question for a version of cluster1, which is answered so.
fn with_version(version: &'static str) -> impl FnMut(&Asked) -> Deed + Send + 'static {
    move |asked| match asks_version(asked) && asked.cluster == "cluster1" {
        true => Deed::Json(200, json!({ "major": "1", "minor": "31+", "gitVersion": version })),
        false => Deed::Pass,
    }
}

fn asks_version(asked: &Asked) -> bool {
    asked.path == "/version"
}

async fn tapped(test: &str, which: &str) -> (PathBuf, Tapped) {
    let folder = scratch(test);
    charts(&folder, which);
    let tapped = Tapped::new(&folder, &with_api_servers(&topology())).await;
    (folder, tapped)
}

fn which(tapped: &Tapped, cluster: &str) -> Option<String> {
    let name = ObjectRef {
        group: String::new(),
        kind: "ConfigMap".to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "which".to_owned(),
    };
    let clusters = tapped.running.sandbox().clusters();
    let store = clusters.iter().find(|store| store.name() == cluster).expect("a cluster");
    let found = store.list("", "ConfigMap", None).into_iter().find(|object| object.reference() == name);
    found.and_then(|object| object.text(&["data", "which"]).map(str::to_owned))
}

const APPLY: &[&str] = &["apply", "--auto-approve"];
const PLAN: &[&str] = &["plan", "--detailed-exitcode"];

#[tokio::test(flavor = "multi_thread")]
async fn each_cluster_gets_what_its_own_version_makes_and_another_version_is_a_change() {
    let (_, tapped) = tapped("kube-versions-apply", WHICH).await;
    let applied = tapped.run(APPLY, with_version("v1.31.2-gke.7")).await;
    assert_eq!(applied.code, Some(0), "{applied}");
    assert_eq!(which(&tapped, "cluster1").as_deref(), Some("v1.31.2-gke.7"));
    assert_eq!(which(&tapped, "cluster2").as_deref(), Some(OF_SANDBOX));
    let asked = tapped.tap.seen().iter().filter(|asked| asks_version(asked)).count();
    assert_eq!(asked, 2, "each cluster is asked once");
    let clean = tapped.run(PLAN, with_version("v1.31.2-gke.7")).await;
    assert_eq!(clean.code, Some(0), "{clean}");
    let changed = tapped.run(PLAN, with_version("v1.32.1-gke.1")).await;
    assert_eq!(changed.code, Some(2), "{changed}");
    assert!(changed.stdout.contains("v1.31.2-gke.7 -> v1.32.1-gke.1"), "{changed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_where_no_chart_asks() {
    let (_, tapped) =
        tapped("kube-versions-unasked", &WHICH.replace(".Capabilities.KubeVersion.Version", "`any`")).await;
    for arguments in [APPLY, PLAN, &["destroy", "--auto-approve"]] {
        let ran = tapped.run(arguments, |asked| match asks_version(asked) {
            true => Deed::Text(500, "nobody was to ask"),
            false => Deed::Pass,
        });
        let ran = ran.await;
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(!tapped.tap.seen().iter().any(asks_version), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_say_its_version_is_unknown_and_left_alone() {
    let (_, tapped) = tapped("kube-versions-silent", WHICH).await;
    let silent = |asked: &Asked| match asks_version(asked) && asked.cluster == "cluster1" {
        true => Deed::Json(403, json!({ "kind": "Status", "message": "no version for you", "code": 403 })),
        false => Deed::Pass,
    };
    let applied = tapped.run(APPLY, with_version("v1.31.2-gke.7")).await;
    assert_eq!(applied.code, Some(0), "{applied}");
    for arguments in [PLAN, APPLY] {
        let ran = tapped.run(arguments, silent).await;
        assert_eq!(ran.code, Some(3), "{ran}");
        assert!(ran.stdout.contains("cluster1: read its version: no version for you"), "{ran}");
    }
    assert_eq!(which(&tapped, "cluster1").as_deref(), Some("v1.31.2-gke.7"), "it is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_stale_once_a_cluster_has_another_version() {
    let (folder, tapped) = tapped("kube-versions-saved", WHICH).await;
    let saved = tapped.run(&["plan", "--out", "mesh.plan"], with_version("v1.31.2-gke.7")).await;
    assert_eq!(saved.code, Some(0), "{saved}");
    let apply = |version| run_on(&tapped.tap, &folder, &["apply"], "mesh.plan", with_version(version));
    let stale = apply("v1.32.1-gke.1").await;
    assert_eq!(stale.code, Some(1), "{stale}");
    let said: Vec<&str> = stale.stderr.lines().take(2).collect();
    assert_eq!(
        said,
        [
            "error[plan-stale]: mesh.plan is no longer what an apply would do",
            "  cluster1: ConfigMap istio-system/which: something else is asked for"
        ]
    );
    assert_eq!(which(&tapped, "cluster1"), None, "nothing is written");
    let applied = apply("v1.31.2-gke.7").await;
    assert_eq!(applied.code, Some(0), "{applied}");
    assert_eq!(which(&tapped, "cluster1").as_deref(), Some("v1.31.2-gke.7"));
}

//! Plans and applies on real API servers, against kubectl on the same ones.
//!
//! Both do the same objects: what `compile` writes, with values in the place of markers, on clusters in which the
//! same happens by itself. kubectl goes cluster after cluster, as a person's script does; its waits are left out. Ours are measured and taken off in one
//! row, and left in in another: a gateway gets its address and a Deployment its pods as fast as the sandbox's
//! controllers and kube-controller-manager are, which is no merit of ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::support::back_end::BackEnd;
use crate::support::lent::Lent;
use crate::support::matrix::say;
use crate::support::meshes::{Meshes, desired, topology_text};
use crate::support::scratch::scratch;
use crate::support::servers::Assets;
use crate::table::{Against, Chosen, Row, median};

const KUBECTL_APPLY: &str = "kubectl apply --server-side";
const STOLOS: &str = env!("CARGO_BIN_EXE_stolos");
const TOPOLOGY: &str = "primary-remote-multi-network.yaml";
const CLUSTERS: [&str; 2] = ["cluster1", "cluster2"];
/// How often each apply is measured, on empty clusters each time.
const ROUNDS: usize = 7;

pub(crate) fn rows(chosen: &Chosen) -> Vec<Row> {
    if !chosen.has("servers") {
        return Vec::new();
    }
    if let Err(missing) = Assets::find() {
        say(&format!("left out: the rows `servers`, {missing}"));
        return Vec::new();
    }
    Runtime::new().expect("a runtime").block_on(measured())
}

async fn measured() -> Vec<Row> {
    let folder = scratch("bench-servers");
    fs::write(folder.join("mesh.yaml"), topology_text(TOPOLOGY)).expect("a file");
    let count = compile(&folder);
    let mut first = Vec::new();
    let mut without_waits = Vec::new();
    let mut kubectl_first = Vec::new();
    for round in 0..=ROUNDS {
        // The first round is for warming up.
        let theirs = kubectl_apply(&lent().await, &folder);
        let ours = stolos_apply(&lent().await, &folder);
        let worked = library_apply().await;
        if round > 0 {
            kubectl_first.push(theirs);
            first.push(ours);
            without_waits.push(worked);
        }
    }
    let lent = lent().await;
    stolos_apply(&lent, &folder);
    let plan = median(9, || {
        let status = stolos(&lent, &folder, &["plan", "--detailed-exitcode"]);
        assert_eq!(status, Some(0), "there is nothing to do");
    });
    let diff = median(3, || CLUSTERS.iter().for_each(|cluster| kubectl_diff(&lent, cluster, &folder)));
    drop(lent);
    let kubectl_first = middle(kubectl_first);
    let _ = fs::remove_dir_all(&folder);
    let row = |name: &str, ours, takes, times, other| Row {
        name: format!("servers: {name} of {count} objects"),
        ours,
        against: Against::Other { name: other, takes, times },
    };
    vec![
        row("no-op plan", plan, diff, 10.0, "kubectl diff --server-side"),
        row("first apply, waits aside,", middle(without_waits), kubectl_first, 3.0, KUBECTL_APPLY),
        row("first apply, waits and all,", middle(first), kubectl_first, 1.0, KUBECTL_APPLY),
    ]
}

fn middle(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}

/// Writes what both send, and gives how many objects there are.
fn compile(folder: &Path) -> usize {
    let status = Command::new(STOLOS)
        .args(["compile", "mesh.yaml", "-o", "out"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("the binary starts").success());
    let mut count = 0;
    for cluster in CLUSTERS {
        // CustomResourceDefinitions first: kubectl asks for the kinds that there are before it sends anything.
        for part in ["early", "late"] {
            fs::create_dir_all(folder.join(cluster).join(part)).expect("a folder");
        }
        for entry in fs::read_dir(folder.join("out").join(cluster)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = without_markers(&fs::read_to_string(&path).expect("a file"));
            count += text.lines().filter(|line| line.starts_with("kind: ")).count();
            let part = if name.as_str() < "40" { "early" } else { "late" };
            fs::write(folder.join(cluster).join(part).join(name), text).expect("a file");
        }
    }
    count
}

/// Puts a value where a marker stands.
fn without_markers(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let marker = &rest[start..start + length];
        out.push_str(&rest[..start]);
        out.push_str(if marker.ends_with(".address") { "203.0.113.1" } else { "dmFsdWU=" });
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}

fn kubectl(lent: &Lent, cluster: &str, arguments: &[&str], folder: &Path) -> Option<i32> {
    let mut command = Command::new(Assets::get().kubectl);
    command.args(["--context", cluster]).args(arguments).env("KUBECONFIG", lent.kubeconfig());
    // Its cache of kinds, kept from run to run as a person's is.
    command.env("HOME", folder).current_dir(folder);
    let output = command.output().expect("kubectl starts");
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    code
}

/// Empty clusters that do by themselves what clusters do, whoever fills them.
async fn lent() -> Lent {
    let mut lent = Lent::get(&CLUSTERS).await;
    let ids: BTreeMap<String, String> =
        CLUSTERS.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
    lent.start_data_plane(&ids).await;
    lent
}

/// How long kubectl takes for everything, cluster after cluster.
fn kubectl_apply(lent: &Lent, folder: &Path) -> Duration {
    // The data plane runs beside it.
    tokio::task::block_in_place(|| kubectl_applies(lent, folder))
}

fn kubectl_applies(lent: &Lent, folder: &Path) -> Duration {
    let mut taken = Duration::ZERO;
    for cluster in CLUSTERS {
        for part in ["early", "late"] {
            let files = format!("{cluster}/{part}");
            let arguments = ["apply", "--server-side", "--field-manager", "stolos", "-f", &files];
            let start = Instant::now();
            let code = kubectl(lent, cluster, &arguments, folder);
            taken += start.elapsed();
            assert_eq!(code, Some(0), "{cluster} {part}");
            if part == "early" {
                let established = ["wait", "--for", "condition=Established", "--all", "crd"];
                assert_eq!(kubectl(lent, cluster, &established, folder), Some(0));
            }
        }
    }
    taken
}

fn kubectl_diff(lent: &Lent, cluster: &str, folder: &Path) {
    let (early, late) = (format!("{cluster}/early"), format!("{cluster}/late"));
    let arguments = [
        "diff",
        "--server-side",
        "--field-manager",
        "stolos",
        "--force-conflicts",
        "-f",
        &early,
        "-f",
        &late,
    ];
    // 1 where something differs: the values in the place of markers do.
    kubectl(lent, cluster, &arguments, folder);
}

fn stolos(lent: &Lent, folder: &Path, arguments: &[&str]) -> Option<i32> {
    let output = Command::new(STOLOS)
        .args(arguments)
        .arg("--kubeconfig")
        .arg(lent.kubeconfig())
        .arg("mesh.yaml")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    let code = output.status.code();
    assert_eq!(code, Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    code
}

/// How long a first apply takes, waits and all.
fn stolos_apply(lent: &Lent, folder: &Path) -> Duration {
    let start = Instant::now();
    // The data plane runs beside it.
    tokio::task::block_in_place(|| stolos(lent, folder, &["apply", "--auto-approve"]));
    start.elapsed()
}

/// How long a first apply plans and sends, in this process: without the time in which it did nothing but wait.
async fn library_apply() -> Duration {
    let meshes =
        Meshes::on(BackEnd::ApiServers, "bench", desired("mesh.yaml", &topology_text(TOPOLOGY))).await;
    let start = Instant::now();
    let ran = meshes.apply().await;
    let taken = start.elapsed();
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    taken - ran.summary.waited
}

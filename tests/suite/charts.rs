//! Charts that are not in the binary: from a folder, from an archive, and what must not come from either.
//!
//! The embedded charts serve as anybody's own; Istio's are compared where a folder of them is at hand.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::support::archives::{CHARTS, files_below, packed};
use crate::support::back_end::BackEnd;
use crate::support::command::{Ran, repository, stolos};
use crate::support::commands::Commands;
use crate::support::meshes::{desired, topology_text};
use crate::support::scratch::scratch;

const FILE: &str = "primary-remote-multi-network.yaml";
const TOPOLOGIES: [&str; 5] =
    [FILE, "mixed.yaml", "multi-primary-multi-network.yaml", "multi-primary.toml", "primary-remote.yaml"];

/// A copy of the embedded charts in a folder.
pub(crate) fn copied(to: &Path) {
    for chart in CHARTS {
        for (path, content) in files_below(&repository("src/chart/embedded").join(chart)) {
            let path = to.join(chart).join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("scratch");
            fs::write(path, content).expect("scratch");
        }
    }
}

/// A topology whose charts come from a path.
pub(crate) fn on_charts(file: &str, path: &str) -> String {
    let text = topology_text(file);
    let changed = match file.ends_with(".toml") {
        true => text.replace("charts = \"embedded\"", &format!("charts = {{ path = \"{path}\" }}")),
        false => text.replace("charts: embedded", &format!("charts: {{ path: {path} }}")),
    };
    assert_ne!(changed, text, "{file}");
    changed
}

fn mesh(test: &str, path: &str) -> PathBuf {
    let folder = scratch(test);
    fs::write(folder.join("mesh.yaml"), on_charts(FILE, path)).expect("scratch");
    folder
}

fn compiled(folder: &Path) -> Ran {
    stolos(folder, &["compile", "mesh.yaml", "-o", "out"])
}

fn without_key_files(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    files.into_iter().filter(|(path, _)| path == "order.txt" || path.ends_with(".yaml")).collect()
}

#[test]
fn charts_of_a_folder_and_of_archives_compile_to_what_they_are_in_the_binary() {
    let expected = files_below(&repository("golden/primary-remote-multi-network"));
    let expected: BTreeMap<String, Vec<u8>> =
        expected.into_iter().filter(|(path, _)| path == "order.txt" || path.starts_with("cluster")).collect();
    for way in ["folder", "archives", "archive"] {
        let folder = mesh(&format!("charts-{way}"), if way == "archive" { "charts.tgz" } else { "charts" });
        match way {
            "folder" => copied(&folder.join("charts/deeper/still")),
            "archives" => {
                fs::create_dir(folder.join("charts")).expect("scratch");
                for chart in CHARTS {
                    fs::write(folder.join(format!("charts/{chart}-1.30.3.tgz")), packed(&[chart]))
                        .expect("scratch");
                }
            }
            _ => fs::write(folder.join("charts.tgz"), packed(&CHARTS)).expect("scratch"),
        }
        let ran = compiled(&folder);
        assert_eq!(ran.code, Some(0), "{way}: {ran}");
        assert_eq!(without_key_files(files_below(&folder.join("out"))), expected, "{way}");
    }
}

#[test]
fn charts_that_cannot_be_had_are_named_and_nothing_is_written() {
    let said = |folder: &Path| -> Vec<String> {
        let ran = compiled(folder);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(!folder.join("out").exists(), "something was written: {ran}");
        ran.stderr.lines().take_while(|line| !line.contains("stolos explain")).map(str::to_owned).collect()
    };
    assert_eq!(
        said(&mesh("charts-absent", "charts")),
        [
            "error[file-unreadable]: charts cannot be read",
            "  No such file or directory (os error 2)",
            "  named in mesh.yaml:6"
        ]
    );

    let folder = mesh("charts-missing", "charts");
    copied(&folder.join("charts"));
    fs::remove_dir_all(folder.join("charts/gateway")).expect("scratch");
    let missing = "error[chart-files]: chart gateway: there is no chart of this name in charts";
    assert_eq!(said(&folder), [missing, "  named in mesh.yaml:6"]);

    let folder = mesh("charts-version", "charts");
    copied(&folder.join("charts"));
    let text = fs::read_to_string(folder.join("mesh.yaml")).expect("scratch");
    fs::write(folder.join("mesh.yaml"), text.replace("1.30.3", "1.29.1")).expect("scratch");
    assert_eq!(
        said(&folder),
        [
            "error[chart-files]: chart base: charts has it in version 1.30.3 at charts/base, and `istio.version` is \
             1.29.1",
            "  named in mesh.yaml:6"
        ]
    );
}

#[cfg(unix)]
#[test]
fn a_link_in_a_chart_is_refused_whatever_it_leads_to() {
    let folder = mesh("charts-link", "charts");
    copied(&folder.join("charts"));
    std::os::unix::fs::symlink("/etc/passwd", folder.join("charts/istiod/files/leak.yaml")).expect("scratch");
    let ran = compiled(&folder);
    assert_eq!(ran.code, Some(1), "{ran}");
    let said: Vec<&str> = ran.stderr.lines().take(3).collect();
    assert_eq!(
        said,
        [
            "error[chart-archive]: charts/istiod/files/leak.yaml cannot be part of a chart",
            "  it is a link",
            "  named in mesh.yaml:6"
        ]
    );
}

#[test]
fn an_archive_that_was_cut_off_is_refused_at_every_length() {
    let folder = mesh("charts-cut", "charts.tgz");
    let whole = packed(&CHARTS);
    for tenths in 0..10 {
        fs::write(folder.join("charts.tgz"), &whole[..whole.len() * tenths / 10]).expect("scratch");
        let ran = compiled(&folder);
        assert_eq!(ran.code, Some(1), "{tenths}: {ran}");
        assert!(ran.stderr.starts_with("error[chart-archive]: charts.tgz cannot be unpacked\n"), "{ran}");
        assert!(!folder.join("out").exists(), "{tenths}: something was written");
    }
}

#[test]
fn a_saved_plan_is_stale_once_its_charts_are_others() {
    let folder = mesh("charts-saved", "charts");
    copied(&folder.join("charts"));
    let planned = stolos(&folder, &["plan", "--sandbox", "--out", "mesh.plan", "mesh.yaml"]);
    assert_eq!(planned.code, Some(0), "{planned}");
    assert!(
        planned.stdout.starts_with("Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (charts of charts)\n")
    );
    let chart = folder.join("charts/base/Chart.yaml");
    fs::OpenOptions::new()
        .append(true)
        .open(&chart)
        .and_then(|mut file| file.write_all(b"# another\n"))
        .expect("scratch");
    let applied = stolos(&folder, &["apply", "mesh.plan"]);
    assert_eq!(applied.code, Some(1), "{applied}");
    let said: Vec<&str> = applied.stderr.lines().take(2).collect();
    assert_eq!(
        said,
        ["error[plan-stale]: mesh.plan is no longer what an apply would do", "  charts was changed"]
    );
}

/// Istio's own charts, of each version that the folder has: `STOLOS_ISTIO_CHARTS/1.30.3`.
pub(crate) fn official() -> Vec<(String, PathBuf)> {
    let folder = std::env::var_os("STOLOS_ISTIO_CHARTS").expect("STOLOS_ISTIO_CHARTS names a folder");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = fs::canonicalize(entry.expect("an entry").path()).expect("a path");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        // A candidate stands for its release.
        let version = name.split('-').next().unwrap_or_default().to_owned();
        if version.starts_with("1.") {
            found.push((version, path));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no folder is called like a version");
    found
}

/// A topology on Istio's own charts.
fn on_official(file: &str, version: &str, charts: &Path) -> String {
    let text = on_charts(file, charts.to_str().expect("UTF-8"));
    let changed = text.replace("1.30.3", version);
    assert!(changed.contains(version), "{file}");
    changed
}

/// Applies a topology, plans it clean and takes it down again.
fn comes_is_clean_and_goes(commands: &Commands, what: &str) {
    for arguments in [
        &["apply", "--auto-approve", "--timeout", "60s"][..],
        &["plan", "--detailed-exitcode"],
        &["destroy", "--auto-approve", "--timeout", "60s"],
    ] {
        let ran = commands.stolos(arguments);
        assert_eq!(ran.code, Some(0), "{what}: {arguments:?}: {ran}");
    }
}

/// Whether a mesh has Istio's node agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agent {
    With,
    Without,
}

/// The same with the node agent.
fn with_agent(text: &str) -> String {
    let changed = match text.contains("[istio]") {
        true => text.replace("[istio]", "[istio]\ncni = \"enabled\""),
        false => text.replace("istio: { version:", "istio: { cni: enabled, version:"),
    };
    assert_ne!(changed, text);
    changed
}

async fn official_charts_come_are_clean_and_go(on: BackEnd, agent: Agent) {
    for (version, charts) in official() {
        for file in TOPOLOGIES {
            let what = format!("{file} on {version}, {agent:?} a node agent");
            let name = if file.ends_with(".toml") { "mesh.toml" } else { "mesh.yaml" };
            let text = on_official(file, &version, &charts);
            let (text, test) = match agent {
                Agent::With => (with_agent(&text), "charts-official-agent"),
                Agent::Without => (text, "charts-official"),
            };
            let commands = Commands::on_file(on, test, name, &text).await;
            comes_is_clean_and_goes(&commands, &what);
            crate::support::matrix::say(&format!("{what}: comes, is clean and goes ({on:?})"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes Istio's own charts: STOLOS_ISTIO_CHARTS"]
async fn official_charts_of_every_minor_serve_every_topology_in_the_sandbox() {
    official_charts_come_are_clean_and_go(BackEnd::Sandbox, Agent::Without).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes Istio's own charts: STOLOS_ISTIO_CHARTS"]
async fn official_charts_with_a_node_agent_serve_every_topology_in_the_sandbox() {
    official_charts_come_are_clean_and_go(BackEnd::Sandbox, Agent::With).await;
}

/// The folder's charts compile, with the node agent too, and pods are told of it by the cluster that injects them.
#[test]
#[ignore = "takes Istio's own charts: STOLOS_ISTIO_CHARTS"]
fn official_charts_with_a_node_agent_compile_every_topology() {
    for (version, charts) in official() {
        for file in TOPOLOGIES {
            let folder = scratch("charts-official-compile");
            let name = if file.ends_with(".toml") { "mesh.toml" } else { "mesh.yaml" };
            fs::write(folder.join(name), with_agent(&on_official(file, &version, &charts))).expect("scratch");
            let compile = |version: &str| {
                let ran = stolos(&folder, &["compile", name, "-o", "out", "--kube-version", version]);
                assert_eq!(ran.code, Some(0), "{file} on {version}: {ran}");
                files_below(&folder.join("out"))
            };
            let out = compile("1.33");
            let text = |path: &str| String::from_utf8(out[path].clone()).expect("UTF-8");
            let clusters: Vec<&str> =
                out.keys().filter_map(|path| path.strip_suffix("/35-cni.yaml")).collect();
            let all = out.keys().filter(|path| path.ends_with("/30-base.yaml")).count();
            assert_eq!(clusters.len(), all, "{file} on {version}");
            for cluster in clusters {
                let agent = text(&format!("{cluster}/35-cni.yaml"));
                assert!(
                    agent.contains("kind: DaemonSet") && agent.contains("name: istio-cni-node"),
                    "{agent}"
                );
                assert!(agent.contains(&format!("/install-cni:{version}")), "{file}: {agent}");
                let istiod = text(&format!("{cluster}/40-control-plane.yaml"));
                if istiod.contains("name: istio-sidecar-injector\n") && istiod.contains("kind: Deployment") {
                    let values = istiod.replace([' ', '\n'], "");
                    assert!(values.contains("\"cni\":{\"enabled\":true"), "{file} on {version}: {istiod}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes Istio's own charts and API servers: STOLOS_ISTIO_CHARTS, tests/kube/build-kube"]
async fn official_charts_of_every_minor_serve_every_topology_on_api_servers() {
    official_charts_come_are_clean_and_go(BackEnd::ApiServers, Agent::Without).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes Istio's own charts and API servers: STOLOS_ISTIO_CHARTS, tests/kube/build-kube"]
async fn official_charts_with_a_node_agent_serve_every_topology_on_api_servers() {
    official_charts_come_are_clean_and_go(BackEnd::ApiServers, Agent::With).await;
}

#[test]
fn a_profile_goes_to_every_chart_but_a_remotes_control_plane_and_a_platform_to_all() {
    let text = topology_text(FILE)
        .replace("charts: embedded", "charts: { path: charts }, profile: demo, platform: openshift");
    let desired = desired("mesh.yaml", &text);
    let mut seen = BTreeMap::new();
    for unit in &desired.units {
        let Some(release) = &unit.content.release else { continue };
        let platform = release.values["global"]["platform"].as_str();
        assert_eq!(platform, Some("openshift"), "{}", unit.unit);
        seen.insert(unit.unit.to_string(), release.values["profile"].as_str().unwrap_or("none"));
    }
    let expected = [
        ("cluster1/base", "demo"),
        ("cluster1/control-plane", "demo"),
        ("cluster1/eastwest-gateway", "demo"),
        ("cluster2/base", "demo"),
        ("cluster2/control-plane", "remote"),
        ("cluster2/eastwest-gateway", "demo"),
    ];
    assert_eq!(seen, expected.map(|(unit, profile)| (unit.to_owned(), profile)).into());
}

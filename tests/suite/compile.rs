//! `stolos compile` and `stolos graph` over every topology of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use stolos::document::{Sources, emit::to_yaml, yaml};

use crate::support::archives::files_below;
use crate::support::command::{repository, stolos};
use crate::support::golden;
use crate::support::scratch::scratch;

/// The valid topologies: file names by stem.
pub(crate) fn topologies() -> BTreeMap<String, String> {
    let entries = fs::read_dir(repository("topologies")).expect("the topologies");
    let files = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    let mut named = BTreeMap::new();
    for file in files {
        let stem = file.file_stem().expect("a stem").to_string_lossy().into_owned();
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(named.insert(stem, name.clone()), None, "{name} is not the only one of its stem");
    }
    named
}

/// The files of a folder by path.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let text = |(path, bytes): (String, Vec<u8>)| (path, String::from_utf8(bytes).expect("text"));
    files_below(folder).into_iter().map(text).collect()
}

/// What `compile --values` writes for a topology whose releases are installed from it.
fn printed_values(stem: &str, file: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(repository("topologies").join(file)).expect("a topology");
    if !text.contains("charts: external") {
        return BTreeMap::new();
    }
    let folder = scratch(&format!("values-{stem}"));
    let out = folder.to_string_lossy();
    let ran = stolos(&repository("topologies"), &["compile", "--values", file, "-o", &out]);
    assert_eq!(ran.code, Some(0), "{ran}");
    contents(&folder).into_iter().map(|(path, text)| (format!("values/{path}"), text)).collect()
}

#[test]
fn every_topology_compiles_and_plans_to_what_somebody_read() {
    for (stem, file) in topologies() {
        let folder = scratch(&format!("compile-{stem}"));
        let ran = stolos(&repository("topologies"), &["compile", &file, "-o", &folder.to_string_lossy()]);
        assert_eq!(ran.code, Some(0), "{ran}");
        let mut texts = contents(&folder);
        texts.extend(printed_values(&stem, &file));
        let graph = stolos(&repository("topologies"), &["graph", &file, "--format", "mermaid"]);
        texts.insert("graph.mmd".to_owned(), graph.stdout);
        // Against empty clusters: nothing in these plans depends on the clock or on chance.
        let sandbox = format!("--sandbox={}", scratch(&format!("plan-{stem}")).display());
        for (ending, format) in [("txt", "text"), ("json", "json"), ("md", "markdown")] {
            let plan = stolos(&repository("topologies"), &["plan", &file, &sandbox, "--format", format]);
            assert_eq!(plan.code, Some(0), "{plan}");
            texts.insert(format!("plan.{ending}"), plan.stdout);
        }
        golden::assert_folder(&stem, &texts);
    }
}

#[test]
fn every_folder_of_goldens_has_its_topology() {
    let folders: BTreeSet<String> = fs::read_dir(repository("golden"))
        .expect("the goldens")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "invalid")
        .collect();
    let stems: BTreeSet<String> = topologies().into_keys().collect();
    assert_eq!(folders, stems);
}

#[test]
fn no_golden_holds_a_secret() {
    for (path, text) in contents(&repository("golden")) {
        for sign in ["PRIVATE KEY", "BEGIN CERTIFICATE", "eyJhbGciOi"] {
            assert!(!text.contains(sign), "{path} holds {sign}");
        }
    }
}

#[test]
fn the_order_of_keys_in_a_file_decides_nothing() {
    for (stem, file) in topologies().into_iter().filter(|(_, file)| file.ends_with(".yaml")) {
        let text = fs::read_to_string(repository("topologies").join(&file)).expect("a topology");
        let mut sources = Sources::default();
        let id = sources.add(&file, &text);
        let node = yaml::parse_one(id, &text, yaml::Schema::Core, yaml::Limits::TOPOLOGY)
            .into_result()
            .expect("valid YAML")
            .expect("not empty");
        let folder = scratch(&format!("order-{stem}"));
        // Written by name, which is not the order of any of the files.
        fs::write(folder.join("sorted.yaml"), to_yaml(&node.to_json())).expect("scratch");
        let sorted = stolos(&folder, &["compile", "sorted.yaml", "-o", "out"]);
        assert_eq!(sorted.code, Some(0), "{sorted}");
        let mut expected = contents(&repository("golden").join(&stem));
        expected
            .retain(|path, _| path == "order.txt" || path.ends_with(".yaml") && !path.starts_with("values/"));
        assert_eq!(contents(&folder.join("out")), expected, "{file}");
    }
}

#[test]
fn compiling_again_writes_nothing_and_check_agrees() {
    let folder = scratch("compile-again");
    let topology = repository("topologies/primary-remote.yaml");
    let topology = topology.to_string_lossy();
    let first = stolos(&folder, &["compile", &topology, "-o", "out"]);
    assert_eq!(first.to_string(), "------- stderr -------\nout: 14 files written\n[exit 0]\n");
    let again = stolos(&folder, &["compile", &topology, "-o", "out"]);
    assert_eq!(again.to_string(), "------- stderr -------\nout: 0 files written, 14 unchanged\n[exit 0]\n");
    let check = stolos(&folder, &["compile", &topology, "-o", "out", "--check"]);
    assert_eq!(
        check.to_string(),
        "------- stderr -------\nout: 14 files as the topology compiles to\n[exit 0]\n"
    );
}

#[test]
fn check_shows_what_differs_and_writes_nothing() {
    let folder = scratch("compile-check");
    let text = "\
version: 1
mesh: { id: mesh1 }
istio: { charts: embedded }
trust: { root: generate }
networks: { network1: {} }
clusters:
  west: { network: network1, role: primary }
";
    fs::write(folder.join("mesh.yaml"), text).expect("scratch");
    assert_eq!(stolos(&folder, &["compile", "mesh.yaml", "-o", "out"]).code, Some(0));
    let namespace = folder.join("out/west/10-namespace.yaml");
    let edited = fs::read_to_string(&namespace).expect("compiled").replace("network1", "network9");
    fs::write(&namespace, &edited).expect("scratch");
    fs::remove_file(folder.join("out/west/30-base.yaml")).expect("compiled");
    let check = stolos(&folder, &["compile", "mesh.yaml", "-o", "out", "--check"]);
    assert_eq!(
        check.to_string(),
        "\
~ west/10-namespace.yaml
@@ -3,5 +3,5 @@
 metadata:
   labels:
     applyset.kubernetes.io/part-of: applyset-S_y92KgT_RY6M_GMJrDngmhnHglkYpl_7RtHXvvMfCM-v1
-    topology.istio.io/network: network9
+    topology.istio.io/network: network1
   name: istio-system
+ west/30-base.yaml: missing
------- stderr -------
error[compiled-differs]: out is not what mesh.yaml compiles to: 2 files
  help: stolos compile mesh.yaml -o out
        stolos explain compiled-differs
[exit 1]
"
    );
    assert_eq!(fs::read_to_string(&namespace).expect("compiled"), edited, "check writes nothing");
}

#[test]
fn a_cluster_that_is_gone_leaves_the_folder_and_files_of_others_stay() {
    let folder = scratch("compile-stale");
    let text = "\
version: 1
mesh: { id: mesh1 }
istio: { charts: embedded }
trust: { root: generate }
networks: { network1: {} }
clusters:
  east: { network: network1, role: primary, pods: [10.1.0.0/16] }
  west: { network: network1, role: primary, pods: [10.2.0.0/16] }
";
    fs::write(folder.join("mesh.yaml"), text).expect("scratch");
    assert_eq!(stolos(&folder, &["compile", "mesh.yaml", "-o", "out"]).code, Some(0));
    fs::write(folder.join("out/west/notes.txt"), "mine").expect("scratch");
    let without: String =
        text.lines().filter(|line| !line.contains("west")).map(|line| format!("{line}\n")).collect();
    fs::write(folder.join("mesh.yaml"), without).expect("scratch");
    assert_eq!(stolos(&folder, &["compile", "mesh.yaml", "-o", "out"]).code, Some(0));
    let left: Vec<String> =
        contents(&folder.join("out")).into_keys().filter(|path| path.starts_with("west")).collect();
    assert_eq!(left, ["west/notes.txt"]);
}

#[test]
fn a_file_that_a_topology_names_and_that_is_not_there_is_told_with_both_places() {
    let folder = scratch("compile-named-file");
    let text = "\
version: 1
mesh: { id: mesh1 }
istio: { charts: embedded }
trust: { root: generate }
networks: { network1: {} }
clusters:
  west:
    network: network1
    role: primary
    apiServer: { url: https://west.example.com:6443, ca: ca/west.pem }
";
    fs::write(folder.join("mesh.yaml"), text).expect("scratch");
    let ran = stolos(&folder, &["compile", "mesh.yaml", "-o", "out"]);
    assert_eq!(ran.code, Some(1));
    let said: Vec<&str> = ran.stderr.lines().take(3).collect();
    assert_eq!(
        said,
        [
            "error[file-unreadable]: ca/west.pem cannot be read",
            "  No such file or directory (os error 2)",
            "  named in mesh.yaml:10",
        ]
    );
    assert!(!folder.join("out").exists(), "nothing is written");
}

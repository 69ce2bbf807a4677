//! `stolos compile --values`: what a release would be given, as files.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use stolos::compile::{Desired, ROOT_DIGEST, Values};
use stolos::object::Object;

use crate::support::command::{repository, stolos};
use crate::support::meshes::{desired, topology_text};
use crate::support::owner::{Owner, printed};
use crate::support::scratch::scratch;

const FILES: [&str; 5] = [
    "mixed.yaml",
    "multi-primary-multi-network.yaml",
    "multi-primary.toml",
    "primary-remote-multi-network.yaml",
    "primary-remote.yaml",
];

/// An object without the annotation that is a matter of our own applies, and without our label.
fn plain(object: &Object) -> Value {
    let mut value = object.as_value().clone();
    if let Some(labels) = value["metadata"]["labels"].as_object_mut() {
        labels.remove(stolos::compile::PART_OF);
    }
    if let Some(labels) = value["metadata"].get("labels")
        && labels.as_object().is_some_and(serde_json::Map::is_empty)
    {
        value["metadata"].as_object_mut().expect("a map").remove("labels");
    }
    if object.kind() == "Deployment" {
        let annotations = value["spec"]["template"]["metadata"]["annotations"].as_object_mut();
        annotations.and_then(|annotations| annotations.remove(ROOT_DIGEST));
    }
    // It quotes all values.
    if object.kind() == "ConfigMap" && object.name() == "values" {
        value.as_object_mut().expect("a map").remove("data");
    }
    value
}

/// An address in the place of each marker of one.
fn filled(text: &str) -> Value {
    let marker = regex::Regex::new(r"\$\{[^}]*\.address\}").expect("valid");
    serde_json::from_str(&marker.replace_all(text, "203.0.113.50")).expect("JSON still")
}

/// The objects of each release, as Stolos installs them and as somebody does with the printed values.
fn both(desired: &Desired) -> BTreeMap<String, [BTreeMap<String, Value>; 2]> {
    let (owner, printed) = (Owner::with_embedded(), printed(desired));
    let named = |objects: &[Object]| -> BTreeMap<String, Value> {
        objects.iter().map(|object| (object.reference().to_string(), plain(object))).collect()
    };
    let units = desired.units.iter().filter(|unit| unit.content.release.is_some());
    let pairs = units.map(|unit| {
        let name = unit.unit.to_string();
        let theirs = owner.objects(unit, &filled(&printed[&name].to_string()));
        let mut ours = named(&unit.objects(&desired.mesh, &Values::default()).expect("it renders"));
        for own in &unit.content.objects {
            ours.remove(&own.reference().to_string());
        }
        let ours = ours.into_iter().map(|(object, value)| (object, filled(&value.to_string())));
        (name, [ours.collect(), named(&theirs)])
    });
    pairs.collect()
}

#[test]
fn whoever_installs_with_them_installs_what_stolos_would() {
    for file in FILES {
        let desired = desired(file, &topology_text(file));
        for (unit, [ours, theirs]) in both(&desired) {
            assert_eq!(ours, theirs, "{file}: {unit}");
        }
        for (unit, values) in printed(&desired) {
            assert!(!values.to_string().contains(ROOT_DIGEST), "{file}: {unit}");
        }
    }
}

#[test]
fn values_that_exist_only_later_are_warned_of_and_named_in_the_file() {
    let folder = scratch("values-open");
    let topology = repository("topologies/primary-remote-multi-network.yaml");
    let ran = stolos(&folder, &["compile", "--values", &topology.to_string_lossy(), "-o", "out"]);
    assert_eq!(
        ran.to_string(),
        "\
------- stderr -------
warning: ${cluster1/eastwest-gateway.address} is known only once the mesh runs: declare addresses (controlPlane.address, eastWestGateway.addresses) to have it in the files
out: 7 files written
[exit 0]
"
    );
    let text = fs::read_to_string(folder.join("out/cluster2/istiod.yaml")).expect("written");
    let comment: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
    assert_eq!(
        comment,
        [
            "# Release istiod in namespace istio-system of cluster2: chart istiod 1.30.3.",
            "# Written by `stolos compile --values`: to change something, change the topology.",
            "# helm upgrade --install istiod istiod --repo https://istio-release.storage.googleapis.com/charts --version 1.30.3 --kube-context cluster2 -n istio-system -f cluster2/istiod.yaml",
            "# Known only once the mesh runs, to be put in by hand: ${cluster1/eastwest-gateway.address}",
        ]
    );
    assert!(text.contains("remotePilotAddress: ${cluster1/eastwest-gateway.address}"), "{text}");
    let complete = fs::read_to_string(folder.join("out/cluster1/istiod.yaml")).expect("written");
    assert!(!complete.contains("${"), "{complete}");
}

#[test]
fn a_folder_of_values_is_checked_and_loses_what_is_no_longer_asked_for() {
    let folder = scratch("values-check");
    let text = topology_text("external-multi-network.yaml");
    fs::write(folder.join("mesh.yaml"), &text).expect("scratch");
    let compile = ["compile", "--values", "mesh.yaml", "-o", "out"];
    assert_eq!(stolos(&folder, &compile).code, Some(0));
    let check = ["compile", "--values", "mesh.yaml", "-o", "out", "--check"];
    assert_eq!(stolos(&folder, &check).code, Some(0));
    // Manifests lie beside values, and neither takes away the other's.
    assert_eq!(stolos(&folder, &["compile", "mesh.yaml", "-o", "out"]).code, Some(0));
    assert_eq!(stolos(&folder, &check).code, Some(0));
    fs::write(folder.join("out/cluster1/notes.yaml"), "mine").expect("scratch");
    let file = folder.join("out/cluster1/istiod.yaml");
    let edited = fs::read_to_string(&file).expect("written").replace("meshID: mesh1", "meshID: mesh2");
    fs::write(&file, edited).expect("scratch");
    let ran = stolos(&folder, &check);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stdout.contains("-  meshID: mesh2\n+  meshID: mesh1\n"), "{ran}");
    assert!(ran.stderr.contains("help: stolos compile --values mesh.yaml -o out\n"), "{ran}");
    let without = text.replace(
        "    eastWestGateway: { addresses: [203.0.113.7] }\n",
        "    controlPlane: { address: 203.0.113.7, expose: none }\n    eastWestGateway: false\n",
    );
    let without =
        without.replace("network: network2\n", "network: network1\n").replace("  network2: {}\n", "");
    assert_ne!(without, text);
    fs::write(folder.join("mesh.yaml"), without).expect("scratch");
    let ran = stolos(&folder, &compile);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.ends_with("1 no longer asked for and removed\n"), "{ran}");
    assert!(!folder.join("out/cluster1/gateway.yaml").exists());
    assert!(folder.join("out/cluster1/notes.yaml").exists());
    assert!(
        folder.join("out/cluster1/50-eastwest-gateway.yaml").exists()
            || folder.join("out/order.txt").exists()
    );
}

#[test]
fn a_node_agent_that_others_install_is_waited_for_before_what_needs_it() {
    let text = topology_text("external-multi-network.yaml")
        .replace("charts: external", "charts: external, cni: enabled");
    let folder = scratch("external-cni");
    fs::write(folder.join("mesh.yaml"), text).expect("scratch");
    let ran = stolos(&folder, &["compile", "--values", "mesh.yaml", "-o", "values"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let values = fs::read_to_string(folder.join("values/cluster1/cni.yaml")).expect("its values");
    assert!(
        values.starts_with("# Release istio-cni in namespace istio-system of cluster1: chart cni 1.30.3.\n"),
        "{values}"
    );
    let istiod = fs::read_to_string(folder.join("values/cluster1/istiod.yaml")).expect("its values");
    assert!(istiod.contains("  cni:\n    enabled: true\n"), "{istiod}");

    let planned = stolos(&folder, &["plan", "--sandbox", "mesh.yaml"]);
    assert_eq!(planned.code, Some(0), "{planned}");
    let line =
        planned.stdout.lines().find(|line| line.contains("cluster1/cni ")).expect("a line of the plan");
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>().join(" "),
        ". cluster1/cni waits for others to install release istio-cni"
    );
    let told = stolos(&folder, &["explain", "cluster1/cni", "mesh.yaml"]);
    assert!(
        told.stdout.contains("  done when  others have installed release istio-cni as the topology asks\n"),
        "{told}"
    );
}

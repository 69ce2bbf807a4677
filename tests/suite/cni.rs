//! Istio's node agent: where it comes in the order, when it is done, and what istiod is told of it.
//!
//! A chart of a few lines stands for Istio's, which are tried where a folder of them is at hand (`charts`).

use std::fs;
use std::path::Path;

use stolos::graph::{Unit, UnitKind};

use crate::charts::{copied, on_charts};
use crate::support::command::stolos;
use crate::support::meshes::{desired, topology_text};
use crate::support::scratch::scratch;

const FILE: &str = "primary-remote-multi-network.yaml";

/// The chart of the agent, whose pods run as this account.
fn agent_chart(folder: &Path, account: &str) {
    let chart = folder.join("charts/cni");
    fs::create_dir_all(chart.join("templates")).expect("scratch");
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: cni\nversion: 1.30.3\n".to_owned()),
        ("values.yaml", "global: { tag: none }\nlogging: { level: info }\n".to_owned()),
        (
            "templates/account.yaml",
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: istio-cni, namespace: {{ .Release.Namespace }} }\n"
                .to_owned(),
        ),
        (
            "templates/daemons.yaml",
            format!(
                "apiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: istio-cni-node\n  namespace: {{{{ .Release.Namespace }}}}\n\
                 spec:\n  selector: {{ matchLabels: {{ k8s-app: istio-cni-node }} }}\n  template:\n    metadata: {{ labels: {{ k8s-app: istio-cni-node }} }}\n    \
                 spec:\n      serviceAccountName: {account}\n      containers:\n        - name: {{{{ .Release.Name }}}}\n          \
                 image: install-cni:{{{{ .Values.global.tag }}}}\n          args: [\"{{{{ .Values.logging.level }}}}\"]\n"
            ),
        ),
    ];
    for (path, text) in files {
        fs::write(chart.join(path), text).expect("scratch");
    }
}

/// A folder with a mesh on charts of its own, whose istiod takes what the embedded one refuses.
fn mesh(test: &str, istio: &str) -> std::path::PathBuf {
    let folder = scratch(test);
    copied(&folder.join("charts"));
    fs::remove_file(folder.join("charts/istiod/templates/zzz_check.yaml")).expect("scratch");
    let text =
        on_charts(FILE, "charts").replace("istio: { version:", &format!("istio: {{ {istio}, version:"));
    fs::write(folder.join("mesh.yaml"), text).expect("scratch");
    folder
}

#[test]
fn the_node_agent_comes_before_whatever_relies_on_it() {
    let folder = mesh("cni-order", "cni: enabled, values: { cni: { logging: { level: debug } } }");
    agent_chart(&folder, "istio-cni");
    let ran = stolos(&folder, &["compile", "mesh.yaml", "-o", "out"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let order = fs::read_to_string(folder.join("out/order.txt")).expect("it was written");
    let place = |unit: &str| order.lines().position(|line| line.contains(&format!(" {unit} "))).expect(unit);
    for cluster in ["cluster1", "cluster2"] {
        let unit = |name: &str| place(&format!("{cluster}/{name}"));
        assert!(unit("namespace") < unit("cni") && unit("cni") < unit("control-plane"), "{order}");
        let agent =
            fs::read_to_string(folder.join(format!("out/{cluster}/35-cni.yaml"))).expect("it was written");
        for part in ["name: istio-cni\n", "image: install-cni:1.30.3", "- debug\n", "namespace: istio-system"]
        {
            assert!(agent.contains(part), "{part}: {agent}");
        }
    }
    let explained = stolos(&folder, &["explain", "cluster2/cni", "mesh.yaml"]);
    assert_eq!(explained.code, Some(0), "{explained}");
    for line in [
        "Chart cni: the node agent that redirects the traffic of pods, so that they need no rights for it.",
        "  cluster2/namespace  its objects live in the mesh namespace",
        "  cluster2/control-plane     injected pods begin only where it redirects their traffic",
        "  cluster2/eastwest-gateway  injected pods begin only where it redirects their traffic",
        "  cluster2/app-namespaces    injected pods begin only where it redirects their traffic",
        "the newest form of DaemonSet istio-system/istio-cni-node runs on every node that it is for",
    ] {
        assert!(explained.stdout.contains(line), "{line}: {explained}");
    }
}

#[test]
fn a_mesh_with_a_node_agent_comes_is_clean_and_goes() {
    let folder = mesh("cni-comes", "cni: enabled");
    agent_chart(&folder, "istio-cni");
    let planned = stolos(&folder, &["plan", "--sandbox", "mesh.yaml"]);
    assert!(
        planned.stdout.contains(
            "  + cluster1/cni                      2 objects    waits until it runs on every node\n"
        ),
        "{planned}"
    );
    for arguments in
        [&["apply", "--auto-approve"][..], &["plan", "--detailed-exitcode"], &["destroy", "--auto-approve"]]
    {
        let ran = stolos(&folder, &[arguments, &["--sandbox", "mesh.yaml"]].concat());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran}");
    }
    let rights = stolos(&folder, &["rbac", "apply", "--cluster", "cluster2", "mesh.yaml"]);
    let mut rules = rights.stdout.split("- apiGroups:");
    let is_named = |rule: &&str| rule.contains("daemonsets") && rule.contains("- istio-cni-node\n");
    assert!(rules.any(|rule| is_named(&rule) && rule.contains("- patch\n")), "{rights}");
}

#[test]
fn a_node_agent_that_does_not_run_holds_back_what_relies_on_it_and_says_why() {
    let folder = mesh("cni-waits", "cni: enabled");
    agent_chart(&folder, "nobody");
    let ran = stolos(&folder, &["apply", "--sandbox", "--auto-approve", "--timeout", "2s", "mesh.yaml"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    for part in [
        "error[wait-timeout]: cluster1/cni waited 2s for DaemonSet istio-system/istio-cni-node to run on every node",
        "its newest form is on 0 of 1 nodes, and it is available on 0",
        "pods that are injected meanwhile do not begin on the others",
        "FailedCreate",
        "service account istio-system/nobody",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {ran}");
    }
    assert!(!ran.stderr.contains("cluster1/control-plane           1"), "{ran}");
}

#[test]
fn an_agent_of_others_is_told_to_istiod_and_nothing_is_installed() {
    let folder = mesh("cni-external", "cni: external");
    let ran = stolos(&folder, &["compile", "mesh.yaml", "-o", "out"]);
    assert_eq!(ran.code, Some(0), "no chart cni is looked for: {ran}");
    assert!(!folder.join("out/cluster1/35-cni.yaml").exists());
    for (word, told) in [("enabled", true), ("external", true)] {
        let text = topology_text(FILE)
            .replace("charts: embedded", &format!("charts: {{ path: charts }}, cni: {word}"));
        let desired = desired("mesh.yaml", &text);
        for cluster in ["cluster1", "cluster2"] {
            let unit = Unit::new(&cluster.into(), UnitKind::ControlPlane);
            let release =
                desired.unit(&unit).and_then(|unit| unit.content.release.as_ref()).expect("a release");
            assert_eq!(release.values["pilot"]["cni"]["enabled"], told, "{word}: {cluster}");
        }
        let agents = desired.units.iter().filter(|unit| unit.unit.kind == UnitKind::Cni).count();
        assert_eq!(agents, if word == "enabled" { 2 } else { 0 }, "{word}");
    }
    let plain = desired("mesh.yaml", &topology_text(FILE));
    let unit = Unit::new(&"cluster1".into(), UnitKind::ControlPlane);
    let release = plain.unit(&unit).and_then(|unit| unit.content.release.as_ref()).expect("a release");
    assert!(!release.values["pilot"].as_object().is_some_and(|pilot| pilot.contains_key("cni")));
}

#[test]
fn a_chart_of_the_agent_that_is_not_there_is_named() {
    let folder = mesh("cni-missing", "cni: enabled");
    let ran = stolos(&folder, &["compile", "mesh.yaml", "-o", "out"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr.starts_with("error[chart-files]: chart cni: there is no chart of this name in charts\n"),
        "{ran}"
    );
}

#[test]
fn a_value_that_says_whether_there_is_an_agent_is_the_topologys() {
    for (chart, values, key) in [
        ("istiod", "pilot: { cni: { enabled: false } }", "istio.cni"),
        ("istiod", "cni: { enabled: true }", "istio.cni"),
        ("cni", "global: { tag: x }", "istio.version"),
        ("cni", "profile: ambient", "istio.profile"),
    ] {
        let folder = mesh("cni-owned", &format!("cni: enabled, values: {{ {chart}: {{ {values} }} }}"));
        let ran = stolos(&folder, &["validate", "mesh.yaml"]);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(
            ran.stderr.contains("error[value-owned-by-topology]") && ran.stderr.contains(key),
            "{values}: {ran}"
        );
    }
    // Whose plugin it is, is the user's to say.
    let folder =
        mesh("cni-owned", "cni: enabled, values: { istiod: { pilot: { cni: { provider: multus } } } }");
    assert_eq!(stolos(&folder, &["validate", "mesh.yaml"]).code, Some(0));
}

/// Of each unit that waits for an agent, it is that of its own cluster: an agent elsewhere holds up nobody.
#[test]
fn an_agent_holds_up_its_own_cluster_alone() {
    let text =
        topology_text("mixed.yaml").replace("charts: embedded", "charts: { path: charts }, cni: enabled");
    let desired = desired("mesh.yaml", &text);
    let waiting =
        desired.units.iter().flat_map(|unit| unit.after.iter().map(move |edge| (&unit.unit, &edge.unit)));
    let agents: Vec<(&Unit, &Unit)> = waiting.filter(|(_, first)| first.kind == UnitKind::Cni).collect();
    assert!(agents.len() >= 15, "{agents:?}");
    assert!(agents.iter().all(|(unit, first)| unit.cluster == first.cluster), "{agents:?}");
}

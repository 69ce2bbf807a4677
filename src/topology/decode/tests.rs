use serde_json::json;

use super::*;
use crate::topology::{
    ChartName, Charts, ClusterName, Dns, Expose, GatewayChoice, Host, Injection, IstioVersion, Mtls, Role,
    Root, ServiceType,
};

pub(super) fn parse_files(files: &[(&str, &str)]) -> (Sources, Parsed) {
    let mut sources = Sources::default();
    let ids: Vec<SourceId> = files.iter().map(|(name, text)| sources.add(*name, *text)).collect();
    let parsed = parse(&sources, &ids);
    (sources, parsed)
}

fn parse_text(text: &str) -> Parsed {
    parse_files(&[("t.yaml", text)]).1
}

fn valid(files: &[(&str, &str)]) -> Topology {
    let (_, parsed) = parse_files(files);
    assert_eq!(parsed.diagnostics, []);
    parsed.topology.expect("nothing is wrong")
}

/// `code file:words`, with the clash behind an arrow, for each finding.
fn told(files: &[(&str, &str)]) -> Vec<String> {
    let (sources, parsed) = parse_files(files);
    let words = |span: Span| {
        let source = sources.get(span.source);
        format!("{}:{}", source.name, &source.text[span.range()])
    };
    parsed
        .diagnostics
        .iter()
        .map(|finding| {
            let clash = finding.secondary.iter().map(|label| format!(" <- {}", words(label.span)));
            format!("{} {}{}", finding.code.name, words(finding.primary.span), clash.collect::<String>())
        })
        .collect()
}

fn in_text(text: &str) -> Vec<String> {
    told(&[("t.yaml", text)])
        .into_iter()
        .map(|line| line.replace(" t.yaml:", " ").replace("- t.yaml:", "- "))
        .collect()
}

/// A topology in which every key of the table is written.
pub(super) const EVERY_KEY: &str = r#"
version: 1
mesh: { id: mesh1, trustDomain: example.org, namespace: istio-mesh, mtls: strict, dns: off }
istio:
  version: 1.30
  charts: embedded
  values: { base: { a: 1 }, istiod: { pilot: { x: 1, y: 1, z: [1, 2] } }, gateway: }
trust: { root: { generate: { in: c1 } } }
networks:
  n1: { eastWestGateway: { replicas: 2, service: { type: NodePort } } }
  n2:
defaults:
  context: shared
  id: same
  apiServer: { ca: ca.pem, serverName: api }
  pods: [10.0.0.0/16]
  services: [10.96.0.0/12]
  controlPlane: { expose: none, address: cp.example.com }
  eastWestGateway: { service: { annotations: { a: x, b: x } }, ports: { 15443: 1, 15021: 2 } }
  timeouts: { base: 90s, control-plane: 10m }
  values: { istiod: { pilot: { y: 2, w: 2 } } }
clusters:
  c1:
    network: n1
    role: primary
    apiServer: https://api.c1.example.com:6443
    eastWestGateway: false
  c2:
    network: n2
    role: remote
    primaries: [c1]
    context: two
    id: second
    apiServer: { url: https://api.c2.example.com, ca: other.pem }
    pods: [10.1.0.0/16, "fd00::/64"]
    services: []
    controlPlane: { expose: loadBalancer, address: 203.0.113.9 }
    eastWestGateway:
      addresses: [203.0.113.7, gw.example.com]
      ports: { 15443: 32443 }
      service: { type: ClusterIP, annotations: { b: y }, sourceRanges: [192.0.2.0/24] }
      replicas: 3
    timeouts: { control-plane: 1h30m, remote-secret: 2m }
    values: { istiod: { pilot: { z: [3], x: null } } }
namespaces:
  sample: { injection: manual, clusters: [c1] }
  plain:
"#;

#[test]
fn every_key_comes_to_its_place() {
    let topology = valid(&[("t.yaml", EVERY_KEY)]);
    assert_eq!(topology.mesh.id.value, "mesh1");
    assert_eq!(topology.mesh.trust_domain, "example.org");
    assert_eq!(topology.mesh.namespace.as_str(), "istio-mesh");
    assert_eq!((topology.mesh.mtls, topology.mesh.dns.map(|dns| dns.value)), (Mtls::Strict, Some(Dns::Off)));
    assert_eq!(topology.istio.version.map(|version| version.value), IstioVersion::parse("1.30").ok());
    assert_eq!(topology.istio.charts.map(|charts| charts.value), Some(Charts::Embedded));
    let Some(Root::Generate { keeper: Some(keeper) }) = topology.root.map(|root| root.value) else {
        panic!()
    };
    assert_eq!(keeper.value.as_str(), "c1");
    assert_eq!(topology.networks.keys().map(NetworkName::as_str).collect::<Vec<_>>(), ["n1", "n2"]);
    let network = topology.networks["n1"].east_west_gateway.as_ref().expect("settings");
    assert_eq!(network.replicas.map(|replicas| replicas.value), Some(2));
    assert_eq!(network.service_type.map(|kind| kind.value), Some(ServiceType::NodePort));

    let one = &topology.clusters["c1"];
    assert_eq!((one.context(), one.id(), &one.role.value), ("shared", "same", &Role::Primary));
    let api = one.api_server.as_ref().expect("an API server");
    assert_eq!(api.url.value, "https://api.c1.example.com:6443");
    assert_eq!(api.ca.as_ref().map(|ca| ca.value.as_str()), Some("ca.pem"));
    assert_eq!(one.east_west_gateway.as_ref().map(|choice| &choice.value), Some(&GatewayChoice::Off));
    assert_eq!(one.pods.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/16"]);
    assert_eq!(one.control_plane.expose.map(|expose| expose.value), Some(Expose::None));

    let two = &topology.clusters["c2"];
    assert_eq!((two.context(), two.id()), ("two", "second"));
    assert_eq!(two.primaries().iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["c1"]);
    let api = two.api_server.as_ref().expect("an API server");
    assert_eq!(api.ca.as_ref().map(|ca| ca.value.as_str()), Some("other.pem"));
    assert_eq!(api.server_name.as_ref().map(|name| name.value.as_str()), Some("api"));
    assert_eq!(two.pods.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.1.0.0/16", "fd00::/64"]);
    assert_eq!(two.services, []);
    assert_eq!(two.control_plane.expose.map(|expose| expose.value), Some(Expose::LoadBalancer));
    let Some(GatewayChoice::On(gateway)) = two.east_west_gateway.as_ref().map(|choice| &choice.value) else {
        panic!()
    };
    assert_eq!(
        gateway.addresses.iter().map(|address| address.value.clone()).collect::<Vec<_>>(),
        [Host::Ip([203, 0, 113, 7].into()), Host::Name("gw.example.com".to_owned())]
    );
    let ports: Vec<_> = gateway.ports.iter().map(|(port, at)| (*port, at.value)).collect();
    assert_eq!(ports, [(15021, 2), (15443, 32443)]);
    assert_eq!(json!(gateway.annotations), json!({"a": "x", "b": "y"}));
    assert_eq!(gateway.service_type.map(|kind| kind.value), Some(ServiceType::ClusterIp));
    assert_eq!(gateway.source_ranges.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.0/24"]);
    assert_eq!(gateway.replicas.map(|replicas| replicas.value), Some(3));

    let timeouts = |cluster: &crate::topology::Cluster| -> Vec<(&'static str, u64)> {
        cluster.timeouts.iter().map(|(unit, time)| (unit.as_str(), time.as_secs())).collect()
    };
    assert_eq!(timeouts(one), [("base", 90), ("control-plane", 600)]);
    assert_eq!(timeouts(two), [("base", 90), ("control-plane", 5400), ("remote-secret", 120)]);

    let sample = &topology.namespaces["sample"];
    assert_eq!(sample.injection, Injection::Manual);
    assert_eq!(sample.clusters.as_ref().map(Vec::len), Some(1));
    let plain = &topology.namespaces["plain"];
    assert_eq!((plain.injection, plain.clusters.is_none()), (Injection::Enabled, true));
}

#[test]
fn values_are_merged_from_the_mesh_to_the_cluster_with_the_place_of_the_last_word() {
    let topology = valid(&[("t.yaml", EVERY_KEY)]);
    let of = |name: &str| &topology.clusters[name].values.by_chart[&ChartName::Istiod];
    assert_eq!(json!(of("c1").map), json!({"pilot": {"x": 1, "y": 2, "z": [1, 2], "w": 2}}));
    assert_eq!(json!(of("c2").map), json!({"pilot": {"x": null, "y": 2, "z": [3], "w": 2}}));
    let words = |path: &[&str]| {
        let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        &EVERY_KEY[of("c2").places[&path].range()]
    };
    assert_eq!(words(&["pilot", "z"]), "[3]");
    assert_eq!(words(&["pilot", "w"]), "2");
    assert_eq!(words(&["pilot"]), "{ z: [3], x: null }");
    assert_eq!(of("c2").places.len(), 5);
    let base = |name: &str| &topology.clusters[name].values.by_chart[&ChartName::Base];
    assert!(std::sync::Arc::ptr_eq(base("c1"), base("c2")), "what no cluster changes is held once");
    assert_eq!(
        json!(topology.istio.values.by_chart[&ChartName::Istiod].map),
        json!({"pilot": {"x": 1, "y": 1, "z": [1, 2]}})
    );
}

#[test]
fn a_folder_is_one_topology() {
    let together = valid(&[
        (
            "a.yaml",
            "version: 1\nmesh: {id: m}\nnetworks: {n1: }\nclusters: {c1: {network: n1, role: primary}}\n",
        ),
        ("b.toml", "version = 1\n[networks.n2]\n[clusters.c2]\nnetwork = 'n2'\nrole = 'primary'\n"),
    ]);
    let alone = valid(&[(
        "a.yaml",
        "version: 1\nmesh: {id: m}\nnetworks: {n1: , n2: }\nclusters: {c1: {network: n1, role: primary}, c2: {network: n2, role: primary}}\n",
    )]);
    assert_eq!(together, alone);
}

#[test]
fn what_two_files_declare_is_shown_at_both_places() {
    let files = [
        ("a.yaml", "version: 1\nmesh: {id: m}\nclusters: {c1: {network: n, role: primary}}\n"),
        ("b.yaml", "version: 1\nmesh: {id: m}\nclusters: {c1: {network: n, role: primary}}\n"),
        ("c.yaml", "networks: {n: }\n"),
        ("d.yaml", ""),
    ];
    assert_eq!(
        told(&files),
        [
            "key-duplicate b.yaml:mesh <- a.yaml:mesh",
            "key-duplicate b.yaml:c1 <- a.yaml:c1",
            "key-missing c.yaml:",
            "topology-empty d.yaml:",
        ]
    );
}

#[test]
fn all_findings_of_a_file_are_told_at_once() {
    let text = "
version: 2
mesh: { name: m, mtls: no }
istio: { version: 1.22, charts: { oci: x }, valuse: {} }
trust: { root: existing }
federation: []
networks: [a]
defaults: { role: primary, pods: 10.0.0.0/8 }
clusters:
  c1: { network: n1, role: master, network: n2, mesh: x }
  c2: { role: remote, apiServer: {} }
  c3: { network: n1, role: remote, primaries: [] }
  c4: { network: n1, role: primary, primaries: [c1], pods: [10.0.0.1, x, 10.0.0.0/33] }
  c5: { network: 5, role: primary, eastWestGateway: true, controlPlane: { address: 'gw:15012' } }
  c6: { network: n1, role: primary, eastWestGateway: { ports: { 0: 1, 15443: 70000 }, replicas: 1.5, service: { type: nodePort, annotations: { a: 1 } } } }
  c7: { network: n1, role: primary, values: { pilot: {}, istiod: { a: 1, a: 2 }, base: [] } }
namespaces: { sample: { injection: on, clusters: all } }
";
    assert_eq!(
        in_text(text),
        [
            "version-unsupported 2",
            "key-missing mesh",
            "key-unknown name",
            "value-unknown no",
            "istio-version-unknown 1.22",
            "charts-url-malformed x",
            "key-unknown valuse",
            "root-malformed existing",
            "key-unknown federation",
            "type-mismatch [a]",
            "key-unknown role",
            "type-mismatch 10.0.0.0/8",
            "value-unknown master",
            "key-duplicate network <- network",
            "key-unknown mesh",
            "key-missing c2",
            "primaries-missing remote <- c2",
            "key-missing {}",
            "primaries-missing []",
            "primaries-on-primary primaries <- primary",
            "cidr-malformed 10.0.0.1",
            "cidr-malformed x",
            "cidr-malformed 10.0.0.0/33",
            "type-mismatch 5",
            "type-mismatch true",
            "address-malformed 'gw:15012'",
            "port-out-of-range 0",
            "port-out-of-range 70000",
            "number-out-of-range 1.5",
            "value-unknown nodePort",
            "type-mismatch 1",
            "key-unknown pilot",
            "key-duplicate a <- a",
            "type-mismatch []",
            "value-unknown on",
            "type-mismatch all",
        ]
    );
}

#[test]
fn an_unknown_key_is_told_the_nearest_and_the_known() {
    let parsed = parse_text(
        "version: 1\nmesh: {id: m}\nclusters: {c: {network: n, role: primary, controlplane: {}}}\n",
    );
    let helps: Vec<_> =
        parsed.diagnostics.iter().map(|finding| finding.help.as_deref().unwrap_or("")).collect();
    assert_eq!(
        helps,
        [
            "did you mean `controlPlane`? Keys: network, role, primaries, context, id, apiServer, pods, services and 4 more."
        ]
    );
    assert!(parsed.topology.is_some(), "rules can judge the rest");
}

#[test]
fn a_topology_is_given_when_no_rule_would_be_misled() {
    let head = "version: 1\nmesh: {id: m}\n";
    let given = |rest: &str| parse_text(&format!("{head}{rest}")).topology.is_some();
    assert!(given("clusters: {c: {network: n, role: primary, pods: [x], extra: 1}}"));
    assert!(!given("clusters: {c: {network: n, role: primry}}"));
    assert!(!given("clusters: {c: {network: n, role: primary}, d: {role: primary}}"));
    assert!(!given("clusters: {c: {network: n, role: primary}}\nnetworks: {n: {}"));
}

#[test]
fn a_syntax_error_hides_nothing_but_its_own_part() {
    let text = "version: 1\nmesh: {id: m, dsn: off}\nistio: {version: 1.30\nclusters:\n  c: {network: n, role: primry}\n";
    assert_eq!(in_text(text), ["key-unknown dsn", "yaml-syntax : <- {", "value-unknown primry"]);
}

#[test]
fn what_holds_no_topology_is_told_so() {
    for text in ["", "# nothing\n", "---\n", "~"] {
        assert_eq!(in_text(text), ["topology-empty "], "{text:?}");
    }
    assert_eq!(in_text("- a\n"), ["type-mismatch - a"]);
    assert_eq!(in_text("version: 1\nmesh: {id: m}\nclusters: {}\n"), ["topology-empty "]);
    assert_eq!(
        told(&[("t.toml", "")]),
        ["key-missing t.toml:", "key-missing t.toml:", "key-missing t.toml:"]
    );
}

#[test]
fn a_thousand_clusters_share_their_values() {
    let mut text = "version: 1\nmesh: {id: m}\nnetworks: {n: }\ndefaults: {values: {istiod: {a: {b: [1, 2, 3]}}}}\nclusters:\n  p: {network: n, role: primary}\n".to_owned();
    for number in 1..1000 {
        text.push_str(&format!("  c{number}: {{network: n, role: remote, primaries: [p]}}\n"));
    }
    let topology = valid(&[("t.yaml", &text)]);
    let first = &topology.clusters["p"].values.by_chart[&ChartName::Istiod];
    assert_eq!(topology.clusters.len(), 1000);
    assert!(
        topology
            .clusters
            .values()
            .all(|cluster| { std::sync::Arc::ptr_eq(&cluster.values.by_chart[&ChartName::Istiod], first) })
    );
    assert!(topology.clusters.contains_key(&ClusterName::from("c999")));
}

#[test]
fn every_example_and_starter_is_without_a_finding() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut seen = Vec::new();
    for folder in ["topologies", "src/cli/starter"] {
        for entry in std::fs::read_dir(format!("{root}/{folder}")).expect("the folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                let topology = valid(&[(name.as_str(), &std::fs::read_to_string(&path).expect("readable"))]);
                let found = crate::validate::validate(&topology, crate::validate::Use::RealClusters);
                assert_eq!(found, [], "{name}");
                seen.push((name, topology));
            }
        }
    }
    let find = |name: &str| &seen.iter().find(|(seen, _)| seen == name).expect("it is there").1;
    assert_eq!(find("mesh.yaml"), find("mesh.toml"), "both starters say the same");
    assert!(seen.len() >= 7, "{} files", seen.len());
}

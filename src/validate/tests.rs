//! Texts and the codes that they raise: what the corpus in `topologies/invalid` cannot show, since
//! there each file has one mistake and one use.

use proptest::prelude::*;

use super::*;
use crate::diagnostic::Severity;
use crate::document::Sources;
use crate::topology;

const TWO: &str = "\
version: 1
mesh: { id: mesh1 }
istio: { charts: embedded }
trust: { root: generate }
networks: { network1: {}, network2: {} }
clusters:
  cluster1: { network: network1, role: primary }
  cluster2: { network: network2, role: remote, primaries: [cluster1] }
";

fn findings(text: &str, for_use: Use) -> Vec<Diagnostic> {
    let mut sources = Sources::default();
    let id = sources.add("test.yaml", text);
    let parsed = topology::parse(&sources, &[id]);
    assert_eq!(parsed.diagnostics, [], "the text is right as a text");
    validate(&parsed.topology.expect("a text without faults is a topology"), for_use)
}

fn codes(text: &str) -> Vec<&'static str> {
    findings(text, Use::Offline).iter().map(|finding| finding.code.name).collect()
}

#[test]
fn a_topology_that_is_right_has_no_findings() {
    for for_use in [Use::Sandbox, Use::Offline, Use::RealClusters] {
        assert_eq!(findings(TWO, for_use), []);
    }
}

#[test]
fn a_missing_choice_weighs_by_use() {
    let text = TWO.replace("istio: { charts: embedded }\ntrust: { root: generate }\n", "");
    let weighed = |for_use| -> Vec<_> {
        findings(&text, for_use).iter().map(|finding| (finding.code.name, finding.severity)).collect()
    };
    let both = |severity| vec![("charts-not-chosen", severity), ("trust-not-chosen", severity)];
    assert_eq!(weighed(Use::Sandbox), []);
    assert_eq!(weighed(Use::Offline), both(Severity::Warning));
    assert_eq!(weighed(Use::RealClusters), both(Severity::Error));
}

#[test]
fn an_unknown_primary_raises_nothing_else() {
    assert_eq!(codes(&TWO.replace("[cluster1]", "[clutser1]")), ["primary-unknown"]);
    let exposed = TWO.replace("role: primary", "role: primary, controlPlane: { address: 203.0.113.7 }");
    assert_eq!(codes(&exposed.replace("[cluster1]", "[clutser1]")), ["primary-unknown"]);
}

#[test]
fn an_unknown_network_leaves_none_unused() {
    assert_eq!(codes(&TWO.replace("network: network2", "network: netwrok2")), ["network-unknown"]);
}

#[test]
fn one_line_of_defaults_is_told_of_once() {
    let text = TWO.replace("networks:", "defaults: { eastWestGateway: { replicas: 0 } }\nnetworks:");
    assert_eq!(codes(&text), ["gateway-without-replicas"]);
}

#[test]
fn what_defaults_expose_is_meant_for_the_primaries() {
    let text = TWO.replace("networks:", "defaults: { controlPlane: { expose: loadBalancer } }\nnetworks:");
    assert_eq!(codes(&text), [] as [&str; 0]);
}

#[test]
fn loopback_is_right_where_every_cluster_is_on_it() {
    let one = TWO.replace("primaries: [cluster1]", "primaries: [cluster1], apiServer: 'https://127.0.0.1:2'");
    assert_eq!(codes(&one), ["api-server-loopback"]);
    let both = one.replace("role: primary", "role: primary, apiServer: 'https://localhost:1'");
    assert_eq!(codes(&both), [] as [&str; 0]);
}

#[test]
fn a_proxy_may_tell_clusters_apart_by_name() {
    let api = |name: &str| format!("apiServer: {{ url: 'https://api.example.com', serverName: {name} }}");
    let text = TWO
        .replace("role: primary", &format!("role: primary, {}", api("one")))
        .replace("role: remote", &format!("role: remote, {}", api("two")));
    assert_eq!(codes(&text), [] as [&str; 0]);
    assert_eq!(codes(&text.replace("serverName: two", "serverName: ONE")), ["api-server-duplicate"]);
}

#[test]
fn one_cluster_alone_may_keep_the_id_of_an_existing_mesh() {
    let text = "\
version: 1
mesh: { id: mesh1, dns: off }
istio: { charts: embedded }
trust: { root: istiod }
networks: { network1: {} }
clusters: { cluster1: { network: network1, role: primary, id: Kubernetes } }
";
    assert_eq!(codes(text), [] as [&str; 0]);
}

#[test]
fn addresses_may_overlap_across_networks() {
    let text = TWO.replace("role:", "pods: [10.10.0.0/16], services: [10.96.0.0/12], role:");
    assert_eq!(codes(&text), [] as [&str; 0]);
    assert_eq!(
        codes(&text.replace("network: network2", "network: network1").replace(", network2: {}", "")),
        ["pod-cidr-overlap", "service-cidr-overlap"]
    );
}

#[test]
fn an_owned_key_is_found_wherever_a_value_would_replace_it() {
    let with = |values: &str| {
        codes(&TWO.replace("charts: embedded", &format!("charts: embedded, values: {values}")))
    };
    assert_eq!(with("{ istiod: { global: { logAsJson: true, multiCluster: {} } } }"), [] as [&str; 0]);
    assert_eq!(with("{ istiod: { global: {} } }"), [] as [&str; 0]);
    assert_eq!(with("{ istiod: { global: 3 } }"), ["value-owned-by-topology"]);
    assert_eq!(with("{ istiod: { global: null } }"), ["value-owned-by-topology"]);
    assert_eq!(with("{ istiod: { global: [] } }"), ["value-owned-by-topology"]);
    assert_eq!(with("{ gateway: { service: { annotations: { a: b } } } }"), ["value-owned-by-topology"]);
    assert_eq!(with("{ base: { defaultRevision: x } }"), ["value-owned-by-topology"]);
    // The same key of another chart is not owned.
    assert_eq!(with("{ base: { networkGateway: x } }"), [] as [&str; 0]);
    // Without `replicas` the number of pods is the chart's and so the user's.
    assert_eq!(with("{ gateway: { autoscaling: { enabled: false }, replicaCount: 2 } }"), [] as [&str; 0]);
}

#[test]
fn an_address_of_its_own_frees_a_remote_of_its_primarys_ports() {
    let remapped = "role: primary, eastWestGateway: { addresses: [203.0.113.7], ports: { 15012: 32012 } }";
    let text = TWO.replace("role: primary", remapped);
    assert_eq!(codes(&text), ["control-plane-port-remapped"]);
    let own = text
        .replace("primaries: [cluster1]", "primaries: [cluster1], controlPlane: { address: 203.0.113.9 }");
    assert_eq!(codes(&own), [] as [&str; 0]);
}

#[test]
fn findings_come_in_the_order_of_the_file() {
    let text =
        TWO.replace("network1: {}, ", "").replace("cluster2:", "Cluster2:").replace("[cluster1]", "[nobody]");
    let places: Vec<_> = findings(&text, Use::Offline).iter().map(|finding| finding.primary.span).collect();
    assert_eq!(places.len(), 3);
    assert!(places.is_sorted());
}

/// A name that is sometimes declared, sometimes not, and sometimes none at all.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[ab]",
        1 => Just("config".to_owned()),
        1 => "[A-Za-z0-9._-]{1,70}",
        1 => "\\PC{1,8}",
    ]
}

/// A text in double quotes, as YAML and JSON both read it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn any_list(item: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    prop::collection::vec(item, 1..4).prop_map(|items| {
        format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
    })
}

fn any_net() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..4_u8, 0..=32_u8).prop_map(|(byte, length)| format!("10.{byte}.0.0/{length}")),
        (0..4_u8, 0..=128_u8).prop_map(|(byte, length)| format!("fd0{byte}::/{length}")),
    ]
}

fn any_host() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(|ip| ip.to_string()),
        Just("127.0.0.1".to_owned()),
        Just("localhost".to_owned()),
        "[a-z]{1,5}(\\.[a-z]{1,5}){0,2}",
    ]
}

fn any_gateway() -> impl Strategy<Value = String> {
    let ports = (prop::sample::select(vec![15443, 15012, 15017, 443]), 1..=u16::MAX);
    prop_oneof![
        Just("false".to_owned()),
        Just("{}".to_owned()),
        any_list(any_host()).prop_map(|hosts| format!("{{ addresses: {hosts} }}")),
        ports
            .prop_map(|(port, at)| format!("{{ ports: {{ {port}: {at} }}, service: {{ type: NodePort }} }}")),
        (0..3_u8).prop_map(|count| format!("{{ replicas: {count} }}")),
        any_list(any_net())
            .prop_map(|nets| format!("{{ service: {{ type: ClusterIP, sourceRanges: {nets} }} }}")),
    ]
}

/// One key of a cluster with its value.
fn any_setting() -> impl Strategy<Value = (&'static str, String)> {
    let expose = prop::sample::select(vec!["eastWestGateway", "loadBalancer", "none"]);
    prop_oneof![
        any_name().prop_map(|name| ("id", quoted(&name))),
        any_name().prop_map(|name| ("context", quoted(&name))),
        any_list(any_net()).prop_map(|nets| ("pods", nets)),
        any_list(any_net()).prop_map(|nets| ("services", nets)),
        any_host().prop_map(|host| ("apiServer", quoted(&format!("https://{host}")))),
        "\\PC{1,20}".prop_map(|url| ("apiServer", quoted(&url))),
        any_gateway().prop_map(|gateway| ("eastWestGateway", gateway)),
        (expose, any_host()).prop_map(|(expose, host)| (
            "controlPlane",
            format!("{{ expose: {expose}, address: {} }}", quoted(&host))
        )),
        Just(("values", "{ istiod: { global: { network: x }, pilot: null } }".to_owned())),
    ]
}

fn any_cluster() -> impl Strategy<Value = String> {
    let role = prop_oneof![
        Just("role: primary".to_owned()),
        any_list(any_name()).prop_map(|primaries| format!("role: remote, primaries: {primaries}")),
    ];
    (any_name(), any_name(), role, prop::collection::vec(any_setting(), 0..4)).prop_map(
        |(name, network, role, settings)| {
            let settings: std::collections::BTreeMap<_, _> = settings.into_iter().collect();
            let settings: String = settings.iter().map(|(key, value)| format!(", {key}: {value}")).collect();
            format!("  {}: {{ network: {}, {role}{settings} }}\n", quoted(&name), quoted(&network))
        },
    )
}

fn any_topology() -> impl Strategy<Value = String> {
    let root = prop_oneof![
        Just("generate".to_owned()),
        Just("istiod".to_owned()),
        any_name().prop_map(|keeper| format!("{{ generate: {{ in: {} }} }}", quoted(&keeper))),
    ];
    let clusters = prop::collection::vec(any_cluster(), 1..6);
    let namespace = (any_name(), any_list(any_name()));
    (any_name(), root, any_gateway(), clusters, namespace).prop_map(
        |(id, root, gateway, clusters, (namespace, list))| {
            let gateway = if gateway == "false" { "{}".to_owned() } else { gateway };
            format!(
                "version: 1\nmesh: {{ id: {} }}\ntrust: {{ root: {root} }}\n\
                 networks: {{ a: {{ eastWestGateway: {gateway} }}, b: {{}} }}\nclusters:\n{}\
                 namespaces: {{ {}: {{ clusters: {list} }} }}\n",
                quoted(&id),
                clusters.concat(),
                quoted(&namespace)
            )
        },
    )
}

proptest! {
    #[test]
    fn no_topology_makes_the_validator_panic(text in any_topology()) {
        let mut sources = Sources::default();
        let id = sources.add("test.yaml", text.clone());
        let parsed = topology::parse(&sources, &[id]);
        // Names of every shape are right as texts; that some text gives no topology is the decoder's.
        if let Some(topology) = &parsed.topology {
            for for_use in [Use::Sandbox, Use::Offline, Use::RealClusters] {
                let found = validate(topology, for_use);
                prop_assert!(found.iter().all(|finding| finding.primary.span.end as usize <= text.len()));
                prop_assert!(found.is_sorted_by_key(|finding| finding.primary.span));
            }
        }
    }
}

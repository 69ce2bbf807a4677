//! Claims about rounds: what they leave out is missed nowhere, and a change costs what depends on it.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::fleet::*;
use super::{balancer, plain_deployment};
use crate::object::ObjectRef;
use crate::sandbox::controllers::Effort;
use crate::sandbox::{Patch, WriteOptions};
use crate::trust::{Intermediate, Root};

const CLUSTERS: [&str; 6] = ["p0", "p1", "p0a", "p0b", "p1a", "p1b"];
const PRIMARIES: usize = 2;
const WEBHOOKS: &str = "admissionregistration.k8s.io";
const RIGHTS: &str = "rbac.authorization.k8s.io";

/// Something that happens to clusters from outside; numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Deed {
    Primary(Index),
    Gateway(Index),
    Exposure(Index),
    /// The remote profile, with the address of a primary's gateway, or with one that nobody has.
    Remote(Index, Option<Index>),
    Register(Index, Index),
    Unregister(Index, Index),
    /// Which istiods a cluster asks for.
    Annotate(Index, Index),
    /// Another root in a primary, which its istiod reads when it starts.
    Cacerts(Index, Index),
    /// A new istiod.
    Rollout(Index, u8),
    Web(Index, Index, u32),
    Sample(Index, bool),
    Balancer(Index, Index),
    /// A Service under the address of a gateway.
    Claim(Index, Index),
    DeletePod(Index, Index),
    /// One of the objects that others depend on goes.
    Delete(Index, Index),
    EmptyBundle(Index),
    DeleteNamespace(Index),
    Restart,
    Settle,
}

fn deeds() -> impl Strategy<Value = Deed> {
    let index = any::<Index>;
    prop_oneof![
        3 => index().prop_map(Deed::Primary),
        3 => index().prop_map(Deed::Gateway),
        2 => index().prop_map(Deed::Exposure),
        4 => (index(), prop::option::weighted(0.8, index())).prop_map(|(c, p)| Deed::Remote(c, p)),
        5 => (index(), index()).prop_map(|(p, c)| Deed::Register(p, c)),
        1 => (index(), index()).prop_map(|(p, c)| Deed::Unregister(p, c)),
        2 => (index(), index()).prop_map(|(c, w)| Deed::Annotate(c, w)),
        1 => (index(), index()).prop_map(|(p, r)| Deed::Cacerts(p, r)),
        1 => (index(), any::<u8>()).prop_map(|(p, n)| Deed::Rollout(p, n)),
        2 => (index(), index(), 0..3_u32).prop_map(|(c, i, n)| Deed::Web(c, i, n)),
        2 => (index(), any::<bool>()).prop_map(|(c, on)| Deed::Sample(c, on)),
        2 => (index(), index()).prop_map(|(c, k)| Deed::Balancer(c, k)),
        1 => (index(), index()).prop_map(|(c, of)| Deed::Claim(c, of)),
        2 => (index(), index()).prop_map(|(c, n)| Deed::DeletePod(c, n)),
        4 => (index(), index()).prop_map(|(c, n)| Deed::Delete(c, n)),
        1 => index().prop_map(Deed::EmptyBundle),
        1 => index().prop_map(Deed::DeleteNamespace),
        1 => Just(Deed::Restart),
        8 => Just(Deed::Settle),
    ]
}

/// What takes something away from others.
const CRUCIAL: [(&str, &str, bool, &str); 14] = [
    ("", "Secret", true, "reader-token"),
    ("", "ServiceAccount", true, "istio-reader-service-account"),
    ("", "ServiceAccount", true, "istiod"),
    ("", "Service", true, "istiod"),
    ("", "Service", true, "istio-eastwestgateway"),
    ("", "ConfigMap", true, "istio-sidecar-injector"),
    ("", "ConfigMap", true, "istio-ca-root-cert"),
    ("apps", "Deployment", true, "istiod"),
    ("discovery.k8s.io", "EndpointSlice", true, "istiod"),
    ("networking.istio.io", "Gateway", true, "istiod-gateway"),
    ("networking.istio.io", "VirtualService", true, "istiod-vs"),
    (RIGHTS, "ClusterRole", false, "istio-reader-clusterrole-istio-system"),
    (RIGHTS, "ClusterRoleBinding", false, "istiod-clusterrole-istio-system"),
    (WEBHOOKS, "MutatingWebhookConfiguration", false, "istio-sidecar-injector"),
];

/// What does not depend on the fleet that it is done to.
struct Material {
    bundles: Vec<Intermediate>,
}

impl Material {
    fn new() -> Self {
        let roots: [Root; 2] = [root(), root()];
        Self { bundles: roots.iter().map(|root| issued(root, "p0")).collect() }
    }

    fn cacerts(&self, which: usize) -> Value {
        cacerts(&self.bundles[which % self.bundles.len()])
    }
}

fn has_namespace(fleet: &Fleet, cluster: &str, name: &str) -> bool {
    fleet.store(cluster).find("", "Namespace", None, name).is_some()
}

fn delete_if_there(fleet: &Fleet, cluster: &str, (group, kind, namespaced, name): (&str, &str, bool, &str)) {
    let namespace = namespaced.then_some(NS);
    if fleet.store(cluster).find(group, kind, namespace, name).is_some() {
        fleet.delete(cluster, group, kind, namespace, name);
    }
}

/// Does something to a fleet; settling is the caller's.
fn perform(fleet: &mut Fleet, deed: &Deed, material: &Material) {
    let any = |index: &Index| CLUSTERS[index.index(CLUSTERS.len())];
    let primary = |index: &Index| CLUSTERS[index.index(PRIMARIES)];
    let remote = |index: &Index| CLUSTERS[PRIMARIES + index.index(CLUSTERS.len() - PRIMARIES)];
    let prepared = |fleet: &Fleet, cluster: &str| {
        if !has_namespace(fleet, cluster, NS) {
            fleet.apply(cluster, [namespace(NS, json!({}), json!({}))]);
        }
    };
    match deed {
        Deed::Primary(p) => {
            let cluster = primary(p);
            prepared(fleet, cluster);
            if fleet.store(cluster).find("", "Secret", Some(NS), "cacerts").is_none() {
                fleet.apply(cluster, [material.cacerts(0)]);
            }
            fleet.apply(cluster, super::fleet::primary(cluster, "true"));
            fleet.apply(cluster, [token_secret()]);
        }
        Deed::Gateway(c) => {
            prepared(fleet, any(c));
            fleet.apply(any(c), gateway());
        }
        Deed::Exposure(p) => {
            prepared(fleet, primary(p));
            fleet.apply(primary(p), exposure());
        }
        Deed::Remote(c, p) => {
            let cluster = remote(c);
            let served = p.as_ref().and_then(|p| fleet.address(primary(p), "istio-eastwestgateway"));
            prepared(fleet, cluster);
            let address = served.unwrap_or_else(|| "192.0.2.7".to_owned());
            fleet.apply(cluster, super::fleet::remote(cluster, &address));
            fleet.apply(cluster, [token_secret()]);
        }
        Deed::Register(p, c) => {
            let (from, to) = (primary(p), any(c));
            let token = fleet.text(to, ("", "Secret"), "istio-system/reader-token", &["data", "token"]);
            if token.is_some() && has_namespace(fleet, from, NS) {
                let config = kubeconfig(fleet, to);
                fleet.apply(from, [remote_secret(to, &config)]);
            }
        }
        Deed::Unregister(p, c) => {
            let name = format!("istio-remote-secret-{}", any(c));
            delete_if_there(fleet, primary(p), ("", "Secret", true, &name));
        }
        Deed::Annotate(c, which) => {
            let ids = ["*", "p0", "p1", "p1,p0", "x"][which.index(5)];
            let annotation = json!({"topology.istio.io/controlPlaneClusters": ids});
            fleet.apply(any(c), [namespace(NS, json!({}), annotation)]);
        }
        Deed::Cacerts(p, which) => {
            prepared(fleet, primary(p));
            fleet.apply(primary(p), [material.cacerts(which.index(2))]);
        }
        Deed::Rollout(p, nth) => {
            let cluster = primary(p);
            if fleet.store(cluster).find("", "Secret", Some(NS), "cacerts").is_some() {
                let mut deployment = istiod(cluster, "true");
                deployment["spec"]["template"]["metadata"]["annotations"] = json!({"nth": nth.to_string()});
                fleet.apply(cluster, [deployment]);
            }
        }
        Deed::Web(c, image, replicas) => {
            prepared(fleet, any(c));
            let mut deployment = plain_deployment(["web:1", "web:2", "auto"][image.index(3)], *replicas);
            if has_namespace(fleet, any(c), "sample") {
                deployment["metadata"]["namespace"] = "sample".into();
            }
            fleet.apply(any(c), [deployment]);
        }
        Deed::Sample(c, injected) => {
            let labels = if *injected { json!({"istio-injection": "enabled"}) } else { json!({}) };
            fleet.apply(any(c), [namespace("sample", labels, json!({}))]);
        }
        Deed::Balancer(c, kind) => {
            prepared(fleet, any(c));
            let mut service = balancer("extra");
            service["spec"]["type"] = ["LoadBalancer", "ClusterIP"][kind.index(2)].into();
            fleet.apply(any(c), [service]);
        }
        Deed::Claim(c, of) => {
            prepared(fleet, any(c));
            if let Some(address) = fleet.address(any(of), "istio-eastwestgateway") {
                let mut service = balancer("claim");
                service["spec"]["type"] = "ClusterIP".into();
                service["spec"]["externalIPs"] = json!([address]);
                fleet.apply(any(c), [service]);
            }
        }
        Deed::DeletePod(c, nth) => {
            let pods: Vec<ObjectRef> =
                fleet.store(any(c)).list("", "Pod", None).iter().map(|pod| pod.reference()).collect();
            if !pods.is_empty() {
                let pod = &pods[nth.index(pods.len())];
                fleet.delete(any(c), "", "Pod", pod.namespace.as_deref(), &pod.name);
            }
        }
        Deed::Delete(c, nth) => delete_if_there(fleet, any(c), CRUCIAL[nth.index(CRUCIAL.len())]),
        Deed::EmptyBundle(c) => {
            let store = fleet.store(any(c));
            let live = store.find(WEBHOOKS, "MutatingWebhookConfiguration", None, "istio-sidecar-injector");
            if let Some(live) = live {
                let emptied = Patch::Json(
                    json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}]),
                );
                store.patch(&live.reference(), &emptied, None, &WriteOptions::by("somebody")).unwrap();
            }
        }
        Deed::DeleteNamespace(c) => {
            if has_namespace(fleet, any(c), NS) {
                fleet.delete(any(c), "", "Namespace", None, NS);
            }
        }
        Deed::Restart => fleet.restart(),
        Deed::Settle => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// To the last revision: what is left out would have written nothing.
    #[test]
    fn rounds_that_leave_out_what_is_not_due_write_what_rounds_over_everything_write(
        stands in any::<bool>(),
        deeds in proptest::collection::vec(deeds(), 10..60),
    ) {
        let material = Material::new();
        let mut sparing = match stands {
            true => mesh("rounds-sparing", PRIMARIES),
            false => Fleet::new("rounds-sparing", &CLUSTERS),
        };
        let mut thorough = sparing.twin("rounds-thorough");
        for (nth, deed) in deeds.iter().chain([&Deed::Settle]).enumerate() {
            perform(&mut sparing, deed, &material);
            perform(&mut thorough, deed, &material);
            if let Deed::Settle = deed {
                sparing.settle();
                thorough.settle_leaving_nothing_out();
                for cluster in CLUSTERS {
                    let (ours, wanted) = (sparing.content(cluster), thorough.content(cluster));
                    let differs = ours.iter().zip(&wanted).find(|(ours, wanted)| ours != wanted);
                    prop_assert_eq!(differs, None, "{} after deed {}", cluster, nth);
                    prop_assert_eq!(ours.len(), wanted.len());
                }
            }
        }
    }
}

/// A mesh in which each primary serves two remotes and has registered every other cluster.
fn mesh(test: &str, primaries: usize) -> Fleet {
    let primary_names: Vec<String> = (0..primaries).map(|nth| format!("p{nth}")).collect();
    let remotes: Vec<(String, &String)> = primary_names
        .iter()
        .flat_map(|primary| ["a", "b"].map(|which| (format!("{primary}{which}"), primary)))
        .collect();
    let names: Vec<&str> =
        primary_names.iter().chain(remotes.iter().map(|(name, _)| name)).map(String::as_str).collect();
    let mut fleet = Fleet::new(&format!("{test}-{primaries}"), &names);
    let root = root();
    for name in &primary_names {
        fleet.apply(name, [namespace(NS, json!({}), json!({})), cacerts(&issued(&root, name))]);
        fleet.apply(name, super::fleet::primary(name, "true"));
        fleet.apply(name, [token_secret()]);
        fleet.apply(name, gateway());
        fleet.apply(name, exposure());
    }
    fleet.settle();
    for (name, primary) in &remotes {
        let address = fleet.address(primary, "istio-eastwestgateway").unwrap();
        let annotation = json!({"topology.istio.io/controlPlaneClusters": primary});
        fleet.apply(name, [namespace(NS, json!({}), annotation)]);
        fleet.apply(name, super::fleet::remote(name, &address));
        fleet.apply(name, [token_secret()]);
        fleet.apply(name, gateway());
    }
    fleet.settle();
    for primary in &primary_names {
        for other in names.iter().filter(|other| *other != primary) {
            let config = kubeconfig(&fleet, other);
            fleet.apply(primary, [remote_secret(other, &config)]);
        }
    }
    fleet.settle();
    for name in &names {
        assert_eq!(fleet.available(name, "istio-eastwestgateway"), "True", "{name} of {primaries}");
    }
    fleet
}

/// What the controllers do after each of some changes.
fn efforts(fleet: &mut Fleet, cluster: &str) -> Vec<(&'static str, Effort)> {
    type Change = (&'static str, fn(&Fleet, &str));
    let changes: [Change; 8] = [
        ("nothing", |_, _| {}),
        ("a Deployment", |fleet, cluster| fleet.apply(cluster, [plain_deployment("web:1", 2)])),
        ("another image", |fleet, cluster| fleet.apply(cluster, [plain_deployment("web:2", 2)])),
        ("an injected namespace", |fleet, cluster| {
            fleet.apply(cluster, [namespace("sample", json!({"istio-injection": "enabled"}), json!({}))]);
        }),
        ("a Pod goes", |fleet, cluster| {
            let pods = fleet.store(cluster).list("", "Pod", Some(NS));
            let proxy = pods.iter().find(|pod| pod.label("istio") == Some("eastwestgateway")).unwrap();
            fleet.delete(cluster, "", "Pod", Some(NS), proxy.name());
        }),
        ("a load balancer", |fleet, cluster| fleet.apply(cluster, [balancer("extra")])),
        ("a token goes", |fleet, cluster| {
            fleet.delete(cluster, "", "Secret", Some(NS), "reader-token");
        }),
        ("a new token", |fleet, cluster| fleet.apply(cluster, [token_secret()])),
    ];
    changes
        .into_iter()
        .map(|(what, change)| {
            let before = fleet.controllers.effort();
            change(fleet, cluster);
            fleet.settle();
            let after = fleet.controllers.effort();
            (what, Effort { looks: after.looks - before.looks, objects: after.objects - before.objects })
        })
        .collect()
}

#[test]
fn a_change_costs_what_depends_on_it_however_many_clusters_there_are() {
    let [mut one, mut two, mut four] = [1, 2, 4].map(|primaries| mesh("costs", primaries));
    // What a remote holds and what is read for it is the same in each of the meshes.
    let wanted = efforts(&mut one, "p0a");
    assert_eq!(wanted[0], ("nothing", Effort::default()));
    assert!(wanted[1..].iter().all(|(_, effort)| effort.looks > 0), "{wanted:?}");
    assert_eq!(efforts(&mut two, "p0a"), wanted);
    assert_eq!(efforts(&mut four, "p0a"), wanted);
    // A primary holds one remote secret for each cluster and reads those of its namespace at once.
    let looks = |fleet: &mut Fleet| -> Vec<_> {
        efforts(fleet, "p0").into_iter().map(|(what, effort)| (what, effort.looks)).collect()
    };
    let wanted = looks(&mut one);
    assert_eq!(looks(&mut two), wanted);
    assert_eq!(looks(&mut four), wanted);
}

#[test]
fn a_pod_that_lacked_a_way_to_istiod_is_created_once_another_cluster_makes_one() {
    let of_kind =
        |objects: Vec<Value>, kind: &str| objects.into_iter().find(|object| object["kind"] == kind).unwrap();
    let address = of_kind(gateway(), "Service");
    for (test, is_registered) in [("way-address", false), ("way-registered", true)] {
        let mut fleet = mesh(test, 1);
        let registered = remote_secret("p0a", &kubeconfig(&fleet, "p0a"));
        fleet.delete("p0", "", "Service", Some(NS), "istio-eastwestgateway");
        fleet.delete("p0", "", "Secret", Some(NS), "istio-remote-secret-p0a");
        fleet.settle();
        let pods = fleet.store("p0a").list("", "Pod", Some(NS));
        fleet.delete("p0a", "", "Pod", Some(NS), pods[0].name());
        fleet.settle();
        let failure = fleet.condition("p0a", "istio-eastwestgateway", "ReplicaFailure");
        assert!(failure.ends_with(": dial tcp 203.0.113.1:15017: i/o timeout"), "{failure}");
        // The address is a gateway's again; or it is nobody's that the sandbox knows, and istiod serves the cluster.
        fleet.apply("p0", [if is_registered { registered } else { address.clone() }]);
        fleet.settle();
        assert_eq!(fleet.condition("p0a", "istio-eastwestgateway", "ReplicaFailure"), "none", "{test}");
    }
}

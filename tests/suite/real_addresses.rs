//! A mesh whose addresses are real: API servers, cluster IPs, load balancers and Pods are where the objects say, so
//! that an API server's call to istiod travels as in life.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use stolos::topology::ClusterName;

use crate::support::command::stolos;
use crate::support::dataplane::{Bare, DataPlane, Heard, Network, Runtime, WayOut};
use crate::support::helm::yaml;
use crate::support::meshes::topology_text;
use crate::support::namespace;
use crate::support::scratch::scratch;
use crate::support::servers::{Answer, Raw, Servers, Settings};

const JSON: &str = "application/json";
const PODS: &str = "/api/v1/namespaces/sample/pods";
/// Where istiod's webhooks are behind a gateway.
const WEBHOOKS: u16 = 15017;
/// How long something may take that must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two clusters, each with an address of its own.
struct World {
    servers: Servers,
    network: Network,
    _plane: DataPlane,
    _runtimes: BTreeMap<String, Runtime>,
}

impl World {
    async fn start(test: &str) -> Self {
        let folder = scratch(&format!("{test}-sockets"));
        let mut runtimes = BTreeMap::new();
        let mut settings = Vec::new();
        for (place, name) in ["cluster1", "cluster2"].into_iter().enumerate() {
            let runtime = Runtime::open(&folder, name);
            let last = if place == 0 { 10 } else { 20 };
            settings.push(Settings {
                address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)),
                port: Some(6443),
                // To cluster IPs, as by default.
                arguments: vec!["--enable-aggregator-routing=false".to_owned()],
                pods: Some(runtime.socket().to_owned()),
                ..Settings::nth(place, name)
            });
            runtimes.insert(name.to_owned(), runtime);
        }
        let servers = Servers::start_with(test, settings).await;
        let network = Network::default();
        let clusters = servers.clusters().await;
        let mut bare = Vec::new();
        for (name, runtime) in &runtimes {
            bare.push(Bare {
                name: name.clone(),
                id: name.clone(),
                server: servers.server(name),
                way_out: WayOut::Network(&network),
                runtime,
                cluster: clusters[&ClusterName::from(name.as_str())].clone(),
                raw: servers.raw(name).await,
            });
        }
        let plane = DataPlane::start(bare);
        Self { servers, network, _plane: plane, _runtimes: runtimes }
    }

    /// What an object of a cluster says at a place.
    async fn told(&self, cluster: &str, path: &str, pointer: &str) -> IpAddr {
        let path = format!("/api/v1/namespaces/istio-system/{path}");
        let answer = self.servers.raw(cluster).await.ask(Method::GET, &path, "", &Value::Null).await.body;
        let address = answer.pointer(pointer).and_then(Value::as_str);
        address.unwrap_or_else(|| panic!("{pointer} of {answer}")).parse().expect("an address")
    }

    /// The way from cluster2's API server to cluster1's istiod, as the objects have it.
    async fn way(&self) -> Vec<SocketAddr> {
        let service = self.told("cluster2", "services/istiod", "/spec/clusterIP").await;
        let ingress = "/status/loadBalancer/ingress/0/ip";
        let balancer = self.told("cluster1", "services/istio-eastwestgateway", ingress).await;
        let pod = "/items/0/status/podIP";
        let gateway = self.told("cluster1", "pods?labelSelector=istio=eastwestgateway", pod).await;
        let istiod = self.told("cluster1", "pods?labelSelector=app=istiod", pod).await;
        assert!(balancer.to_string().starts_with("203.0.113."), "{balancer}");
        [(service, 443), (balancer, WEBHOOKS), (gateway, WEBHOOKS), (istiod, WEBHOOKS)]
            .map(|(address, port)| SocketAddr::new(address, port))
            .to_vec()
    }

    /// What cluster2 asked of an istiod.
    fn asked_by_the_remote(&self) -> Vec<Heard> {
        let mut heard = self.network.heard();
        heard.retain(|call| call.path.contains("/cluster/cluster2/"));
        heard
    }
}

/// Somebody creates a Pod, or would.
async fn pod(raw: &Raw, name: &str, query: &str) -> Answer {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "web", "image": "web"}]},
    });
    raw.ask(Method::POST, &format!("{PODS}{query}"), JSON, &pod).await
}

/// Asks again until it is answered so.
async fn until(what: &str, raw: &Raw, path: &str, code: u16) {
    let end = Instant::now() + PATIENCE;
    while raw.ask(Method::GET, path, "", &Value::Null).await.code != code {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers, tests/kube/build-kube, and a network of its own: unshare and ip"]
async fn a_remotes_api_server_calls_the_primarys_istiod_at_the_address_of_its_gateway() {
    let name = "real_addresses::a_remotes_api_server_calls_the_primarys_istiod_at_the_address_of_its_gateway";
    if !tokio::task::block_in_place(|| namespace::is_inside(name)) {
        return;
    }
    let world = World::start("real-addresses").await;
    let folder = scratch("real-addresses");
    std::fs::write(folder.join("mesh.yaml"), topology_text("primary-remote-multi-network.yaml"))
        .expect("a file");
    std::fs::copy(world.servers.kubeconfig(), folder.join("config")).expect("a file");
    let apply = ["apply", "--kubeconfig", "config", "--auto-approve", "mesh.yaml"];
    let ran = tokio::task::block_in_place(|| stolos(&folder, &apply));
    assert_eq!(ran.code, Some(0), "{ran}");

    let synced =
        |line: &&str| line.contains("/remote-secret-cluster2 ") && line.contains(" 1 created, synced ");
    assert_eq!(ran.stdout.lines().chain(ran.stderr.lines()).filter(synced).count(), 1, "{ran}");
    let plan = ["plan", "--kubeconfig", "config", "--detailed-exitcode", "mesh.yaml"];
    let ran = tokio::task::block_in_place(|| stolos(&folder, &plan));
    assert_eq!(ran.code, Some(0), "{ran}");

    // The remote's own gateway was completed by the primary's istiod.
    let call = Heard { way: world.way().await, path: "/inject/cluster/cluster2/net/network2".to_owned() };
    let of_gateways = world.asked_by_the_remote();
    assert!(!of_gateways.is_empty() && of_gateways.iter().all(|one| *one == call), "{of_gateways:?}");

    // So is anybody's Pod in the remote.
    let remote = world.servers.raw("cluster2").await;
    until("an account", &remote, "/api/v1/namespaces/sample/serviceaccounts/default", 200).await;
    let created = pod(&remote, "web", "").await;
    let containers = created.body["spec"]["containers"].as_array().into_iter().flatten();
    let containers: Vec<&Value> = containers.map(|container| &container["name"]).collect();
    assert_eq!((created.code, containers), (201, vec![&json!("web"), &json!("istio-proxy")]), "{created:?}");
    assert_eq!(world.asked_by_the_remote(), vec![call; of_gateways.len() + 1]);

    // What a remote secret holds leads to the remote's API server from anywhere.
    let path = "/api/v1/namespaces/istio-system/secrets/istio-remote-secret-cluster2";
    let secret = world.servers.raw("cluster1").await.ask(Method::GET, path, "", &Value::Null).await.body;
    let held = secret["data"]["cluster2"].as_str().expect("a kubeconfig");
    let held = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, held).expect("base64");
    let file = folder.join("held");
    std::fs::write(&file, &held).expect("a file");
    let held = yaml(&String::from_utf8(held).expect("text"));
    assert_eq!(held["clusters"][0]["cluster"]["server"], "https://198.51.100.20:6443");
    let reader = Raw::context(&file, "cluster2").await;
    assert_eq!(reader.ask(Method::GET, "/api/v1/pods", "", &Value::Null).await.code, 200);

    // Without what leads from the gateway to istiod nobody answers, and no Pod comes.
    let primary = world.servers.raw("cluster1").await;
    let routes = "/apis/networking.istio.io/v1/namespaces/istio-system/virtualservices";
    let gone = primary.ask(Method::DELETE, routes, JSON, &Value::Null).await;
    assert_eq!(gone.code, 200, "{gone:?}");
    let end = Instant::now() + PATIENCE;
    let refused = loop {
        let answer = pod(&remote, "other", "?dryRun=All").await;
        if answer.code != 201 {
            break answer;
        }
        assert!(Instant::now() < end, "it is still answered");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let url = "https://istiod.istio-system.svc:443/inject/cluster/cluster2/net/network2?timeout=10s";
    assert_eq!(
        (refused.code, refused.body["message"].as_str()),
        (
            500,
            Some(
                format!(
                    "Internal error occurred: failed calling webhook \"namespace.sidecar-injector.istio.io\": failed \
                     to call webhook: Post \"{url}\": EOF"
                )
                .as_str()
            )
        )
    );
}

//! Real API servers: one etcd and, for each cluster, a kube-apiserver and a kube-controller-manager.
//!
//! A test asks for a set by the names of its clusters and gets it once every cluster is ready. `tests/kube/build-kube`
//! builds the binaries into `target/kube-assets`; `KUBEBUILDER_ASSETS` names a folder of one's own. A test that takes
//! them is `#[ignore]`d, with that as its reason, and fails where it is asked for without them.
//!
//! ```ignore
//! let servers = Servers::start("drift", &["cluster1", "cluster2"]).await;
//! let clusters = servers.clusters().await;                    // doors, as an administrator
//! let readers = servers.kubeconfig_of("reader", &User::Certificate { name: "r", group: None }).await;
//! let clusters = servers.clusters_of(&readers).await;         // doors, as that user
//! let raw = servers.raw("cluster1").await;                    // HTTP without any meaning
//! servers.kill("cluster1");                                   // SIGKILL for the API server
//! servers.restart("cluster1").await;                          // on the same port, until it is ready
//! servers.requests("cluster1");                               // what it was asked, from its audit log
//! servers.kubectl("cluster1");                                // a kubectl command of that context
//! ```
//!
//! What holds: RBAC is on, an administrator is `admin` of `system:masters`, service CIDRs are distinct, the
//! controllers are those of [`CONTROLLERS`] (no scheduler, no load balancers: nothing of a data plane). A cluster whose
//! Pods somebody runs has one node, with a kubelet that forwards ports ([`Settings::pods`]).
//! At most two sets run at a time. Every process is ended by its own pid when the set is dropped, and by the kernel
//! when the test runner is killed, where `setpriv` is there to ask for that. All files are in the run's own folder below `target/tmp`.
//! This module needs nothing else of the suite, so that a benchmark can take it in by its path.

#![allow(dead_code, unused_imports, reason = "not all that take it in need all of it")]

mod assets;
mod audit;
mod authority;
mod kubeconfig;
mod kubelet;
mod process;
mod raw;
mod server;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use stolos::cluster::{Cluster, Contexts, Limits};
use stolos::topology::ClusterName;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

pub(crate) use assets::Assets;
pub(crate) use audit::Request;
pub(crate) use kubeconfig::{Context, write as write_kubeconfig};
pub(crate) use kubelet::Kubelet;
pub(crate) use process::free_port;
pub(crate) use raw::{Answer, Raw, Watched};
pub(crate) use server::Server;

use crate::support::scratch::of_this_run;
use process::Process;

/// The controllers that run beside each API server.
pub(crate) const CONTROLLERS: &[&str] = &[
    "clusterrole-aggregation-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "legacy-serviceaccount-token-cleaner-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "token-cleaner-controller",
];

/// How many sets may run at a time.
static SETS: Semaphore = Semaphore::const_new(2);

/// The set that tests share.
static SHARED: Mutex<Option<Arc<Servers>>> = Mutex::const_new(None);

/// What a cluster of a set is like.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Its name, and that of its context.
    pub(crate) name: String,
    /// Where its API server listens; loopback by default.
    pub(crate) address: IpAddr,
    /// Its port; one that is free by default.
    pub(crate) port: Option<u16>,
    /// Its service CIDR; by default `10.96.0.0/16` for the first cluster, `10.97.0.0/16` for the second…
    pub(crate) services: String,
    /// Its controllers; [`CONTROLLERS`] by default.
    pub(crate) controllers: Vec<String>,
    /// Further arguments of its API server.
    pub(crate) arguments: Vec<String>,
    /// The socket of whoever runs its Pods, where its kubelet asks for what listens in them. Without one
    /// it has no node.
    pub(crate) pods: Option<PathBuf>,
}

/// Somebody other than the administrator.
#[derive(Debug, Clone, Copy)]
pub(crate) enum User<'a> {
    /// Who has a client certificate.
    Certificate { name: &'a str, group: Option<&'a str> },
    /// A service account by a token of its own; the account must be there in every cluster.
    ServiceAccount { namespace: &'a str, name: &'a str },
    /// The administrator in the place of somebody.
    Impersonated { name: &'a str, groups: &'a [&'a str] },
}

/// A set of API servers. Dropped, they are gone.
pub(crate) struct Servers {
    servers: BTreeMap<String, Server>,
    etcd: Process,
    etcd_url: String,
    folder: PathBuf,
    assets: Assets,
    _permit: SemaphorePermit<'static>,
}

impl Settings {
    /// The default for the cluster with this place in its set.
    pub(crate) fn nth(place: usize, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            address: Ipv4Addr::LOCALHOST.into(),
            port: None,
            services: format!("10.{}.0.0/16", 96 + place),
            controllers: CONTROLLERS.iter().map(|&name| name.to_owned()).collect(),
            arguments: Vec::new(),
            pods: None,
        }
    }
}

impl Servers {
    /// A set for a test, ready.
    pub(crate) async fn start(test: &str, clusters: &[&str]) -> Self {
        let settings = clusters.iter().enumerate().map(|(place, name)| Settings::nth(place, name));
        Self::start_with(test, settings.collect()).await
    }

    /// A set whose clusters are not like the default.
    pub(crate) async fn start_with(test: &str, clusters: Vec<Settings>) -> Self {
        let assets = Assets::get();
        end_shared_if_idle().await;
        Self::start_set(test, clusters, assets).await
    }

    /// The set that tests share which do no harm to one another: the running one, or a new one.
    ///
    /// It stays for the next test, until another set is asked for meanwhile.
    pub(crate) async fn shared(test: &str, settings: fn() -> Settings) -> Arc<Self> {
        let assets = Assets::get();
        let mut shared = SHARED.lock().await;
        if let Some(running) = &*shared {
            return Arc::clone(running);
        }
        let servers = Arc::new(Self::start_set(test, vec![settings()], assets).await);
        // What would outlive this process must end with the last test that holds it.
        if process::ends_with_us() {
            *shared = Some(Arc::clone(&servers));
        }
        servers
    }

    async fn start_set(test: &str, clusters: Vec<Settings>, assets: Assets) -> Self {
        let permit = SETS.acquire().await.expect("it is never closed");
        let folder = of_this_run().join("servers").join(test);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let (etcd, etcd_url) = start_etcd(&assets, &folder);
        let mut servers = BTreeMap::new();
        for settings in clusters {
            let name = settings.name.clone();
            let server = Server::start(&assets, &folder.join(&name), settings, &etcd_url);
            servers.insert(name, server);
        }
        let mut set = Self { servers, etcd, etcd_url, folder, assets, _permit: permit };
        let contexts: Vec<_> = set.servers.values().map(Server::admin).collect();
        kubeconfig::write(&set.kubeconfig(), &contexts);
        for server in set.servers.values_mut() {
            server.wait_until_ready().await;
        }
        set
    }

    /// Whether sets end with this process even if they are not dropped.
    pub(crate) fn end_with_this_process() -> bool {
        process::ends_with_us()
    }

    /// The administrator's kubeconfig: a context for each cluster, called as it is.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The folder of this set, where a test may put what it likes.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The binaries.
    pub(crate) fn assets(&self) -> &Assets {
        &self.assets
    }

    /// One API server.
    pub(crate) fn server(&self, cluster: &str) -> &Server {
        &self.servers[cluster]
    }

    /// The administrator's doors.
    pub(crate) async fn clusters(&self) -> BTreeMap<ClusterName, Cluster> {
        self.clusters_of(&self.kubeconfig()).await
    }

    /// The doors of a kubeconfig that has a context for each cluster.
    pub(crate) async fn clusters_of(&self, kubeconfig: &Path) -> BTreeMap<ClusterName, Cluster> {
        let contexts = Contexts::read(&[kubeconfig.to_owned()]).expect("a kubeconfig");
        let mut clusters = BTreeMap::new();
        for name in self.servers.keys() {
            let transport = contexts.open(name, Limits::default()).await.expect("a context");
            let cluster =
                Cluster::new(name.as_str().into(), transport.server().to_owned(), transport.clone());
            clusters.insert(ClusterName::from(name.as_str()), cluster);
        }
        clusters
    }

    /// Writes a kubeconfig with a context for each cluster, all of them somebody else's.
    pub(crate) async fn kubeconfig_of(&self, file: &str, user: &User<'_>) -> PathBuf {
        let mut contexts = Vec::new();
        for (name, server) in &self.servers {
            let user = match *user {
                User::Certificate { name, group } => server.certificate_user(name, group),
                User::ServiceAccount { namespace, name: account } => {
                    json!({"token": self.token(name, namespace, account).await})
                }
                User::Impersonated { name, groups } => {
                    let mut admin = server.admin().user;
                    admin["as"] = name.into();
                    admin["as-groups"] = groups.into();
                    admin
                }
            };
            contexts.push(Context { user, ..server.admin() });
        }
        let path = self.folder.join(format!("{file}.kubeconfig"));
        kubeconfig::write(&path, &contexts);
        path
    }

    /// A token of a service account, good for an hour.
    pub(crate) async fn token(&self, cluster: &str, namespace: &str, account: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let answer = self.raw(cluster).await.ask(Method::POST, &path, "application/json", &request).await;
        let token = answer.body["status"]["token"].as_str();
        token.unwrap_or_else(|| panic!("no token: {answer:?}")).to_owned()
    }

    /// The administrator's way to say anything to a cluster.
    pub(crate) async fn raw(&self, cluster: &str) -> Raw {
        Raw::context(&self.kubeconfig(), cluster).await
    }

    /// Kills an API server as `kill -9` does; it refuses connections from then on.
    pub(crate) fn kill(&self, cluster: &str) {
        self.servers[cluster].kill();
    }

    /// Starts an API server again where it was, killing it first if it still runs, and waits until it is ready.
    pub(crate) async fn restart(&self, cluster: &str) {
        let server = &self.servers[cluster];
        server.kill();
        server.start_again();
        server.wait_until_ready().await;
    }

    /// What a cluster was asked by anybody but its own controllers, in order.
    pub(crate) fn requests(&self, cluster: &str) -> Vec<Request> {
        audit::read(&self.servers[cluster].audit_log())
    }

    /// `kubectl` for a cluster, as an administrator.
    pub(crate) fn kubectl(&self, cluster: &str) -> Command {
        let mut command = Command::new(&self.assets.kubectl);
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", &self.folder);
        command.args(["--context", cluster]);
        command
    }

    /// Forgets all history, as an API server does every five minutes: what is older is expired from now on.
    pub(crate) async fn compact(&self) {
        let etcd = Raw::plain(&self.etcd_url);
        let get = json!({"key": "AA=="});
        let json = "application/json";
        let now = etcd.ask(Method::POST, "/v3/kv/range", json, &get).await;
        let revision = now.body["header"]["revision"].clone();
        let compact = json!({"revision": revision, "physical": true});
        let done = etcd.ask(Method::POST, "/v3/kv/compaction", json, &compact).await;
        assert_eq!(done.code, 200, "{:?}", done.body);
    }

    /// The pids of everything that runs.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.servers.values().flat_map(Server::pids).chain([self.etcd.pid()]).collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // In this order nobody complains of somebody who is gone.
        self.servers.clear();
        self.etcd.kill();
        // Logs stay; what etcd keeps is big.
        let _ = std::fs::remove_dir_all(self.folder.join("etcd"));
    }
}

/// Nobody waits for a set that nobody uses.
async fn end_shared_if_idle() {
    let mut shared = SHARED.lock().await;
    if shared.as_ref().is_some_and(|servers| Arc::strong_count(servers) == 1) {
        *shared = None;
    }
}

fn start_etcd(assets: &Assets, folder: &Path) -> (Process, String) {
    let client = format!("http://127.0.0.1:{}", free_port(Ipv4Addr::LOCALHOST.into()));
    let peer = format!("http://127.0.0.1:{}", free_port(Ipv4Addr::LOCALHOST.into()));
    let mut command = Command::new(&assets.etcd);
    command.arg("--data-dir").arg(folder.join("etcd"));
    command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    command.args(["--initial-cluster", &format!("default={peer}")]);
    // Nothing of a test outlives the machine.
    command.args(["--unsafe-no-fsync", "--log-level", "warn"]);
    (Process::start("etcd", command, &folder.join("etcd.log")), client)
}

/// Text as a kubeconfig holds it.
fn encoded(text: &str) -> Value {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text).into()
}

//! One cluster: its API server and its controllers.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use super::assets::Assets;
use super::authority::{Authority, Pair, key};
use super::kubeconfig::{self, Context};
use super::kubelet::Kubelet;
use super::process::{Process, free_port};
use super::raw::Raw;
use super::{Settings, audit, encoded};

/// How long a cluster may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster that is there until it is dropped.
pub(crate) struct Server {
    name: String,
    url: String,
    folder: PathBuf,
    authority: Authority,
    admin: Value,
    api_command: (PathBuf, Vec<String>),
    controllers_command: (PathBuf, Vec<String>),
    // Before the API server, so that they go first; none until that is ready, for which they wait 10 s only.
    controllers: Mutex<Option<Process>>,
    api: Arc<Mutex<Process>>,
    kubelet: Option<Kubelet>,
}

impl Server {
    /// Starts it; it is ready later.
    pub(super) fn start(assets: &Assets, folder: &Path, settings: Settings, etcd: &str) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let port = settings.port.unwrap_or_else(|| free_port(settings.address));
        let url = match settings.address {
            IpAddr::V4(address) => format!("https://{address}:{port}"),
            IpAddr::V6(address) => format!("https://[{address}]:{port}"),
        };
        let authority = Authority::new(&format!("{} test authority", settings.name));
        let mut arguments = api_arguments(folder, &settings, port, etcd, &authority);
        let pods = settings.pods.as_deref();
        let kubelet = pods.map(|pods| Kubelet::start(&assets.kubelet, folder, &settings, &authority, pods));
        if kubelet.is_some() {
            arguments.extend(Kubelet::arguments(folder));
        }
        let api_command = (assets.apiserver.clone(), arguments);
        let api = start("kube-apiserver", &api_command, folder);
        let manager = user(&authority.client("system:kube-controller-manager", None));
        let context = |user: Value| Context {
            name: settings.name.clone(),
            server: url.clone(),
            authority: authority.certificate(),
            user,
        };
        kubeconfig::write(&folder.join("controllers.kubeconfig"), &[context(manager)]);
        let arguments = controllers_arguments(folder, &settings);
        let admin = user(&authority.client("admin", Some("system:masters")));
        Self {
            name: settings.name,
            url,
            folder: folder.to_owned(),
            authority,
            admin,
            api_command,
            controllers_command: (assets.controller_manager.clone(), arguments),
            controllers: Mutex::new(None),
            api: Arc::new(Mutex::new(api)),
            kubelet,
        }
    }

    /// `https://127.0.0.1:20123`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Who signs for it and for its users, in PEM.
    pub(crate) fn authority(&self) -> String {
        self.authority.certificate()
    }

    /// A client certificate that it trusts.
    pub(crate) fn client(&self, name: &str, group: Option<&str>) -> Pair {
        self.authority.client(name, group)
    }

    /// The administrator's context.
    pub(crate) fn admin(&self) -> Context {
        Context {
            name: self.name.clone(),
            server: self.url.clone(),
            authority: self.authority.certificate(),
            user: self.admin.clone(),
        }
    }

    /// The user entry of a kubeconfig for somebody with a client certificate.
    pub(crate) fn certificate_user(&self, name: &str, group: Option<&str>) -> Value {
        user(&self.authority.client(name, group))
    }

    /// The kubelet of its node, where it has one.
    pub(crate) fn kubelet(&self) -> Option<&Kubelet> {
        self.kubelet.as_ref()
    }

    /// What its API server said.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("kube-apiserver.log")
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.jsonl")
    }

    pub(super) fn kill(&self) {
        lock(&self.api).kill();
    }

    /// Kills its API server whenever it is called.
    pub(crate) fn killer(&self) -> impl Fn() + Send + 'static {
        let api = Arc::clone(&self.api);
        move || lock(&api).kill()
    }

    pub(super) fn start_again(&self) {
        *lock(&self.api) = start("kube-apiserver", &self.api_command, &self.folder);
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        let controllers = lock(&self.controllers).as_ref().map(Process::pid);
        let kubelet = self.kubelet.as_ref().map(Kubelet::pid);
        controllers.into_iter().chain([lock(&self.api).pid()]).chain(kubelet).collect()
    }

    /// Waits until the API server is ready and its controllers have done what they do first.
    pub(super) async fn wait_until_ready(&self) {
        let kubeconfig = self.folder.join("admin.kubeconfig");
        kubeconfig::write(&kubeconfig, &[self.admin()]);
        let raw = Raw::context(&kubeconfig, &self.name).await;
        let end = Instant::now() + PATIENCE;
        for path in [
            "/readyz",
            "/api/v1/namespaces/default/serviceaccounts/default",
            "/api/v1/namespaces/kube-system/serviceaccounts/default",
            "/api/v1/namespaces/default/configmaps/kube-root-ca.crt",
        ] {
            loop {
                if raw.try_ask(Method::GET, path).await.is_some_and(|answer| answer.code == 200) {
                    break;
                }
                lock(&self.api).must_run();
                if let Some(controllers) = lock(&self.controllers).as_mut() {
                    controllers.must_run();
                }
                let name = &self.name;
                assert!(Instant::now() < end, "{name}: no {path}:\n{}", lock(&self.api).last_words());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            // The first of the paths needs no controller.
            let start = || start("kube-controller-manager", &self.controllers_command, &self.folder);
            lock(&self.controllers).get_or_insert_with(start);
        }
        if let Some(kubelet) = &self.kubelet {
            let node = kubelet.registration();
            let answer = raw.ask(Method::POST, "/api/v1/nodes", "application/json", &node).await;
            // It is there already where the API server has come back.
            assert!(matches!(answer.code, 201 | 409), "{answer:?}");
        }
    }
}

fn lock<T>(process: &Mutex<T>) -> MutexGuard<'_, T> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

fn user(pair: &Pair) -> Value {
    json!({
        "client-certificate-data": encoded(&pair.certificate),
        "client-key-data": encoded(&pair.key),
    })
}

fn start(name: &str, (binary, arguments): &(PathBuf, Vec<String>), folder: &Path) -> Process {
    let mut command = Command::new(binary);
    command.args(arguments);
    Process::start(name, command, &folder.join(format!("{name}.log")))
}

/// Writes the files of an API server and gives its arguments.
fn api_arguments(
    folder: &Path,
    settings: &Settings,
    port: u16,
    etcd: &str,
    authority: &Authority,
) -> Vec<String> {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let address = settings.address.to_string();
    let mut names = vec![address.clone(), "localhost".to_owned()];
    names.extend(["kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(str::to_owned));
    if address != "127.0.0.1" {
        names.push("127.0.0.1".to_owned());
    }
    let serving = authority.server(&names);
    let authority = file("ca.crt", &authority.certificate());
    let account_key = key();
    let account_public = file("service-accounts.pub", &account_key.public_key_pem());
    let account_key = file("service-accounts.key", &account_key.serialize_pem());
    let policy = file("audit.json", &audit::policy().to_string());
    let mut arguments: Vec<String> = [
        ("etcd-servers", etcd.to_owned()),
        ("etcd-prefix", format!("/{}", settings.name)),
        ("bind-address", address.clone()),
        ("advertise-address", address),
        ("secure-port", port.to_string()),
        ("tls-cert-file", file("apiserver.crt", &serving.certificate)),
        ("tls-private-key-file", file("apiserver.key", &serving.key)),
        ("client-ca-file", authority),
        ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
        ("service-account-key-file", account_public),
        ("service-account-signing-key-file", account_key),
        // Istiod's own audience, so that the tokens of its proxies are good.
        ("api-audiences", "https://kubernetes.default.svc,istio-ca".to_owned()),
        ("authorization-mode", "RBAC".to_owned()),
        ("allow-privileged", "true".to_owned()),
        ("service-cluster-ip-range", settings.services.clone()),
        // The Service `kubernetes` cannot point to a loopback address.
        ("endpoint-reconciler-type", "none".to_owned()),
        // There is no kube-proxy: webhooks are called at their endpoints.
        ("enable-aggregator-routing", "true".to_owned()),
        ("audit-policy-file", policy),
        ("audit-log-path", folder.join("audit.jsonl").display().to_string()),
        ("profiling", "false".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| format!("--{name}={value}"))
    .collect();
    arguments.extend(settings.arguments.iter().cloned());
    arguments
}

fn controllers_arguments(folder: &Path, settings: &Settings) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    [
        ("kubeconfig", file("controllers.kubeconfig")),
        ("leader-elect", "false".to_owned()),
        ("secure-port", "0".to_owned()),
        ("use-service-account-credentials", "true".to_owned()),
        ("service-account-private-key-file", file("service-accounts.key")),
        ("root-ca-file", file("ca.crt")),
        ("controllers", settings.controllers.join(",")),
    ]
    .into_iter()
    .map(|(name, value)| format!("--{name}={value}"))
    .collect()
}

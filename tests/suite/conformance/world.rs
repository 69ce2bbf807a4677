//! One case on two back ends.
//!
//! A case is run against the sandbox and against a real API server. Each has its own namespace, uids and versions,
//! so every answer is written down with those replaced ([`super::plain`]); what the case asserts must hold on both,
//! and at the end the two records must be the same text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Method;
use serde_json::Value;
use similar::TextDiff;
use stolos::sandbox::controllers::{self, Handle, Member};
use stolos::sandbox::{Clock, ClusterStore, RunningSandbox, Sandbox, SandboxCluster, SystemClock};

use super::plain::Plain;
use crate::support::scratch::scratch;
use crate::support::servers::{Answer, Raw, Servers, Settings, Watched};

/// The controllers of the real side: those that write what a case never asked for are left out.
const CONTROLLERS: &[&str] = &[
    "garbage-collector-controller",
    "legacy-serviceaccount-token-cleaner-controller",
    "namespace-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
];

/// How a patch is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Patch {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl Patch {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// One back end, as a case sees it.
pub(super) struct Api {
    raw: Raw,
    /// The case's own name, for what lies in no namespace.
    pub(super) case: String,
    record: Vec<String>,
    plain: Plain,
    detail: Detail,
    backend: Backend,
}

/// How much of an answer is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Whole,
    Verdict,
}

/// What answers.
enum Backend {
    Sandbox { folder: PathBuf, running: Option<RunningSandbox>, controllers: Option<Handle> },
    Real { servers: Arc<Servers> },
}

/// What a case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sides {
    /// The sandbox alone: it must answer what the case asserts.
    Sandbox,
    /// A real server too, with whose whole answers the sandbox's are compared.
    Both,
}

/// Makes two tests of each case, one of which takes real API servers.
macro_rules! sides {
    ($($case:ident),+ $(,)?) => {
        $(
            mod $case {
                use crate::conformance::world::Sides;

                #[tokio::test(flavor = "multi_thread")]
                async fn in_the_sandbox() {
                    super::$case(Sides::Sandbox).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "takes API servers: tests/kube/build-kube"]
                async fn as_a_real_server() {
                    super::$case(Sides::Both).await;
                }
            }
        )+
    };
}

pub(super) use sides;

/// Runs a case on its sides; real is a set of servers that cases share.
pub(super) async fn on_both(on: Sides, case: &str, run: impl AsyncFn(&mut Api)) {
    // Held until the case has ended on both, so that the next finds it running.
    let servers = match on {
        Sides::Sandbox => None,
        Sides::Both => Some(Servers::shared("conformance", settings).await),
    };
    judge(case, servers.clone(), run).await;
}

/// The same for a case that shakes its server: it has one of its own.
pub(super) async fn on_both_alone(on: Sides, case: &str, run: impl AsyncFn(&mut Api)) {
    let name = format!("conformance-{case}");
    let servers = match on {
        Sides::Sandbox => None,
        Sides::Both => Some(Arc::new(Servers::start_with(&name, vec![settings()]).await)),
    };
    judge(case, servers, run).await;
}

async fn judge(case: &str, servers: Option<Arc<Servers>>, run: impl AsyncFn(&mut Api)) {
    let folder = match servers {
        Some(_) => format!("{case}-compared"),
        None => case.to_owned(),
    };
    let real = match servers {
        Some(servers) => Some(Api::real(case, servers).await.recorded(&run).await),
        None => None,
    };
    let sandbox = Api::sandbox(case, &folder).await.recorded(&run).await;
    if let Some(real) = real {
        compare(case, &sandbox, &real);
    }
}

fn compare(case: &str, sandbox: &str, real: &str) {
    if real != sandbox {
        let diff = TextDiff::from_lines(real, sandbox);
        panic!("{case}:\n{}", diff.unified_diff().context_radius(12).header("a real server", "the sandbox"));
    }
}

fn settings() -> Settings {
    let controllers = CONTROLLERS.iter().map(|&name| name.to_owned()).collect();
    Settings { controllers, ..Settings::nth(0, "cluster1") }
}

impl Api {
    async fn real(case: &str, servers: Arc<Servers>) -> Self {
        let raw = servers.raw("cluster1").await;
        Self::new(case, raw, Backend::Real { servers }).await
    }

    async fn sandbox(case: &str, folder_name: &str) -> Self {
        let folder = scratch(&format!("conformance-{folder_name}-sandbox"));
        let running = open(&folder).await;
        let raw = Raw::plain(&running.endpoints()[0].url);
        let backend = Backend::Sandbox { folder, running: Some(running), controllers: None };
        Self::new(case, raw, backend).await
    }

    async fn new(case: &str, raw: Raw, backend: Backend) -> Self {
        let api = Self {
            raw,
            case: case.to_owned(),
            record: Vec::new(),
            plain: Plain::default(),
            detail: Detail::Whole,
            backend,
        };
        let namespace =
            serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case}});
        assert_eq!(api.quietly(Method::POST, "/api/v1/namespaces", &namespace).await.code, 201);
        // A real cluster furnishes a namespace a moment later.
        api.until(&api.core("serviceaccounts/default"), |answer| answer.code == 200).await;
        api.until(&api.core("configmaps/kube-root-ca.crt"), |answer| answer.code == 200).await;
        api
    }

    async fn recorded(mut self, run: &impl AsyncFn(&mut Self)) -> String {
        let backend = match &self.backend {
            Backend::Sandbox { .. } => "the sandbox",
            Backend::Real { .. } => "a real server",
        };
        // Shown where the case fails: it fails on one of the two.
        #[expect(clippy::print_stdout, reason = "the harness shows it with a failure")]
        {
            println!("on {backend}:");
        }
        run(&mut self).await;
        self.record.join("\n")
    }

    /// From now on only the codes and reasons of refusals are written down.
    ///
    /// A named difference: what a decoder or a validator of Go's own says of bad input, the sandbox says in words of
    /// its own.
    pub(super) fn verdicts_only(&mut self) {
        self.detail = Detail::Verdict;
    }

    /// From now on every uid is written down alike.
    pub(super) fn uids_are_free(&mut self) {
        self.plain.forget_uids();
    }

    /// The path of something of the core group in the case's namespace: `configmaps/a`.
    pub(super) fn core(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/{rest}", self.case)
    }

    /// The path of something of another group in the case's namespace: `apps/v1`, `deployments/d`.
    pub(super) fn of(&self, group_version: &str, rest: &str) -> String {
        format!("/apis/{group_version}/namespaces/{}/{rest}", self.case)
    }

    /// A request of any kind, written down.
    pub(super) async fn ask(&mut self, method: Method, path: &str, media_type: &str, body: &Value) -> Answer {
        let answer = self.raw.ask(method.clone(), path, media_type, body).await;
        self.write_down(&format!("{method} {path}"), &answer);
        answer
    }

    /// The same with a body that is no JSON.
    pub(super) async fn ask_bytes(
        &mut self,
        method: Method,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Answer {
        let answer = self.raw.ask_bytes(method.clone(), path, media_type, body.to_vec()).await;
        self.write_down(&format!("{method} {path}"), &answer);
        answer
    }

    /// A request that is not written down, for what only leads to a case.
    pub(super) async fn quietly(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.raw.ask(method, path, "application/json", body).await
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, "", &Value::Null).await
    }

    pub(super) async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, "application/json", body).await
    }

    pub(super) async fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, path, "application/json", body).await
    }

    /// A delete; null for no options.
    pub(super) async fn delete(&mut self, path: &str, options: &Value) -> Answer {
        self.ask(Method::DELETE, path, "application/json", options).await
    }

    pub(super) async fn patch(&mut self, patch: Patch, path: &str, body: &Value) -> Answer {
        self.ask(Method::PATCH, path, patch.media_type(), body).await
    }

    /// Server-side apply by a manager.
    pub(super) async fn apply(&mut self, manager: &str, path: &str, body: &Value) -> Answer {
        self.patch(Patch::Apply, &format!("{path}?fieldManager={manager}"), body).await
    }

    /// Server-side apply that takes what others hold.
    pub(super) async fn force(&mut self, manager: &str, path: &str, body: &Value) -> Answer {
        self.patch(Patch::Apply, &format!("{path}?fieldManager={manager}&force=true"), body).await
    }

    /// Opens a watch; what refuses it is written down.
    pub(super) async fn watch(&mut self, path: &str) -> Result<Watched, Answer> {
        let opened = self.raw.watch(path).await;
        if let Err(answer) = &opened {
            self.write_down(&format!("WATCH {path}"), answer);
        }
        opened
    }

    /// The next event of a watch, written down; none at its end.
    pub(super) async fn event(&mut self, watch: &mut Watched) -> Option<Value> {
        let event = watch.next().await;
        let plain = event.clone().map(|event| self.plain.value(event));
        self.record.push(format!("EVENT {}\n", plain.map_or("none".to_owned(), |event| pretty(&event))));
        event
    }

    /// Reads a path until it is as it should be; the last answer is written down.
    pub(super) async fn settle(&mut self, path: &str, is_done: impl Fn(&Answer) -> bool) -> Answer {
        let answer = self.until(path, is_done).await;
        self.write_down(&format!("GET {path}"), &answer);
        answer
    }

    /// Server-side apply that is not written down.
    pub(super) async fn apply_quietly(&self, manager: &str, path: &str, body: &Value) -> Answer {
        let path = format!("{path}?fieldManager={manager}");
        self.raw.ask(Method::PATCH, &path, Patch::Apply.media_type(), body).await
    }

    /// Reads a path until it is as it should be; nothing is written down.
    pub(super) async fn until(&self, path: &str, is_done: impl Fn(&Answer) -> bool) -> Answer {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let answer = self.raw.ask(Method::GET, path, "", &Value::Null).await;
            if is_done(&answer) {
                return answer;
            }
            assert!(std::time::Instant::now() < end, "{path} stays {answer:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Lets the controllers of the sandbox run; those of a real cluster do.
    pub(super) fn start_controllers(&mut self) {
        if let Backend::Sandbox { running: Some(running), controllers, .. } = &mut self.backend {
            let stores = running.sandbox().clusters().iter();
            *controllers = Some(controllers::start(
                stores.map(|store| Member::new(Arc::<ClusterStore>::clone(store))).collect(),
            ));
        }
    }

    /// Ends the server as `kill -9` would, and starts it again: it remembers its objects and no history.
    pub(super) async fn restart(&mut self) {
        match &mut self.backend {
            Backend::Sandbox { folder, running, .. } => {
                *running = None;
                let again = open(folder).await;
                self.raw = Raw::plain(&again.endpoints()[0].url);
                *running = Some(again);
            }
            Backend::Real { servers } => {
                servers.compact().await;
                servers.restart("cluster1").await;
            }
        }
    }

    fn write_down(&mut self, request: &str, answer: &Answer) {
        let mut body = self.plain.value(answer.body.clone());
        if self.detail == Detail::Verdict && answer.code >= 400 {
            body = body["reason"].clone();
        }
        let request = self.plain.path(request);
        self.record.push(format!("{request}\n{} {}\n", answer.code, pretty(&body)));
    }
}

async fn open(folder: &Path) -> RunningSandbox {
    let clusters = [SandboxCluster { name: "cluster1".to_owned(), id: "cluster1".to_owned() }];
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sandbox = Sandbox::open(folder, &clusters, &clock).expect("a sandbox");
    RunningSandbox::start(sandbox).await.expect("it answers")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

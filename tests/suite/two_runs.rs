//! Two processes of the binary at the same clusters, and what a process leaves behind that is ended.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stolos::object::{Object, ObjectRef};
use stolos::plan::Inventory;
use stolos::sandbox::{Clock, Endpoint, Sandbox, SandboxCluster, SystemClock};
use tokio::sync::watch;

use crate::support::command::{Ran, stolos};
use crate::support::meshes::{Meshes, desired, topology_text};
use crate::support::scratch::scratch;
use crate::support::tap::{Asked, Class, Deed, Tap, Upstream};
use crate::support::tapped::kubeconfig;

const FILE: &str = "primary-remote-multi-network.yaml";

/// A mesh over HTTP, which other processes reach by a kubeconfig.
struct Served {
    folder: PathBuf,
    meshes: Meshes,
}

/// Clusters in which nothing gets ready until their controllers start.
async fn served(test: &str) -> Served {
    let folder = scratch(test);
    // What controllers read of a remote secret is where the sandbox's clusters say that they are.
    let text = ["cluster1", "cluster2"].iter().fold(topology_text(FILE), |text, name| {
        let server = format!("  {name}: {{ apiServer: 'https://{name}.sandbox.invalid:6443',");
        let declared = text.replace(&format!("  {name}: {{"), &server);
        assert_ne!(declared, text);
        declared
    });
    std::fs::write(folder.join("mesh.yaml"), &text).expect("a file");
    let meshes = Meshes::without_controllers(&folder.join("clusters"), desired(FILE, &text)).await;
    meshes.running.write_kubeconfig(&folder.join("config")).expect("a file");
    Served { folder, meshes }
}

const APPLY: &[&str] = &["apply", "--auto-approve", "--kubeconfig", "config", "mesh.yaml"];

impl Served {
    /// Starts a command, and gives it once it has taken the lease of the first cluster and waits for istiod.
    fn started(&self, arguments: &[&str]) -> Started {
        let started = Started::new(&self.folder, arguments);
        self.until("it holds the lease and has made istiod", || {
            self.holder("cluster1").is_some() && self.live("apps", "Deployment", "istiod").is_some()
        });
        started
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn live(&self, group: &str, kind: &str, name: &str) -> Option<Object> {
        let reference = ObjectRef {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: Some("istio-system".to_owned()),
            name: name.to_owned(),
        };
        let store = self.meshes.running.sandbox().cluster("cluster1").expect("a cluster");
        store.get(&reference).map(|live| Object::clone(&live))
    }

    fn holder(&self, cluster: &str) -> Option<String> {
        let store = self.meshes.running.sandbox().cluster(cluster).expect("a cluster");
        let reference = ObjectRef {
            group: "coordination.k8s.io".to_owned(),
            kind: "Lease".to_owned(),
            namespace: Some("istio-system".to_owned()),
            name: "stolos-mesh1".to_owned(),
        };
        store.get(&reference)?.text(&["spec", "holderIdentity"]).map(str::to_owned)
    }

    /// Runs a command to its end beside the clusters of this process.
    async fn ran(&self, arguments: &'static [&'static str]) -> Ran {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || stolos(&folder, arguments)).await.expect("no panic")
    }
}

/// A command under way. Ended with the test that started it.
struct Started {
    child: Child,
    said: mpsc::Receiver<String>,
}

impl Started {
    fn new(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stolos"))
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("COLUMNS", "100")
            .env("HOME", folder)
            .env("USER", "alice")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary that this suite was built with");
        let stderr = child.stderr.take().expect("it is piped");
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, said }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill");
        assert!(status.success(), "kill -{name}");
    }

    /// Everything that it says until a line holds this text.
    fn heard(&self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.said.recv_timeout(Duration::from_secs(120));
            let line = line.unwrap_or_else(|_| panic!("{text:?} was not said: {lines:#?}"));
            lines.push(line.clone());
            if line.contains(text) {
                return lines;
            }
        }
    }

    /// Waits until it ends: its code.
    fn finished(mut self) -> (Option<i32>, Vec<String>) {
        let code = self.child.wait().expect("it is ours").code();
        (code, self.said.iter().collect())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_apply_is_refused_naming_the_first_or_waits_for_it() {
    let mut served = served("two-runs").await;
    let first = served.started(APPLY);
    let pid = first.child.id();
    let holder = served.holder("cluster1").expect("it is held");
    assert!(holder.starts_with("alice@") && holder.contains(&format!("/{pid}/")), "{holder}");
    let refused = served.ran(APPLY).await;
    assert_eq!(refused.code, Some(1), "{refused}");
    let who = "error[lease-held]: cluster1 is being changed by alice@";
    assert!(refused.stderr.contains(who), "{refused}");
    let what = format!("(pid {pid})\n  stolos apply --kubeconfig config mesh.yaml, for ");
    assert!(refused.stderr.contains(&what), "{refused}");
    assert!(refused.stderr.ends_with("stolos explain lease-held\n\nNothing was changed.\n"), "{refused}");
    let destroy = served.ran(&["destroy", "--auto-approve", "--kubeconfig", "config", "mesh.yaml"]).await;
    assert!(destroy.stderr.contains("error[lease-held]: "), "{destroy}");
    // Another one waits, and does what is left once the first is done.
    let waiting = ["apply", "--auto-approve", "--lock-timeout", "5m", "--kubeconfig", "config", "mesh.yaml"];
    let second = Started::new(&served.folder, &waiting);
    let said = second.heard("Waiting up to 5m for alice@");
    assert!(
        said.last().is_some_and(|line| line.contains("who is changing cluster1: stolos apply")),
        "{said:?}"
    );
    served.meshes.start_controllers().await;
    let (code, _) = first.finished();
    assert_eq!(code, Some(0));
    let said = second.heard("planning again");
    let (code, rest) = second.finished();
    assert_eq!(code, Some(0), "{said:?} {rest:?}");
    assert_eq!(served.holder("cluster1"), None);
    let clean = ["plan", "--detailed-exitcode", "--kubeconfig", "config", "mesh.yaml"];
    let planned = tokio::task::spawn_blocking({
        let folder = served.folder.clone();
        move || stolos(&folder, &clean)
    });
    let planned = planned.await.expect("no panic");
    assert_eq!(planned.code, Some(0), "{planned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_killed_is_succeeded_at_once() {
    let mut served = served("two-runs-killed").await;
    let killed = served.started(APPLY);
    killed.signal("KILL");
    let (code, _) = killed.finished();
    assert_eq!(code, None);
    assert!(served.holder("cluster1").is_some(), "nobody gave it back");
    served.meshes.start_controllers().await;
    let ran = served.ran(APPLY).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("The lease of cluster1 is taken over: "), "{ran}");
    assert!(ran.stderr.contains(" has ended without giving it back\n"), "{ran}");
    assert_eq!(served.holder("cluster1"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_asked_to_end_gives_its_leases_back() {
    for signal in ["INT", "TERM", "HUP"] {
        let served = served(&format!("two-runs-{signal}")).await;
        let asked = served.started(APPLY);
        asked.signal(signal);
        let (code, said) = asked.finished();
        assert_eq!(code, Some(1), "{signal}: {said:#?}");
        assert!(said.iter().any(|line| line.starts_with("Stopped: ")), "{signal}: {said:#?}");
        assert_eq!((served.holder("cluster1"), served.holder("cluster2")), (None, None), "{signal}");
    }
}

/// From here on commands reach the clusters through a tap.
async fn through_a_tap(served: &Served) -> Tap {
    let endpoints = served.meshes.running.endpoints().into_iter();
    let upstreams = endpoints.map(|at| (at.cluster, Upstream::plain(&at.url)));
    let tap = Tap::new(upstreams.collect()).await;
    std::fs::write(served.folder.join("config"), kubeconfig(tap.urls())).expect("a file");
    tap
}

/// Whether a request makes istiod: the step that it belongs to runs then.
fn makes_istiod(asked: &Asked) -> bool {
    asked.class == Class::Write && asked.path.contains("/deployments/istiod?")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_interrupt_lets_requests_end_starts_nothing_more_and_gives_the_leases_back() {
    let served = served("two-runs-first").await;
    let tap = through_a_tap(&served).await;
    let (keeper, gate) = watch::channel(false);
    tap.script(move |asked| if makes_istiod(asked) { Deed::Held(gate.clone()) } else { Deed::Pass });
    let asked = Started::new(&served.folder, APPLY);
    served.until("istiod is on its way", || tap.seen().iter().any(makes_istiod));
    asked.signal("INT");
    asked.heard("Interrupt again to abandon.");
    assert!(served.holder("cluster1").is_some(), "the step still runs");
    assert_eq!(served.live("apps", "Deployment", "istiod"), None);
    keeper.send(true).expect("it is held");
    let (code, said) = asked.finished();
    assert_eq!(code, Some(1), "{said:#?}");
    assert!(said.iter().any(|line| line.starts_with("Stopped: ")), "{said:#?}");
    let istiod = served.live("apps", "Deployment", "istiod").expect("its request came to an end");
    let inventory = served.live("", "ConfigMap", "stolos-mesh1").expect("an inventory");
    let inventory = Inventory::from_object(&inventory, &"cluster1".into()).expect("it is one");
    let recorded = inventory.entries.get(&istiod.reference()).expect("it is recorded");
    assert_eq!(recorded.uid.as_deref(), istiod.uid());
    assert_eq!(served.live("apps", "Deployment", "istio-eastwestgateway"), None);
    assert_eq!((served.holder("cluster1"), served.holder("cluster2")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_interrupt_waits_for_no_answer_and_gives_the_leases_back() {
    let mut served = served("two-runs-second").await;
    let tap = through_a_tap(&served).await;
    tap.script(|asked| if makes_istiod(asked) { Deed::Silence } else { Deed::Pass });
    let asked = Started::new(&served.folder, APPLY);
    served.until("istiod is on its way", || tap.seen().iter().any(makes_istiod));
    asked.signal("INT");
    asked.heard("Interrupt again to abandon.");
    assert!(served.holder("cluster1").is_some(), "the step still runs");
    let told = Instant::now();
    asked.signal("INT");
    let (code, said) = asked.finished();
    // A request without an answer is given up after a minute.
    assert!(told.elapsed() < Duration::from_secs(20), "{:?}", told.elapsed());
    assert_eq!(code, Some(1), "{said:#?}");
    let abandoned = [
        "Abandoned: requests were under way, and the inventories may lag behind.",
        "Go on with: stolos apply --kubeconfig config mesh.yaml",
    ];
    assert!(said.ends_with(&abandoned.map(str::to_owned)), "{said:#?}");
    assert_eq!((served.holder("cluster1"), served.holder("cluster2")), (None, None));
    // Nothing keeps the next one.
    tap.script(|_| Deed::Pass);
    served.meshes.start_controllers().await;
    let ran = served.ran(APPLY).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(!ran.stderr.contains("The lease of "), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_interrupt_says_which_lease_stays_until_it_runs_out() {
    let served = served("two-runs-left").await;
    let tap = through_a_tap(&served).await;
    let mut is_silent = false;
    tap.script(move |asked| {
        is_silent |= makes_istiod(asked);
        if is_silent && asked.cluster == "cluster1" { Deed::Silence } else { Deed::Pass }
    });
    let asked = Started::new(&served.folder, APPLY);
    served.until("istiod is on its way", || tap.seen().iter().any(makes_istiod));
    asked.signal("INT");
    asked.heard("Interrupt again to abandon.");
    asked.signal("INT");
    let (code, said) = asked.finished();
    assert_eq!(code, Some(1), "{said:#?}");
    let left = [
        "Abandoned: requests were under way, and the inventories may lag behind.",
        "The lease of cluster1 could not be given back and runs out in 30s: no answer within 5 s",
        "Go on with: stolos apply --kubeconfig config mesh.yaml",
    ];
    assert!(said.ends_with(&left.map(str::to_owned)), "{said:#?}");
    assert!(served.holder("cluster1").is_some(), "nobody could give it back");
    assert_eq!(served.holder("cluster2"), None);
}

#[test]
fn an_apply_waits_for_the_command_that_holds_its_sandbox() {
    let folder = scratch("two-runs-sandbox");
    std::fs::write(folder.join("mesh.yaml"), topology_text(FILE)).expect("a file");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let clusters = ["cluster1", "cluster2"].map(|name| SandboxCluster { name: name.into(), id: name.into() });
    let held = Sandbox::open(&folder.join(".stolos/sandbox"), &clusters, &clock).expect("a sandbox");
    let refused = stolos(&folder, &["apply", "--auto-approve", "--sandbox", "mesh.yaml"]);
    assert!(refused.stderr.starts_with("error[sandbox-in-use]: "), "{refused}");
    let waiting = ["apply", "--auto-approve", "--lock-timeout", "5m", "--sandbox", "mesh.yaml"];
    let waiting = Started::new(&folder, &waiting);
    let said = waiting.heard("Waiting up to 5m for another command");
    drop(held);
    let (code, rest) = waiting.finished();
    assert_eq!(code, Some(0), "{said:?} {rest:?}");
    let planned = stolos(&folder, &["plan", "--detailed-exitcode", "--sandbox", "mesh.yaml"]);
    assert_eq!(planned.code, Some(0), "{planned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_plugin_that_does_not_end_keeps_no_run_that_is_abandoned() {
    let served = served("two-runs-plugin").await;
    let plugin = "\
[ ! -e hang ] || { touch hangs; exec sleep 1000; }
end=$(date -u -d '+1 second' +%Y-%m-%dT%H:%M:%SZ)
echo '{\"kind\": \"ExecCredential\", \"apiVersion\": \"client.authentication.k8s.io/v1\",
  \"status\": {\"token\": \"t\", \"expirationTimestamp\": \"'$end'\"}}'
touch asked";
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh",
        "args": ["-c", plugin], "interactiveMode": "Never"});
    let endpoints = served.meshes.running.endpoints();
    let named = |key: &str, of: &dyn Fn(&Endpoint) -> Value| -> Vec<Value> {
        endpoints.iter().map(|endpoint| json!({"name": endpoint.cluster, key: of(endpoint)})).collect()
    };
    let config = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": named("cluster", &|endpoint| json!({"server": endpoint.url})),
        "contexts": named("context", &|endpoint| json!({"cluster": endpoint.cluster, "user": "user"})),
        "users": [{"name": "user", "user": {"exec": exec}}],
    });
    std::fs::write(served.folder.join("config"), config.to_string()).expect("a file");
    let asked = served.started(APPLY);
    assert!(served.folder.join("asked").exists());
    std::fs::write(served.folder.join("hang"), "").expect("a file");
    // Its last credential ends within a second; the first request after that hangs.
    served.until("the plugin hangs", || served.folder.join("hangs").exists());
    asked.signal("INT");
    asked.heard("Stopping");
    let told = Instant::now();
    asked.signal("INT");
    let (code, said) = asked.finished();
    assert_eq!(code, Some(1), "{said:#?}");
    assert!(told.elapsed() < Duration::from_secs(40), "{:?} {said:#?}", told.elapsed());
}

//! API servers that fail, anywhere: a run comes to its end, or says clearly what kept it from that; and the
//! next run of the same command brings about what an undisturbed one does.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stolos::sandbox::Clock;

use crate::support::command::Ran;
use crate::support::matrix::sample;
use crate::support::meshes::{folder, topology_text};
use crate::support::tap::{Asked, Class, Deed, status_body};
use crate::support::tapped::{State, Tapped, differences, with_api_servers};

const FILE: &str = "primary-remote-multi-network.yaml";
const APPLY: &[&str] = &["apply", "--auto-approve", "--timeout", "12s"];
const DESTROY: &[&str] = &["destroy", "--auto-approve", "--timeout", "12s"];
/// What one fault may cost: a write that is never answered (40 s), a wait (12 s), and what else is done.
const LONGEST: Duration = Duration::from_secs(80);

/// From where a verb starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Apply to empty clusters.
    There,
    /// Apply once more.
    Steady,
    /// Destroy.
    Back,
}

/// How an API server fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    TooMany,
    ErrorOnce,
    ErrorAlways,
    Unavailable,
    Reset,
    ResetDone,
    Close,
    CloseDone,
    Half,
    Stalled,
    Slow,
    Silence,
    SilenceDone,
    ConflictStorm,
    WebhookFails,
    Forbidden,
    DeadAWhile,
    DeadForEver,
    WatchDropped,
    WatchBroken,
    WatchExpired,
    WatchEventExpired,
}

const OF_ALL: &[Fault] = &[
    Fault::TooMany,
    Fault::ErrorOnce,
    Fault::ErrorAlways,
    Fault::Unavailable,
    Fault::Reset,
    Fault::Close,
    Fault::Half,
    Fault::Stalled,
    Fault::Slow,
    Fault::Silence,
    Fault::Forbidden,
    Fault::DeadAWhile,
    Fault::DeadForEver,
];
const OF_WRITES: &[Fault] =
    &[Fault::ResetDone, Fault::CloseDone, Fault::SilenceDone, Fault::ConflictStorm, Fault::WebhookFails];
const OF_WATCHES: &[Fault] =
    &[Fault::WatchDropped, Fault::WatchBroken, Fault::WatchExpired, Fault::WatchEventExpired];

impl Fault {
    fn of(class: Class) -> impl Iterator<Item = Self> {
        let more = match class {
            Class::Read | Class::DryRun => &[],
            Class::Write => OF_WRITES,
            Class::Watch => OF_WATCHES,
        };
        OF_ALL.iter().chain(more).copied()
    }

    /// What becomes of the request, and how often in a row.
    fn deed(self) -> (Deed, usize) {
        let status = |code: u16, reason: &str, message: &str| {
            Deed::Json(code, serde_json::from_str(&status_body(code, reason, message)).expect("JSON"))
        };
        let expired = || {
            let body: Value =
                serde_json::from_str(&status_body(410, "Expired", "too old resource version")).expect("JSON");
            Deed::Lines(vec![json!({"type": "ERROR", "object": body})])
        };
        match self {
            Self::TooMany => (Deed::TooMany(1), 1),
            Self::ErrorOnce => (status(500, "InternalError", "etcd is away"), 1),
            Self::ErrorAlways => (status(500, "InternalError", "etcd is away"), usize::MAX),
            Self::Unavailable => (Deed::Text(503, "busy"), 1),
            Self::Reset => (Deed::Reset, 1),
            Self::ResetDone => (Deed::ResetDone, 1),
            Self::Close => (Deed::Close, 1),
            Self::CloseDone => (Deed::CloseDone, 1),
            Self::Half => (Deed::Half, 1),
            Self::Stalled => (Deed::Stalled, 1),
            Self::Slow => (Deed::Slow(Duration::from_millis(700)), 1),
            Self::Silence => (Deed::Silence, 1),
            Self::SilenceDone => (Deed::SilenceDone, 1),
            Self::ConflictStorm => (status(409, "Conflict", "the object has been modified"), 3),
            Self::WebhookFails => {
                let message = "Internal error occurred: failed calling webhook \"a.example.com\"";
                (status(500, "InternalError", message), usize::MAX)
            }
            Self::Forbidden => (status(403, "Forbidden", "user u may not"), usize::MAX),
            Self::DeadAWhile => (Deed::Dead(Some(Duration::from_secs(1))), 1),
            Self::DeadForEver => (Deed::Dead(None), 1),
            Self::WatchDropped => (Deed::Lines(vec![]), 2),
            Self::WatchBroken => (Deed::Half, 2),
            Self::WatchExpired => (status(410, "Expired", "too old resource version"), 1),
            Self::WatchEventExpired => (expired(), 1),
        }
    }

    /// What an error that comes of it says beside cluster and object; none where a run goes on by itself.
    fn words(self) -> Option<&'static [&'static str]> {
        match self {
            Self::ErrorAlways => Some(&["etcd is away", "attempts"]),
            Self::WebhookFails => Some(&["failed calling webhook", "attempts"]),
            Self::Forbidden => Some(&["user u may not"]),
            // Of a wait that ends before the request does the error says who has not answered.
            Self::Stalled | Self::Silence => Some(&["answer"]),
            Self::SilenceDone => Some(&["no answer within 40 s"]),
            Self::DeadForEver => Some(&["cannot be reached", "Connection refused", "attempts"]),
            // Only deletes mean one state of an object.
            Self::ConflictStorm => Some(&["it has changed since it was read"]),
            Self::TooMany
            | Self::ErrorOnce
            | Self::Unavailable
            | Self::Reset
            | Self::ResetDone
            | Self::Close
            | Self::CloseDone
            | Self::Half
            | Self::Slow
            | Self::DeadAWhile
            | Self::WatchDropped
            | Self::WatchBroken
            | Self::WatchExpired
            | Self::WatchEventExpired => None,
        }
    }
}

/// What undisturbed runs come to.
struct Expected {
    topology: String,
    /// The clusters once applied, on the disk.
    applied_in: PathBuf,
    applied: State,
    destroyed: State,
    there: Vec<Asked>,
    steady: Vec<Asked>,
    back: Vec<Asked>,
}

impl Expected {
    async fn new(test: &str) -> Self {
        let topology = with_api_servers(&topology_text(FILE));
        let applied_in = folder(&format!("{test}-expected"));
        let tapped = Tapped::new(&applied_in, &topology).await;
        let ran = tapped.undisturbed(APPLY).await;
        assert_eq!(ran.code, Some(0), "{ran}");
        let (applied, there) = (tapped.state().await, tapped.tap.seen());
        assert_eq!(tapped.undisturbed(APPLY).await.code, Some(0));
        let steady = tapped.tap.seen();
        tapped.running.stop().await;
        let tapped = Tapped::copy(&folder(&format!("{test}-destroyed")), &topology, &applied_in).await;
        let ran = tapped.undisturbed(DESTROY).await;
        assert_eq!(ran.code, Some(0), "{ran}");
        let (destroyed, back) = (tapped.state().await, tapped.tap.seen());
        Self { topology, applied_in, applied, destroyed, there, steady, back }
    }

    fn requests(&self, way: Way) -> &[Asked] {
        match way {
            Way::There => &self.there,
            Way::Steady => &self.steady,
            Way::Back => &self.back,
        }
    }

    async fn start(&self, test: &str, way: Way) -> Tapped {
        match way {
            Way::There => Tapped::new(&folder(test), &self.topology).await,
            Way::Steady | Way::Back => Tapped::copy(&folder(test), &self.topology, &self.applied_in).await,
        }
    }

    fn state(&self, way: Way) -> &State {
        match way {
            Way::There | Way::Steady => &self.applied,
            Way::Back => &self.destroyed,
        }
    }

    fn verb(way: Way) -> &'static [&'static str] {
        match way {
            Way::There | Way::Steady => APPLY,
            Way::Back => DESTROY,
        }
    }

    /// Lets one request of a run fail, and gives what is wrong then and after the next run.
    async fn fails(&self, way: Way, nth: usize, fault: Fault) -> Vec<String> {
        let tapped = self.start(&format!("faults-{way:?}-{nth}-{fault:?}"), way).await;
        let (deed, times) = fault.deed();
        let mut hit: Option<Asked> = None;
        let mut left = times;
        let start = Instant::now();
        let ran = tapped
            .run(Self::verb(way), move |asked| {
                if asked.nth == nth && Fault::of(asked.class).any(|possible| possible == fault) {
                    hit = Some(asked.clone());
                }
                match &hit {
                    Some(hit) if is_again(hit, asked) && left > 0 => {
                        left -= 1;
                        deed.clone()
                    }
                    _ => Deed::Pass,
                }
            })
            .await;
        let mut faults = Vec::new();
        if start.elapsed() > LONGEST {
            faults.push(format!("it took {:?}", start.elapsed()));
        }
        let seen = tapped.tap.seen();
        let hit = seen.iter().find(|asked| asked.nth == nth);
        if let Some(hit) = hit {
            faults.extend(unclear(hit, fault, &ran));
        }
        faults.extend(self.writes_too_much(way, &seen));
        faults.extend(secrets_in(&tapped, &ran));
        if ran.code == Some(0) {
            faults.extend(differences(self.state(way), &tapped.state().await));
        }
        let again = tapped.undisturbed(Self::verb(way)).await;
        if again.code != Some(0) {
            faults.push(format!("the next run fails: {again}"));
        }
        faults.extend(differences(self.state(way), &tapped.state().await));
        faults.extend(tapped.faults_in_the_books());
        let _ = std::fs::remove_dir_all(&tapped.folder);
        let about = hit.map(ToString::to_string).unwrap_or_default();
        faults.into_iter().map(|what| format!("{way:?} {fault:?} at {nth} ({about}): {what}")).collect()
    }
}

impl Expected {
    /// The writes of a disturbed run that an undisturbed one would not send: a failed read is no reason for any.
    fn writes_too_much(&self, way: Way, seen: &[Asked]) -> Vec<String> {
        let of = |asked: &Asked| format!("{} {} {}", asked.cluster, asked.method, path_of(asked));
        let wanted: BTreeSet<String> = self.requests(way).iter().map(of).collect();
        // What a destroy leaves behind is recorded, which it need not where nothing is left.
        let is_record = |asked: &&Asked| {
            path_of(asked).contains("/leases")
                || way == Way::Back && asked.method == "PATCH" && is_inventory(asked)
        };
        let writes = seen.iter().filter(|asked| asked.class == Class::Write && !is_record(asked)).map(of);
        writes
            .filter(|write| !wanted.contains(write))
            .map(|write| format!("{write} was sent and should not have been"))
            .collect()
    }
}

fn is_inventory(asked: &Asked) -> bool {
    path_of(asked).ends_with("/namespaces/istio-system/configmaps/stolos-mesh1")
}

fn path_of(asked: &Asked) -> &str {
    asked.path.split('?').next().unwrap_or_default()
}

/// Whether a request is the one that failed, sent again.
fn is_again(hit: &Asked, asked: &Asked) -> bool {
    asked.nth >= hit.nth
        && asked.cluster == hit.cluster
        && asked.method == hit.method
        && path_of(asked) == path_of(hit)
}

/// What a run does not say of the fault that it met.
fn unclear(hit: &Asked, fault: Fault, ran: &Ran) -> Vec<String> {
    if !Fault::of(hit.class).any(|possible| possible == fault) || ran.code == Some(0) {
        return Vec::new();
    }
    let Some(words) = fault.words() else {
        return vec![format!("it should have got over it: {ran}")];
    };
    let mut faults = Vec::new();
    if !matches!(ran.code, Some(1 | 3)) {
        faults.push(format!("it ended oddly: {ran}"));
    }
    let text = ran.to_string();
    let mut lacks = |word: &str| {
        if !text.contains(word) {
            faults.push(format!("`{word}` is not said: {ran}"));
        }
    };
    lacks(&hit.cluster);
    words.iter().copied().for_each(&mut lacks);
    // Where a whole cluster is away another request of it may be the first to fail.
    if !matches!(fault, Fault::DeadAWhile | Fault::DeadForEver)
        && let Some(name) = name_in(path_of(hit))
    {
        lacks(name);
    }
    faults
}

/// The name of the object that a path is about; none where it is about a kind.
fn name_in(path: &str) -> Option<&str> {
    let mut parts = path.split('/').skip(1);
    let skipped = if parts.next() == Some("api") { 1 } else { 2 };
    let parts: Vec<&str> = parts.skip(skipped).collect();
    match parts.as_slice() {
        ["namespaces", _, _, name] | [_, name] => Some(name),
        _ => None,
    }
}

/// The values of Secrets that a run printed.
fn secrets_in(tapped: &Tapped, ran: &Ran) -> Vec<String> {
    let said = ran.to_string();
    let mut faults = Vec::new();
    for store in tapped.running.sandbox().clusters() {
        for secret in store.list("", "Secret", None) {
            let data = secret.get(&["data"]).and_then(Value::as_object);
            for (key, value) in data.into_iter().flatten() {
                let encoded = value.as_str().unwrap_or_default();
                let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
                let decoded = String::from_utf8(decoded).unwrap_or_default();
                let is_said = |text: &str| text.len() > 16 && said.contains(text);
                if is_said(encoded) || is_said(&decoded) {
                    faults.push(format!("{} {key} was printed", secret.reference()));
                }
            }
        }
    }
    faults
}

async fn anywhere(way: Way, size: usize) {
    let expected = Expected::new(&format!("faults-{way:?}")).await;
    let mut cases = Vec::new();
    for asked in expected.requests(way) {
        cases.extend(Fault::of(asked.class).map(|fault| (asked.nth, fault)));
    }
    let mut faults = Vec::new();
    for (nth, fault) in sample(&format!("faults, {way:?}"), cases, size) {
        faults.extend(expected.fails(way, nth, fault).await);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_gets_over_every_fault_or_names_it() {
    anywhere(Way::There, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_has_nothing_to_do_writes_nothing_whatever_fails() {
    anywhere(Way::Steady, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroy_gets_over_every_fault_or_names_it() {
    anywhere(Way::Back, 6).await;
}

/// The first request of an apply that matches meets a fault; all others pass.
fn first(
    matches: impl Fn(&Asked) -> bool + Send + 'static,
    deed: Deed,
) -> impl FnMut(&Asked) -> Deed + Send + 'static {
    let mut deed = Some(deed);
    move |asked| if matches(asked) { deed.take().unwrap_or(Deed::Pass) } else { Deed::Pass }
}

fn writes(cluster: &'static str, path: &'static str) -> impl Fn(&Asked) -> bool {
    move |asked| asked.class == Class::Write && asked.cluster == cluster && path_of(asked).ends_with(path)
}

async fn tapped(test: &str) -> Tapped {
    Tapped::new(&folder(test), &with_api_servers(&topology_text(FILE))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_restarts_during_an_apply_is_waited_for() {
    let tapped = tapped("faults-restart").await;
    let dead = Deed::Dead(Some(Duration::from_secs(5)));
    let ran = tapped
        .run(APPLY, first(writes("cluster2", "/serviceaccounts/istio-reader-service-account"), dead))
        .await;
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(tapped.faults_in_the_books(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_never_comes_back_holds_back_what_needs_it_and_nothing_else() {
    let tapped = tapped("faults-lost").await;
    let is_base = writes("cluster2", "/serviceaccounts/istio-reader-service-account");
    let ran = tapped.run(APPLY, first(is_base, Deed::Dead(None))).await;
    assert_eq!(ran.code, Some(1), "{ran}");
    let line =
        |start: &str| ran.stderr.lines().find(|line| line.contains(start)).unwrap_or_default().to_owned();
    assert!(line("cluster2/base ").contains("FAILED: cluster-unreachable"), "{ran}");
    let error = line("error[cluster-unreachable]");
    assert!(
        error.starts_with("error[cluster-unreachable]: cluster2 cannot be reached: Connection refused"),
        "{ran}"
    );
    assert!(error.ends_with(" attempts"), "{ran}");
    assert_eq!(line("held back: "), "  held back: cluster1/remote-secret-cluster2 and 4 more", "{ran}");
    // What does not need it was finished.
    for step in
        ["control-plane", "eastwest-gateway", "expose-services", "expose-control-plane", "app-namespaces"]
    {
        assert!(line(&format!("cluster1/{step} ")).contains(" created"), "{step}: {ran}");
    }
    let again = tapped.undisturbed(APPLY).await;
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(tapped.faults_in_the_books(), Vec::<String>::new());
    assert_eq!(tapped.undisturbed(&["plan", "--detailed-exitcode"]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_could_not_be_looked_into_is_destroyed_by_the_next_run() {
    let tapped = tapped("faults-unseen").await;
    assert_eq!(tapped.undisturbed(APPLY).await.code, Some(0));
    let message = status_body(500, "InternalError", "etcd is away");
    let message: Value = serde_json::from_str(&message).expect("JSON");
    let ran = tapped
        .run(DESTROY, move |asked| {
            let is_look =
                asked.cluster == "cluster2" && path_of(asked) == "/api/v1/namespaces/istio-system/pods";
            if is_look { Deed::Json(500, message.clone()) } else { Deed::Pass }
        })
        .await;
    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(ran.stdout.contains("is kept: what it holds is not known: list pods: "), "{ran}");
    assert!(
        ran.stderr.ends_with(
            "Kept, since it could not be looked into: Namespace istio-system of cluster2.\n\
             Go on with: stolos destroy --kubeconfig config mesh.yaml\n"
        ),
        "{ran}"
    );
    assert_eq!(tapped.faults_in_the_books(), Vec::<String>::new());
    let again = tapped.undisturbed(DESTROY).await;
    assert_eq!(again.code, Some(0), "{again}");
    assert!(!tapped.state().await.keys().any(|name| name.contains("istio-system")));
}

/// A clock that is off by so much.
#[derive(Debug)]
struct Off(SignedDuration);

impl Clock for Off {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_by_days_keep_nobody_from_anything() {
    for hours in [-50, 50] {
        let topology = with_api_servers(&topology_text(FILE));
        let folder = folder(&format!("faults-clock{hours}"));
        let off = Off(SignedDuration::from_hours(hours));
        let there = off.now();
        let tapped = Tapped::at(&folder, &topology, Arc::new(off)).await;
        tapped.tap.date(&there.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        let ran = tapped.undisturbed(APPLY).await;
        assert_eq!(ran.code, Some(0), "{hours}: {ran}");
        // What was issued is valid where it is used, and here.
        let issued = issued_from(&tapped);
        assert!(issued.iter().all(|from| *from <= there && *from <= Timestamp::now()), "{hours}: {issued:?}");
        assert_eq!(tapped.undisturbed(&["plan", "--detailed-exitcode"]).await.code, Some(0));
        assert_eq!(tapped.undisturbed(DESTROY).await.code, Some(0));
    }
}

/// From when on the certificates of cluster1 are valid.
fn issued_from(tapped: &Tapped) -> Vec<Timestamp> {
    let store = tapped.running.sandbox().cluster("cluster1").expect("a cluster");
    let mut times = Vec::new();
    for (secret, key) in [("cacerts", "ca-cert.pem"), ("stolos-root", "root-cert.pem")] {
        let secret = store.find("", "Secret", Some("istio-system"), secret).expect("it was made");
        let data = secret.text(&["data", key]).expect("it has the key");
        let pem = base64::engine::general_purpose::STANDARD.decode(data).expect("base64");
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).expect("PEM");
        let from = pem.parse_x509().expect("a certificate").validity().not_before.timestamp();
        times.push(Timestamp::from_second(from).expect("a time"));
    }
    times
}

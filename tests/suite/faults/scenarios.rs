//! Faults of which the whole outcome is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use stolos::sandbox::Clock;
use tokio::sync::watch;

use super::case::path_of;
use super::{APPLY, DESTROY, FILE};
use crate::support::meshes::topology_text;
use crate::support::scratch::scratch;
use crate::support::tap::{Asked, Class, Deed, status_body};
use crate::support::tapped::{Tapped, with_api_servers};

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
    Tapped::new(&scratch(test), &with_api_servers(&topology_text(FILE))).await
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
async fn what_a_controller_takes_before_a_lost_answer_is_asked_for_again_stays_its_own() {
    let tapped = tapped("faults-taken").await;
    let cluster1 = &tapped.running.sandbox().clusters()[0];
    let policy = || {
        let found = cluster1.list("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", None);
        found.first()?.as_value()["webhooks"][0]["failurePolicy"].as_str().map(str::to_owned)
    };
    let (open, gate) = watch::channel(false);
    let is_validator = writes("cluster1", "/validatingwebhookconfigurations/istio-validator-istio-system");
    let mut sent = 0;
    let run = tapped.run(APPLY, move |asked| {
        sent += usize::from(is_validator(asked));
        match sent {
            1 if is_validator(asked) => Deed::CloseDone,
            2 if is_validator(asked) => Deed::Held(gate.clone()),
            _ => Deed::Pass,
        }
    });
    // istiod has seen that its webhook refuses what is bad.
    let taken = async {
        let deadline = Instant::now() + Duration::from_secs(30);
        while policy().as_deref() != Some("Fail") && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        open.send_replace(true);
    };
    let (ran, ()) = tokio::join!(run, taken);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(policy().as_deref(), Some("Fail"));
    assert_eq!(tapped.faults_in_the_books(), Vec::<String>::new());
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
    // The same of a fault that passes meanwhile, of which nothing else of the run speaks.
    let why =
        "is kept: what it holds is not known: list pods: the server answered 500: etcd is away (4 attempts)";
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(why), "{ran}");
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
        let folder = scratch(&format!("faults-clock{hours}"));
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

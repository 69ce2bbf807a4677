//! Requests of runs on real API servers meet faults: those of the tap before them, and that their process dies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use http::Method;
use serde_json::Value;
use tokio::sync::mpsc;

use super::FILE;
use super::case::{Case, Way, secrets_in, unclear};
use super::fault::Fault;
use crate::support::command::Ran;
use crate::support::matrix::{sample, say};
use crate::support::meshes::topology_text;
use crate::support::scratch::scratch;
use crate::support::tap::{Asked, Class, Deed};
use crate::support::tapped::with_api_servers;
use crate::support::tapped_servers::{TappedServers, lasting_names};

// An API server that was killed may need a while until it is up again.
const APPLY: &[&str] = &["apply", "--auto-approve", "--timeout", "20s"];
const DESTROY: &[&str] = &["destroy", "--auto-approve", "--timeout", "20s"];
// The controllers of an API server that was away look for it at most once a minute (client-go's reflector waits
// up to 30 s, and by chance twice that), so that what follows may take so long.
const APPLY_PATIENTLY: &[&str] = &["apply", "--auto-approve", "--timeout", "90s"];
const DESTROY_PATIENTLY: &[&str] = &["destroy", "--auto-approve", "--timeout", "90s"];
const PLAN: &[&str] = &["plan", "--detailed-exitcode"];

const WHAT: &str = "faults, on API servers";

/// How the clusters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Applied,
    Destroyed,
}

impl Way {
    fn verb(self) -> &'static [&'static str] {
        match self {
            Self::There | Self::Steady => APPLY,
            Self::Back => DESTROY,
        }
    }

    fn patient_verb(self) -> &'static [&'static str] {
        match self {
            Self::There | Self::Steady => APPLY_PATIENTLY,
            Self::Back => DESTROY_PATIENTLY,
        }
    }

    fn from(self) -> Standing {
        match self {
            Self::There => Standing::Destroyed,
            Self::Steady | Self::Back => Standing::Applied,
        }
    }

    fn to(self) -> Standing {
        match self {
            Self::There | Self::Steady => Standing::Applied,
            Self::Back => Standing::Destroyed,
        }
    }
}

/// A mesh on API servers, and what undisturbed runs come to.
struct Mesh {
    tapped: TappedServers,
    standing: Standing,
    applied: BTreeSet<String>,
    destroyed: BTreeSet<String>,
    requests: BTreeMap<Way, Vec<Asked>>,
}

impl Mesh {
    async fn get() -> Self {
        let topology = with_api_servers(&topology_text(FILE));
        let tapped = TappedServers::get(&scratch("faults-servers"), &topology).await;
        let mut requests = BTreeMap::new();
        let mut found = Vec::new();
        for way in [Way::There, Way::Steady, Way::Back] {
            let ran = tapped.undisturbed(way.verb()).await;
            assert_eq!(ran.code, Some(0), "{ran}");
            requests.insert(way, tapped.tap.seen());
            found.push(lasting_names(&tapped.objects().await));
        }
        let destroyed = found.pop().expect("three ways");
        let applied = found.pop().expect("three ways");
        Self { tapped, standing: Standing::Destroyed, applied, destroyed, requests }
    }

    fn names(&self, standing: Standing) -> &BTreeSet<String> {
        match standing {
            Standing::Applied => &self.applied,
            Standing::Destroyed => &self.destroyed,
        }
    }

    /// Brings the clusters to where a way starts.
    async fn go_to(&mut self, standing: Standing) {
        if self.standing != standing {
            let verb = match standing {
                Standing::Applied => APPLY_PATIENTLY,
                Standing::Destroyed => DESTROY_PATIENTLY,
            };
            let ran = self.tapped.undisturbed(verb).await;
            assert_eq!(ran.code, Some(0), "{ran}");
            self.standing = standing;
        }
    }

    /// Runs a verb of which a request meets a fault. Where that is a process's end it is started again: at once, or
    /// once the run has ended.
    async fn disturbed(&self, case: &Case) -> (Ran, Vec<Asked>) {
        let (tell, mut told) = mpsc::unbounded_channel::<()>();
        let cluster = case.request.cluster.clone();
        let kill = self.tapped.lent.server(&cluster).killer();
        let fault = case.fault;
        let script = case.script(move |_| {
            if matches!(fault, Fault::Killed | Fault::KilledForEver) {
                kill();
            }
            // Whoever starts it again may have gone with the run.
            let _ = tell.send(());
        });
        let run = async {
            let ran = self.tapped.run(case.way.verb(), script).await;
            let seen = self.tapped.tap.seen();
            // The script, which holds the other end, goes.
            self.tapped.tap.script(|_| Deed::Pass);
            (ran, seen)
        };
        let start_again = async {
            while told.recv().await.is_some() {
                if fault == Fault::Killed {
                    self.tapped.lent.restart(&cluster).await;
                    self.tapped.tap.revive().await;
                }
            }
        };
        let (ended, ()) = tokio::join!(run, start_again);
        if fault == Fault::KilledForEver {
            self.tapped.lent.restart(&cluster).await;
        }
        ended
    }

    /// Does what a run says of definitions that an API server which ended left half done; whether there were any.
    async fn delete_what_stays_unestablished(&self, cluster: &str, ran: &Ran) -> bool {
        let text = ran.to_string();
        let lines = text.lines().filter_map(|line| line.trim().split_once(": its names are accepted, and"));
        let mut any = false;
        for (name, _) in lines {
            let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
            let raw = self.tapped.lent.raw(cluster).await;
            let answer = raw.ask(Method::DELETE, &path, "application/json", &Value::Null).await;
            assert_eq!(answer.code, 200, "{name}: {answer:?}");
            say(&format!("{WHAT}: {cluster}: {name} was left half done, and is deleted as the error says"));
            any = true;
        }
        any
    }

    /// Lets one request of a run fail, and gives what is wrong then and after the next run.
    async fn fails(&mut self, case: &Case) -> Vec<String> {
        self.go_to(case.way.from()).await;
        let (ran, seen) = self.disturbed(case).await;
        let mut faults = Vec::new();
        match case.hit(&seen) {
            Some(hit) => faults.extend(unclear(hit, case.fault, &ran)),
            None => say(&format!("{WHAT}: no such request was sent: {case}")),
        }
        faults.extend(case.writes_too_much(&self.requests[&case.way], &seen));
        let mut again = self.tapped.undisturbed(case.way.patient_verb()).await;
        if self.delete_what_stays_unestablished(&case.request.cluster, &again).await {
            again = self.tapped.undisturbed(case.way.patient_verb()).await;
        }
        if again.code != Some(0) {
            faults.push(format!("the next run fails: {again}"));
        }
        self.standing = case.way.to();
        let objects = self.tapped.objects().await;
        faults.extend(secrets_in(objects.values().flatten(), &ran));
        let found = lasting_names(&objects);
        faults.extend(self.names(self.standing).symmetric_difference(&found).map(|name| format!("± {name}")));
        faults.extend(self.tapped.faults_in_the_books(&objects));
        if self.standing == Standing::Applied {
            let plan = self.tapped.undisturbed(PLAN).await;
            if plan.code != Some(0) {
                faults.push(format!("there is still something to do: {plan}"));
            }
        }
        faults
    }
}

/// Cases in an order in which most find the clusters as they need them: one of each way in turn.
fn there_and_back(cases: Vec<Case>) -> Vec<Case> {
    let ways = [Way::There, Way::Steady, Way::Back];
    let mut of_way = ways.map(|way| {
        let of_way: Vec<Case> = cases.iter().filter(|case| case.way == way).cloned().collect();
        of_way.into_iter()
    });
    let mut ordered = Vec::new();
    while ordered.len() < cases.len() {
        ordered.extend(of_way.iter_mut().filter_map(Iterator::next));
    }
    ordered
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn a_mesh_on_api_servers_gets_over_every_fault_or_names_it() {
    let mut mesh = Mesh::get().await;
    let ways = [Way::There, Way::Steady, Way::Back];
    let all = |faults: &dyn Fn(Class) -> Vec<Fault>| -> Vec<Case> {
        let of = |way: Way| Case::all(way, &mesh.requests[&way], |class| faults(class).into_iter());
        ways.into_iter().flat_map(of).collect()
    };
    let met = all(&|class| Fault::of(class).collect());
    let killed = all(&|_| Fault::OF_PROCESSES.to_vec());
    let killed = sample("faults, processes of API servers", killed, 2);
    // Processes last: what comes after one finds controllers that have not looked at its cluster since.
    let chosen: Vec<Case> = there_and_back(sample(WHAT, met, 4)).into_iter().chain(killed).collect();
    let mut faults = Vec::new();
    let mut is_shaken = false;
    for (done, case) in chosen.iter().enumerate() {
        if is_shaken {
            // Only one set at a time can be had.
            drop(mesh);
            mesh = Mesh::get().await;
        }
        is_shaken = Fault::OF_PROCESSES.contains(&case.fault);
        let start = Instant::now();
        let wrong: Vec<String> =
            mesh.fails(case).await.into_iter().map(|fault| format!("{case}: {fault}")).collect();
        wrong.iter().for_each(|fault| say(&format!("{WHAT}: WRONG: {fault}")));
        let (nth, all, took) = (done + 1, chosen.len(), start.elapsed().as_secs_f64());
        say(&format!("{WHAT}: {nth} of {all}: {case}: {took:.1} s"));
        faults.extend(wrong);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

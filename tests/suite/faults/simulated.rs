//! Every request of a run on simulated clusters meets every fault.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::case::{Case, Way, secrets_in, unclear};
use super::fault::Fault;
use super::{APPLY, DESTROY, FILE};
use crate::support::matrix::{sample, say, side_by_side};
use crate::support::meshes::topology_text;
use crate::support::scratch::scratch;
use crate::support::tap::Asked;
use crate::support::tapped::{State, Tapped, differences, with_api_servers};

/// What one fault may cost: a write that is never answered (40 s), a wait (12 s), and what else is done.
const LONGEST: Duration = Duration::from_secs(80);

/// What undisturbed runs come to.
struct Expected {
    /// The cases whose request was not sent.
    missed: Mutex<Vec<Case>>,
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
    /// Found out once for all tests.
    async fn get() -> Arc<Self> {
        static EXPECTED: OnceCell<Arc<Expected>> = OnceCell::const_new();
        Arc::clone(EXPECTED.get_or_init(async || Arc::new(Self::new().await)).await)
    }

    async fn new() -> Self {
        let topology = with_api_servers(&topology_text(FILE));
        let applied_in = scratch("faults-expected");
        let tapped = Tapped::new(&applied_in, &topology).await;
        let ran = tapped.undisturbed(APPLY).await;
        assert_eq!(ran.code, Some(0), "{ran}");
        let (applied, there) = (tapped.state().await, tapped.tap.seen());
        assert_eq!(tapped.undisturbed(APPLY).await.code, Some(0));
        let steady = tapped.tap.seen();
        tapped.running.stop().await;
        let tapped = Tapped::copy(&scratch("faults-destroyed"), &topology, &applied_in).await;
        let ran = tapped.undisturbed(DESTROY).await;
        assert_eq!(ran.code, Some(0), "{ran}");
        let (destroyed, back) = (tapped.state().await, tapped.tap.seen());
        let missed = Mutex::default();
        tapped.running.stop().await;
        Self { missed, topology, applied_in, applied, destroyed, there, steady, back }
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
            Way::There => Tapped::new(&scratch(test), &self.topology).await,
            Way::Steady | Way::Back => Tapped::copy(&scratch(test), &self.topology, &self.applied_in).await,
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
    async fn fails(&self, case: &Case) -> Vec<String> {
        let way = case.way;
        let tapped = self.start(&format!("faults-{}", case.folder()), way).await;
        let start = Instant::now();
        let ran = tapped.run(Self::verb(way), case.script(|_| {})).await;
        let mut faults = Vec::new();
        if start.elapsed() > LONGEST {
            faults.push(format!("it took {:?}", start.elapsed()));
        }
        let seen = tapped.tap.seen();
        match case.hit(&seen) {
            Some(hit) => faults.extend(unclear(hit, case.fault, &ran)),
            None => self.missed.lock().unwrap_or_else(PoisonError::into_inner).push(case.clone()),
        }
        faults.extend(case.writes_too_much(self.requests(way), &seen));
        let stores = tapped.running.sandbox().clusters().iter();
        let secrets: Vec<_> = stores.flat_map(|store| store.list("", "Secret", None)).collect();
        faults.extend(secrets_in(secrets.iter().map(AsRef::as_ref), &ran));
        if ran.code == Some(0) {
            faults.extend(differences(self.state(way), &tapped.state().await));
        }
        let again = tapped.undisturbed(Self::verb(way)).await;
        if again.code != Some(0) {
            faults.push(format!("the next run fails: {again}"));
        }
        faults.extend(differences(self.state(way), &tapped.state().await));
        faults.extend(tapped.faults_in_the_books());
        tapped.running.stop().await;
        let _ = std::fs::remove_dir_all(&tapped.folder);
        faults
    }
}

async fn anywhere(way: Way, size: usize) {
    let expected = Expected::get().await;
    let what = format!("faults, {way:?}");
    let chosen = sample(&what, Case::all(way, expected.requests(way), Fault::of), size);
    let run = |case: Case| {
        let expected = Arc::clone(&expected);
        async move { expected.fails(&case).await }
    };
    let faults = side_by_side(&what, chosen, run).await;
    let missed = expected.missed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for case in missed.iter().filter(|case| case.way == way) {
        say(&format!("{what}: no such request was sent: {case}"));
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

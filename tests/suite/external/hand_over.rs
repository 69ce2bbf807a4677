//! What Stolos installed, left to others: wherever a run is cut off, the next one converges.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use stolos::plan::inventory_ref;

use super::FILE;
use crate::killed::{APPLY, faults_after_a_kill};
use crate::support::matrix::{sample, side_by_side};
use crate::support::meshes::topology_text;
use crate::support::scratch::scratch;
use crate::support::tap::{Class, Moment};
use crate::support::tapped::{State, Tapped, with_api_servers};

/// A hand-over that is killed at a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Case {
    write: usize,
    moment: Moment,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write {} {:?}", self.write, self.moment)
    }
}

/// What an undisturbed hand-over comes from and leads to.
struct Expected {
    topology: String,
    installed_in: std::path::PathBuf,
    handed_over: State,
    writes: usize,
}

async fn expected() -> Expected {
    let topology = with_api_servers(&topology_text(FILE));
    let installed_in = scratch("hand-over-installed");
    let embedded = topology.replace("\"charts\":\"external\"", "\"charts\":\"embedded\"");
    assert_ne!(embedded, topology);
    let tapped = Tapped::new(&installed_in, &embedded).await;
    let ran = tapped.undisturbed(APPLY).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let installed = tapped.state().await;
    tapped.running.stop().await;

    let there = scratch("hand-over-undisturbed");
    let tapped = Tapped::copy(&there, &topology, &installed_in).await;
    let ran = tapped.undisturbed(APPLY).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let handed_over = tapped.state().await;
    // Nothing comes and nothing goes.
    let names = |state: &State| state.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&handed_over), names(&installed));
    let writes = tapped.tap.seen().iter().filter(|asked| asked.class == Class::Write).count();
    tapped.running.stop().await;
    Expected { topology, installed_in, handed_over, writes }
}

async fn killed(expected: Arc<Expected>, Case { write, moment }: Case) -> Vec<String> {
    let there = scratch(&format!("hand-over-{write}-{moment:?}"));
    let tapped = Tapped::copy(&there, &expected.topology, &expected.installed_in).await;
    let faults = faults_after_a_kill(tapped, (APPLY, write, moment), &expected.handed_over).await;
    let _ = std::fs::remove_dir_all(there);
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_converges_wherever_its_run_is_killed() {
    let expected = Arc::new(expected().await);
    let inventory = inventory_ref(&super::external().mesh).name;
    let books: BTreeMap<&String, &String> =
        expected.handed_over.iter().filter(|(name, _)| name.ends_with(&inventory)).collect();
    assert_eq!(books.len(), 2);
    for (name, book) in books {
        for gone in ["istio-sidecar-injector", "istio-eastwestgateway", "istio-reader-clusterrole"] {
            assert!(!book.contains(gone), "{name}: {book}");
        }
    }
    let mut cases = Vec::new();
    for write in 1..=expected.writes {
        for moment in [Moment::Before, Moment::Unanswered, Moment::Answered] {
            cases.push(Case { write, moment });
        }
    }
    let mut chosen = sample("a hand-over that is killed", cases, 8);
    // The last writes are those of the inventories.
    let last = Case { write: expected.writes, moment: Moment::Before };
    if !chosen.contains(&last) {
        chosen.push(last);
    }
    let run = |case| killed(Arc::clone(&expected), case);
    let faults = side_by_side("a hand-over that is killed", chosen, run).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

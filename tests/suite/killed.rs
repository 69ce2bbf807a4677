//! A process that is killed, anywhere: the next run of the same command brings about the same state.
//!
//! The clusters outlive the process, as in life. Each case is one write of an undisturbed run, and a
//! moment around it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use crate::support::matrix::{sample, side_by_side};
use crate::support::meshes::topology_text;
use crate::support::scratch::scratch;
use crate::support::tap::{Class, Deed, Moment};
use crate::support::tapped::{PATIENCE, State, Tapped, differences, with_api_servers};
use crate::support::tapped_servers::{TappedServers, lasting_names};

pub(crate) const APPLY: &[&str] = &["apply", "--auto-approve", "--timeout", "30s"];
const DESTROY: &[&str] = &["destroy", "--auto-approve", "--timeout", "30s"];
const PLAN: &[&str] = &["plan", "--detailed-exitcode"];

/// A run of a verb that is killed at a write.
#[derive(Debug, Clone, Copy)]
struct Case {
    verb: &'static [&'static str],
    write: usize,
    moment: Moment,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} write {} {:?}", self.verb[0], self.write, self.moment)
    }
}

/// What undisturbed runs come to.
struct Expected {
    name: String,
    topology: String,
    /// The clusters once applied, on the disk.
    applied_in: PathBuf,
    applied: State,
    destroyed: State,
    /// How many writes there are.
    apply_writes: usize,
    destroy_writes: usize,
}

async fn expected(file: &str) -> Expected {
    let topology = with_api_servers(&topology_text(file));
    let applied_in = scratch(&format!("killed-expected-{file}"));
    let tapped = Tapped::new(&applied_in, &topology).await;
    let writes =
        |tapped: &Tapped| tapped.tap.seen().iter().filter(|asked| asked.class == Class::Write).count();
    let ran = tapped.undisturbed(APPLY).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let (applied, apply_writes) = (tapped.state().await, writes(&tapped));
    assert_eq!(tapped.faults_in_the_books(), Vec::<String>::new());
    tapped.running.stop().await;

    let gone = scratch(&format!("killed-destroyed-{file}"));
    let tapped = Tapped::copy(&gone, &topology, &applied_in).await;
    let ran = tapped.undisturbed(DESTROY).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let (destroyed, destroy_writes) = (tapped.state().await, writes(&tapped));
    assert!(applied.len() > destroyed.len() + 50, "{} and {}", applied.len(), destroyed.len());
    Expected { name: file.to_owned(), topology, applied_in, applied, destroyed, apply_writes, destroy_writes }
}

/// What is wrong after a case.
async fn killed(expected: Arc<Expected>, Case { verb, write, moment }: Case) -> Vec<String> {
    let folder = scratch(&format!("killed-{}-{}-{write}-{moment:?}", expected.name, verb[0]));
    let (tapped, wanted) = if verb[0] == "apply" {
        (Tapped::new(&folder, &expected.topology).await, &expected.applied)
    } else {
        (Tapped::copy(&folder, &expected.topology, &expected.applied_in).await, &expected.destroyed)
    };
    let faults = faults_after_a_kill(tapped, (verb, write, moment), wanted).await;
    let _ = std::fs::remove_dir_all(folder);
    faults
}

/// Kills a run of a verb at a write, and gives what is wrong after the next one.
pub(crate) async fn faults_after_a_kill(
    tapped: Tapped,
    (verb, write, moment): (&[&str], usize, Moment),
    wanted: &State,
) -> Vec<String> {
    let ran = tapped
        .run(verb, move |asked| match asked.class {
            Class::Write if asked.nth_of_class == write => Deed::Kill(moment),
            _ => Deed::Pass,
        })
        .await;
    let mut faults = Vec::new();
    // The last answer may come too late for a kill.
    if ran.code.is_some() && moment != Moment::Answered {
        faults.push(format!("it was not killed: {ran}"));
    }
    let ran = tapped.undisturbed(verb).await;
    if ran.code != Some(0) {
        faults.push(ran.to_string());
    }
    faults.extend(differences(wanted, &tapped.state().await));
    faults.extend(tapped.faults_in_the_books());
    if verb[0] == "apply" {
        let ran = tapped.undisturbed(PLAN).await;
        if ran.code != Some(0) {
            faults.push(format!("there is still something to do: {ran}"));
        }
    }
    tapped.running.stop().await;
    faults
}

async fn killed_anywhere(file: &str, size: usize) {
    let expected = Arc::new(expected(file).await);
    let mut cases = Vec::new();
    for (verb, writes) in [(APPLY, expected.apply_writes), (DESTROY, expected.destroy_writes)] {
        for write in 1..=writes {
            for moment in [Moment::Before, Moment::Unanswered, Moment::Answered] {
                cases.push(Case { verb, write, moment });
            }
        }
    }
    let what = format!("killed, {file}");
    let mut chosen = sample(&what, cases, size);
    // The last writes are those of the inventories: nothing but them is left to do.
    chosen.push(Case { verb: APPLY, write: expected.apply_writes, moment: Moment::Before });
    let faults = side_by_side(&what, chosen, |case| killed(Arc::clone(&expected), case)).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_control_plane_converges_wherever_its_run_is_killed() {
    killed_anywhere("primary-remote-multi-network.yaml", 10).await;
}

/// How large the journals of a folder are together.
fn journals(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder.join("clusters")).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Runs a verb whose clusters live in its own process, and kills it once the journals are so large.
fn killed_with_its_sandbox(folder: &Path, verb: &[&str], size: u64) {
    let child = Command::new(env!("CARGO_BIN_EXE_stolos"))
        .args(verb)
        .args(["--sandbox=clusters", "mesh.yaml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.expect("the binary that this suite was built with");
    let end = Instant::now() + PATIENCE;
    while child.try_wait().expect("it is our child").is_none() {
        if journals(folder) >= size || Instant::now() > end {
            let _ = child.kill();
            break;
        }
        std::thread::yield_now();
    }
    child.wait().expect("it is our child");
    assert!(Instant::now() < end, "the journals never become {size} bytes large");
}

/// A run that is killed together with its sandbox once it has written a part of what it writes.
#[derive(Debug, Clone, Copy)]
struct Together {
    verb: &'static [&'static str],
    part: u64,
}

impl fmt::Display for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of 40", self.verb[0], self.part)
    }
}

async fn killed_together(expected: Arc<Expected>, Together { verb, part }: Together) -> Vec<String> {
    let whole = journals(&expected.applied_in);
    let folder = scratch(&format!("killed-sandbox-{}-{part}", verb[0]));
    std::fs::write(folder.join("mesh.yaml"), &expected.topology).expect("a file");
    let (wanted, size) = if verb[0] == "apply" {
        (&expected.applied, whole * part / 40)
    } else {
        Tapped::copy(&folder, &expected.topology, &expected.applied_in).await.running.stop().await;
        (&expected.destroyed, journals(&folder) + whole * part / 200)
    };
    let there = folder.clone();
    let killed = tokio::task::spawn_blocking(move || killed_with_its_sandbox(&there, verb, size));
    killed.await.expect("it was killed in time");
    let tapped = Tapped::new(&folder, &expected.topology).await;
    let ran = tapped.undisturbed(verb).await;
    let mut faults = differences(wanted, &tapped.state().await);
    faults.extend(tapped.faults_in_the_books());
    if ran.code != Some(0) {
        faults.push(ran.to_string());
    }
    tapped.running.stop().await;
    let _ = std::fs::remove_dir_all(folder);
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_is_killed_with_its_run_goes_on_from_its_journals() {
    let expected = Arc::new(expected("multi-primary-multi-network.yaml").await);
    let cases =
        [APPLY, DESTROY].into_iter().flat_map(|verb| (1..40).map(move |part| Together { verb, part }));
    let chosen = sample("killed with its sandbox", cases.collect(), 5);
    let run = |case| killed_together(Arc::clone(&expected), case);
    let faults = side_by_side("killed with its sandbox", chosen, run).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_mesh_converges_wherever_its_run_is_killed() {
    killed_anywhere("mixed.yaml", 2).await;
}

/// An apply and a destroy, each killed at a write.
#[derive(Debug, Clone, Copy)]
struct Round {
    write: usize,
    moment: Moment,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write {} {:?}", self.write, self.moment)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn a_run_against_api_servers_converges_wherever_it_is_killed() {
    let topology = with_api_servers(&topology_text("primary-remote-multi-network.yaml"));
    let folder = scratch("killed-servers");
    let everywhere = [Moment::Before, Moment::Unanswered, Moment::Answered];
    // An apply has 82 writes, the Leases left out, and a destroy more.
    let cases = (1..=82).flat_map(|write| everywhere.map(|moment| Round { write, moment }));
    let mut wanted: Option<BTreeSet<String>> = None;
    let mut gone: Option<BTreeSet<String>> = None;
    let mut faults = Vec::new();
    // The first round is not disturbed.
    let chosen = sample("killed, on API servers", cases.collect(), 2).into_iter().map(Some);
    for case in std::iter::once(None).chain(chosen) {
        let tapped = TappedServers::get(&folder, &topology).await;
        for (verb, expected) in [(APPLY, &mut wanted), (DESTROY, &mut gone)] {
            if let Some(Round { write, moment }) = case {
                let killed = tapped
                    .run(verb, move |asked| match asked.class {
                        Class::Write if asked.nth_of_class == write => Deed::Kill(moment),
                        _ => Deed::Pass,
                    })
                    .await;
                // A destroy may have fewer writes than an apply.
                if killed.code.is_some() && verb == APPLY && moment != Moment::Answered {
                    faults.push(format!("{case:?}: it was not killed: {killed}"));
                }
            }
            let ran = tapped.undisturbed(verb).await;
            let objects = tapped.objects().await;
            let found = lasting_names(&objects);
            let expected = expected.get_or_insert_with(|| found.clone());
            let mut wrong: Vec<String> = expected.symmetric_difference(&found).cloned().collect();
            wrong.extend(tapped.faults_in_the_books(&objects));
            if ran.code != Some(0) {
                wrong.push(ran.to_string());
            }
            if verb == APPLY {
                let ran = tapped.undisturbed(PLAN).await;
                if ran.code != Some(0) {
                    wrong.push(format!("there is still something to do: {ran}"));
                }
            }
            faults.extend(wrong.into_iter().map(|fault| format!("{} {case:?}: {fault}", verb[0])));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

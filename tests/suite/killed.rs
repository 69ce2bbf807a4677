//! A process that is killed, anywhere: the next run of the same command brings about the same state.
//!
//! The clusters outlive the process, as in life. Each case is one write of an undisturbed run, and a
//! moment around it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::support::matrix::sample;
use crate::support::meshes::{folder, topology_text};
use crate::support::tap::{Class, Deed, Moment};
use crate::support::tapped::{PATIENCE, State, Tapped, differences, with_api_servers};

const APPLY: &[&str] = &["apply", "--auto-approve", "--timeout", "30s"];
const DESTROY: &[&str] = &["destroy", "--auto-approve", "--timeout", "30s"];
const PLAN: &[&str] = &["plan", "--detailed-exitcode"];

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
    let applied_in = folder(&format!("killed-expected-{file}"));
    let tapped = Tapped::new(&applied_in, &topology).await;
    let writes =
        |tapped: &Tapped| tapped.tap.seen().iter().filter(|asked| asked.class == Class::Write).count();
    let ran = tapped.undisturbed(APPLY).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let (applied, apply_writes) = (tapped.state().await, writes(&tapped));
    assert_eq!(tapped.faults_in_the_books(), Vec::<String>::new());
    tapped.running.stop().await;

    let gone = folder(&format!("killed-destroyed-{file}"));
    let tapped = Tapped::copy(&gone, &topology, &applied_in).await;
    let ran = tapped.undisturbed(DESTROY).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    let (destroyed, destroy_writes) = (tapped.state().await, writes(&tapped));
    assert!(applied.len() > destroyed.len() + 50, "{} and {}", applied.len(), destroyed.len());
    Expected { name: file.to_owned(), topology, applied_in, applied, destroyed, apply_writes, destroy_writes }
}

/// Kills one run of a verb at a write, and gives what is wrong after the next one.
async fn killed(expected: &Expected, verb: &[&str], write: usize, moment: Moment) -> Vec<String> {
    let folder = folder(&format!("killed-{}-{}-{write}-{moment:?}", expected.name, verb[0]));
    let (tapped, wanted) = if verb[0] == "apply" {
        (Tapped::new(&folder, &expected.topology).await, &expected.applied)
    } else {
        (Tapped::copy(&folder, &expected.topology, &expected.applied_in).await, &expected.destroyed)
    };
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
    let _ = std::fs::remove_dir_all(folder);
    faults.into_iter().map(|fault| format!("{} write {write} {moment:?}: {fault}", verb[0])).collect()
}

async fn killed_anywhere(file: &str, size: usize) {
    let expected = expected(file).await;
    let mut cases = Vec::new();
    for (verb, writes) in [(APPLY, expected.apply_writes), (DESTROY, expected.destroy_writes)] {
        for write in 1..=writes {
            for moment in [Moment::Before, Moment::Unanswered, Moment::Answered] {
                cases.push((verb, write, moment));
            }
        }
    }
    let mut faults = Vec::new();
    let mut chosen = sample(&format!("killed, {file}"), cases, size);
    // The last writes are those of the inventories: nothing but them is left to do.
    chosen.push((APPLY, expected.apply_writes, Moment::Before));
    for (verb, write, moment) in chosen {
        faults.extend(killed(&expected, verb, write, moment).await);
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_is_killed_with_its_run_goes_on_from_its_journals() {
    let expected = expected("multi-primary-multi-network.yaml").await;
    let whole = journals(&expected.applied_in);
    let cases: Vec<(&[&str], u64)> =
        [APPLY, DESTROY].into_iter().flat_map(|verb| (1..40).map(move |part| (verb, part))).collect();
    let mut faults = Vec::new();
    for (verb, part) in sample("killed with its sandbox", cases, 5) {
        let folder = folder(&format!("killed-sandbox-{}-{part}", verb[0]));
        std::fs::write(folder.join("mesh.yaml"), &expected.topology).expect("a file");
        let (wanted, size) = if verb[0] == "apply" {
            (&expected.applied, whole * part / 40)
        } else {
            Tapped::copy(&folder, &expected.topology, &expected.applied_in).await.running.stop().await;
            (&expected.destroyed, journals(&folder) + whole * part / 200)
        };
        killed_with_its_sandbox(&folder, verb, size);
        let tapped = Tapped::new(&folder, &expected.topology).await;
        let ran = tapped.undisturbed(verb).await;
        let mut wrong = differences(wanted, &tapped.state().await);
        wrong.extend(tapped.faults_in_the_books());
        if ran.code != Some(0) {
            wrong.push(ran.to_string());
        }
        faults.extend(wrong.into_iter().map(|fault| format!("{} {part} of 40: {fault}", verb[0])));
        tapped.running.stop().await;
        let _ = std::fs::remove_dir_all(folder);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_mesh_converges_wherever_its_run_is_killed() {
    killed_anywhere("mixed.yaml", 2).await;
}

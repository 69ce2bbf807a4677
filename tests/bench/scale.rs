//! Many simulated clusters in one run: time and memory, which grow with what there is and no faster.
//!
//! The meshes are alike: each network has a primary that serves four remotes, and every primary holds a
//! remote secret for every other cluster. These are so many that a cluster holds more objects in a larger
//! mesh, so the figures are given for each object as well as for each cluster.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stolos::sandbox::{Clock, Sandbox, SandboxCluster, SystemClock};

use crate::support::large::{mesh, run_watched};
use crate::support::scratch::scratch;
use crate::table::{Against, Chosen, Row};

const STOLOS: &str = env!("CARGO_BIN_EXE_stolos");

/// How many primaries the meshes have.
const SIZES: [usize; 3] = [2, 10, 20];
/// How many remotes each of them serves.
const REMOTES: usize = 4;

/// How many times what it takes in the smallest mesh an object may take in a larger one.
const TIMES: f64 = 1.5;
/// The same for a cluster, which holds more there.
const TIMES_OF_CLUSTER: f64 = 2.0;

struct Measured {
    clusters: usize,
    objects: usize,
    apply: Duration,
    plan: Duration,
    memory: u64,
}

pub(crate) fn rows(chosen: &Chosen) -> Vec<Row> {
    if !chosen.has("scale") {
        return Vec::new();
    }
    let folder = scratch("bench-scale");
    let measured = SIZES.map(|primaries| measure(&folder, primaries));
    let _ = fs::remove_dir_all(&folder);
    let smallest = &measured[0];
    let mut rows = Vec::new();
    for (nth, run) in measured.iter().enumerate() {
        let against = (nth > 0).then_some(smallest);
        let size = format!("{}/{}", run.clusters, run.objects);
        let name = |what: &str| format!("scale {size}: {what}");
        let time = |what: &str, ours: Duration, theirs: fn(&Measured) -> Duration| Row {
            name: name(what),
            ours,
            against: Against::Each {
                unit: "object",
                count: run.objects,
                smaller: against.map(|smallest| (theirs(smallest), smallest.objects)),
                times: TIMES,
            },
        };
        let memory = |unit, times, count: fn(&Measured) -> usize| Row {
            name: name(&format!("{} MB", run.memory >> 20)),
            ours: run.apply,
            against: Against::MemoryEach {
                peak: run.memory,
                unit,
                count: count(run),
                smaller: against.map(|smallest| (smallest.memory, count(smallest))),
                times,
            },
        };
        rows.push(time("apply", run.apply, |run| run.apply));
        rows.push(time("plan", run.plan, |run| run.plan));
        rows.push(memory("object", TIMES, |run| run.objects));
        rows.push(memory("cluster", TIMES_OF_CLUSTER, |run| run.clusters));
    }
    rows
}

/// A mesh applied to empty clusters and planned again.
fn measure(folder: &Path, primaries: usize) -> Measured {
    let remotes = primaries * REMOTES;
    let clusters = primaries + remotes;
    let topology = folder.join(format!("mesh-{clusters}.yaml"));
    fs::write(&topology, mesh(primaries, remotes)).expect("cargo's own folder");
    let state = folder.join(format!("clusters-{clusters}"));
    let sandbox = format!("--sandbox={}", state.display());
    let timed = |arguments: &[&str]| {
        let mut command = Command::new(STOLOS);
        command.args(arguments).arg(&sandbox).arg(&topology);
        let start = Instant::now();
        let memory = run_watched(&mut command);
        (start.elapsed(), memory)
    };
    let (apply, memory) = timed(&["apply", "--auto-approve"]);
    let (plan, _) = timed(&["plan", "--detailed-exitcode"]);
    Measured { clusters, objects: objects(&state, primaries, remotes), apply, plan, memory }
}

/// How many objects the clusters of a folder hold.
fn objects(state: &Path, primaries: usize, remotes: usize) -> usize {
    let names = (0..primaries)
        .map(|nth| format!("primary{nth}"))
        .chain((0..remotes).map(|nth| format!("remote{nth}")));
    let clusters: Vec<SandboxCluster> = names.map(|name| SandboxCluster { id: name.clone(), name }).collect();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sandbox = Sandbox::open(state, &clusters, &clock).expect("the command has ended");
    sandbox.clusters().iter().map(|cluster| cluster.feed_from_start().take().len()).sum()
}

//! Many simulated clusters in one run: time and memory, which grow with their number and no faster.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::meshes::{mesh, run_watched};
use crate::table::{Against, Chosen, Row};

const STOLOS: &str = env!("CARGO_BIN_EXE_stolos");

/// What ten times the clusters may cost, in time and in memory.
const TIMES: f64 = 12.0;
/// What one cluster more may take, its simulation included.
const MEMORY_PER_CLUSTER: u64 = 12 << 20;

struct Measured {
    apply: Duration,
    plan: Duration,
    memory: u64,
}

pub(crate) fn rows(chosen: &Chosen) -> Vec<Row> {
    if !chosen.has("scale") {
        return Vec::new();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-scale");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("cargo's own folder");
    let sizes = [(1, 9), (5, 45), (10, 90)];
    let measured = sizes.map(|(primaries, remotes)| measure(&folder, primaries, remotes));
    let _ = fs::remove_dir_all(&folder);
    let [tenth, half, whole] = &measured;
    let row = |name: &str, ours, against| Row { name: format!("scale: {name}"), ours, against };
    let smaller = |takes| Against::Smaller { takes, times: TIMES };
    let more = whole.memory.saturating_sub(tenth.memory);
    vec![
        row("first apply of 10 sandbox clusters", tenth.apply, Against::Nothing("for comparison")),
        row("first apply of 50 sandbox clusters", half.apply, Against::Nothing("for comparison")),
        row("first apply of 100 sandbox clusters", whole.apply, smaller(tenth.apply)),
        row("no-op plan of 10 sandbox clusters", tenth.plan, Against::Nothing("for comparison")),
        row("no-op plan of 50 sandbox clusters", half.plan, Against::Nothing("for comparison")),
        row("no-op plan of 100 sandbox clusters", whole.plan, smaller(tenth.plan)),
        row(
            "memory of 10",
            tenth.apply,
            Against::Memory { peak: tenth.memory, bound: 30 * MEMORY_PER_CLUSTER },
        ),
        row(
            "memory of 50",
            half.apply,
            Against::Memory { peak: half.memory, bound: 60 * MEMORY_PER_CLUSTER },
        ),
        row("memory of 90 more", whole.apply, Against::Memory { peak: more, bound: 90 * MEMORY_PER_CLUSTER }),
    ]
}

/// A mesh applied to empty clusters and planned again.
fn measure(folder: &Path, primaries: usize, remotes: usize) -> Measured {
    let size = primaries + remotes;
    let topology = folder.join(format!("mesh-{size}.yaml"));
    fs::write(&topology, mesh(primaries, remotes)).expect("cargo's own folder");
    let sandbox = format!("--sandbox={}", folder.join(format!("clusters-{size}")).display());
    let timed = |arguments: &[&str]| {
        let mut command = Command::new(STOLOS);
        command.args(arguments).arg(&sandbox).arg(&topology);
        let start = Instant::now();
        let memory = run_watched(&mut command);
        (start.elapsed(), memory)
    };
    let (apply, memory) = timed(&["apply", "--auto-approve"]);
    let (plan, _) = timed(&["plan", "--detailed-exitcode"]);
    Measured { apply, plan, memory }
}

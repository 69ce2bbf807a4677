//! Whole commands over meshes of many sizes, process included.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::official;
use crate::support::large::{mesh, run_watched};
use crate::support::scratch::scratch;
use crate::table::{Against, Chosen, Row, median};

const STOLOS: &str = env!("CARGO_BIN_EXE_stolos");

/// How much memory the largest compilation may take.
const MEMORY: u64 = 400 << 20;

pub(crate) fn rows(chosen: &Chosen) -> Vec<Row> {
    let mut rows = Vec::new();
    if chosen.has("validate") {
        rows.push(validate());
    }
    if chosen.has("compile") {
        rows.extend(compile());
    }
    let on_official = "compile: 1,000 clusters on Istio's charts";
    if chosen.has(on_official) {
        rows.extend(compile_on_official(on_official));
    }
    rows
}

/// The largest mesh on Istio's own charts, of the newest version that is at hand.
fn compile_on_official(name: &str) -> Vec<Row> {
    let Some((version, charts)) = official::newest() else { return vec![official::left_out(name)] };
    let folder = scratch("bench-compile-official");
    let on = |agent: &str| {
        let istio =
            format!("istio: {{ version: {version}, charts: {{ path: {} }}{agent} }}", charts.display());
        mesh(10, 990).replace("istio: { charts: embedded }", &istio)
    };
    let (whole, memory) = compiled(&folder, "official", &on(""), 3);
    let (with_agent, _) = compiled(&folder, "official-cni", &on(", cni: enabled"), 3);
    fs::remove_dir_all(&folder).expect("a folder of this bench");
    let bound = || Against::Bound(Duration::from_secs(8));
    vec![
        Row { name: name.to_owned(), ours: whole, against: bound() },
        Row { name: format!("{name}, cni"), ours: with_agent, against: bound() },
        Row {
            name: format!("{name}: memory, {} MB", memory >> 20),
            ours: whole,
            against: Against::Nothing("for information"),
        },
    ]
}

/// A two-cluster file, read and judged.
fn validate() -> Row {
    let topology = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies/primary-remote-multi-network.yaml");
    let ours = median(21, || run(Command::new(STOLOS).arg("validate").arg(&topology)));
    Row {
        name: "validate: two clusters".to_owned(),
        ours,
        against: Against::Bound(Duration::from_millis(10)),
    }
}

/// Meshes of 10, 100 and 1,000 clusters, written to disk; what ten times the remotes cost; memory.
fn compile() -> Vec<Row> {
    let folder = scratch("bench-compile");
    let mut rows = Vec::new();
    // Every run writes a folder of its own, and all go at the end: ext4 is slow to create files right
    // after others were deleted, since it looks for inodes that nobody freed in the last seconds.
    for (primaries, remotes) in [(1, 9), (10, 90)] {
        let ours = compiled(&folder, &format!("{primaries}-{remotes}"), &mesh(primaries, remotes), 5).0;
        let against = Against::Nothing("for comparison");
        rows.push(Row { name: format!("compile: {} clusters", primaries + remotes), ours, against });
    }
    let (tenth, _) = compiled(&folder, "10-99", &mesh(10, 99), 5);
    rows.push(Row {
        name: "compile: 10 primaries, 99 remotes".to_owned(),
        ours: tenth,
        against: Against::Nothing("for comparison"),
    });
    let (whole, memory) = compiled(&folder, "10-990", &mesh(10, 990), 3);
    rows.push(Row {
        name: "compile: 10 primaries, 990 remotes".to_owned(),
        ours: whole,
        against: Against::Bound(Duration::from_secs(2)),
    });
    rows.push(Row {
        name: "compile: ten times the remotes".to_owned(),
        ours: whole,
        against: Against::Smaller { takes: tenth, times: 11.0 },
    });
    rows.push(Row {
        name: "compile: memory of 1,000 clusters".to_owned(),
        ours: whole,
        against: Against::Memory { peak: memory, bound: MEMORY },
    });
    fs::remove_dir_all(&folder).expect("a folder of this bench");
    rows
}

/// The median time of compiling a mesh into an empty folder, and the most memory that it took.
fn compiled(folder: &Path, name: &str, mesh: &str, runs: usize) -> (Duration, u64) {
    fs::create_dir_all(folder).expect("cargo's own folder");
    let topology = folder.join(format!("mesh-{name}.yaml"));
    fs::write(&topology, mesh).expect("cargo's own folder");
    let mut times = Vec::new();
    let mut memory = 0;
    for nth in 0..=runs {
        let out = folder.join(format!("out-{name}-{nth}"));
        let mut command = Command::new(STOLOS);
        command.arg("compile").arg(&topology).arg("-o").arg(&out);
        let start = Instant::now();
        memory = memory.max(run_watched(&mut command));
        times.push(start.elapsed());
    }
    // The first run is for warming up.
    times.remove(0);
    times.sort_unstable();
    (times[times.len() / 2], memory)
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the binary starts");
    assert!(status.success(), "{command:?} failed");
}

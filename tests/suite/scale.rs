//! Claims about many simulated clusters in one run. What the controllers do for each change is claimed
//! where they are (`rounds_that_leave_out…`, `a_change_costs_what_depends_on_it…`).

use std::fs;
use std::process::Command;

use crate::support::large::{mesh, run_watched};
use crate::support::scratch::scratch;

/// What one cluster more may take at the most, its simulation included.
const MEMORY_OF_CLUSTER: u64 = 12 << 20;

#[test]
fn one_cluster_more_takes_as_little_memory_in_a_large_mesh_as_in_a_small_one() {
    let folder = scratch("scale-memory");
    let peak = |primaries: usize| {
        let topology = folder.join(format!("mesh-{primaries}.yaml"));
        fs::write(&topology, mesh(primaries, primaries * 4)).expect("the test's own folder");
        let sandbox = format!("--sandbox={}", folder.join(format!("clusters-{primaries}")).display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_stolos"));
        run_watched(command.args(["apply", "--auto-approve", &sandbox]).arg(&topology))
    };
    let (small, middle, large) = (peak(1), peak(2), peak(4));
    if small == 0 {
        use std::io::Write as _;
        let _ = std::io::stderr().write_all(b"skipped: there is no /proc to read a process's memory from\n");
        return;
    }
    let (of_five, of_ten) = (middle.saturating_sub(small) / 5, large.saturating_sub(middle) / 10);
    assert!(of_five <= MEMORY_OF_CLUSTER, "the first five more: {} kB each", of_five >> 10);
    assert!(of_ten <= MEMORY_OF_CLUSTER, "the next ten more: {} kB each", of_ten >> 10);
}

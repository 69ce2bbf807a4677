//! Meshes of many clusters, and what a command over one takes of memory.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Runs a command and gives its peak memory in bytes, as the kernel's high-water mark has it shortly
/// before the end; 0 where there is no /proc.
pub(crate) fn run_watched(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    loop {
        if let Ok(text) = fs::read_to_string(&status) {
            let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes = mark.and_then(|mark| mark.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            peak = peak.max(kilobytes.unwrap_or(0) << 10);
        }
        match child.try_wait().expect("it is our child") {
            Some(status) => {
                assert!(status.success(), "{command:?} failed");
                return peak;
            }
            None => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// A mesh with a network for each primary; each remote is served by the primary of its network.
pub(crate) fn mesh(primaries: usize, remotes: usize) -> String {
    let mut text = String::from(
        "version: 1\nmesh: { id: mesh1 }\nistio: { charts: embedded }\ntrust: { root: generate }\nnetworks:\n",
    );
    for network in 0..primaries {
        writeln!(text, "  network{network}: {{}}").expect("a String takes all");
    }
    text.push_str("clusters:\n");
    let pods = |nth: usize| format!("10.{}.{}.0/24", nth / 250, nth % 250);
    for primary in 0..primaries {
        let pods = pods(primary);
        writeln!(text, "  primary{primary}: {{ network: network{primary}, role: primary, pods: [{pods}] }}")
            .expect("a String takes all");
    }
    for remote in 0..remotes {
        let (primary, pods) = (remote % primaries, pods(primaries + remote));
        writeln!(
            text,
            "  remote{remote}: {{ network: network{primary}, role: remote, primaries: [primary{primary}], pods: [{pods}] }}"
        )
        .expect("a String takes all");
    }
    text
}

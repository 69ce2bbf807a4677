//! The benchmarks: a table of figures, each against its target.
//!
//! `cargo bench --bench main` prints the whole table, `cargo bench --bench main -- chart` the rows whose
//! name holds that word. A group of rows is a module with a `rows` function; add it to [`GROUPS`].

mod charts;
mod meshes;
mod official;
mod scale;
mod servers;
#[path = "../suite/support/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "not all of what tests need is needed here")]
mod support;
mod table;

use std::io::Write as _;

use table::Row;

/// What measures rows: it is given the words that choose rows, and skips what they leave out.
type Group = fn(&table::Chosen) -> Vec<Row>;

static GROUPS: &[Group] = &[meshes::rows, charts::rows, scale::rows, servers::rows];

/// The binary's own, so that what is measured is what runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let chosen = table::Chosen::from_arguments(std::env::args().skip(1));
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", table::header()).expect("stdout takes lines");
    let mut missed = 0;
    for group in GROUPS {
        for row in group(&chosen) {
            missed += usize::from(row.misses());
            writeln!(out, "{row}").expect("stdout takes lines");
        }
    }
    writeln!(out, "{missed} below target").expect("stdout takes lines");
}

//! Many cases, of which `cargo test` takes a sample: which one is printed, and can be asked for again.
//!
//! `STOLOS_MATRIX=full` takes all of them, `STOLOS_MATRIX=N` so many, and `STOLOS_SEED=N` the sample of
//! another run.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// The cases to run: all of them, or a sample in their order.
pub(crate) fn sample<T>(what: &str, cases: Vec<T>, size: usize) -> Vec<T> {
    let all = cases.len();
    let size = match std::env::var("STOLOS_MATRIX").as_deref() {
        Ok("full") => all,
        Ok(number) => number.parse().expect("STOLOS_MATRIX is `full` or a number"),
        Err(_) => size,
    };
    if size >= all {
        say(&format!("{what}: all {all} cases\n"));
        return cases;
    }
    let seed = std::env::var("STOLOS_SEED").map_or_else(
        |_| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
            u64::from(now.subsec_nanos())
        },
        |text| text.parse().expect("STOLOS_SEED is a number"),
    );
    say(&format!("{what}: {size} of {all} cases, by STOLOS_SEED={seed}\n"));
    let mut random = Random(seed);
    let mut chosen: Vec<(usize, T)> = cases.into_iter().enumerate().collect();
    while chosen.len() > size {
        let place = random.below(chosen.len());
        chosen.swap_remove(place);
    }
    chosen.sort_by_key(|(place, _)| *place);
    chosen.into_iter().map(|(_, case)| case).collect()
}

/// Past libtest's capture, so that the seed stands in every log.
fn say(line: &str) {
    std::io::stderr().write_all(line.as_bytes()).expect("stderr takes a line");
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("it fits");
        usize::try_from((mixed ^ (mixed >> 31)) % bound).expect("below a usize")
    }
}

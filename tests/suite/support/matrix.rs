//! Many cases, of which `cargo test` takes a sample: which one is printed, and can be asked for again.
//!
//! `STOLOS_MATRIX=full` takes all of them, `STOLOS_MATRIX=N` so many, `STOLOS_MATRIX=2/8` the second eighth, and
//! any other text those whose names contain it; `STOLOS_SEED=N` takes the sample of another run. Cases wait more
//! than they work, so that some run side by side: `STOLOS_AT_ONCE=N` says how many.

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::task::JoinSet;

/// How many cases run at once for each processor, if nothing else is asked for.
const PER_PROCESSOR: usize = 4;
/// After how many cases it is said how far a long matrix is.
const PROGRESS: usize = 100;

/// Which cases are asked for.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    All,
    Sample { size: usize, seed: u64 },
    Part { nth: usize, of: usize },
    Named(String),
}

impl Choice {
    fn read(text: &str) -> Self {
        if text == "full" {
            return Self::All;
        }
        if let Ok(size) = text.parse() {
            return Self::Sample { size, seed: seed() };
        }
        let part = text.split_once('/').and_then(|(nth, of)| Some((nth.parse().ok()?, of.parse().ok()?)));
        match part {
            Some((nth, of)) => {
                assert!((1..=of).contains(&nth), "STOLOS_MATRIX={text}: there is no such part");
                Self::Part { nth, of }
            }
            None => Self::Named(text.to_owned()),
        }
    }

    /// The cases that are asked for, in their order.
    fn of<T: Display>(&self, cases: Vec<T>) -> Vec<T> {
        match self {
            Self::All => cases,
            Self::Sample { size, seed } => chosen(cases, *size, *seed),
            Self::Part { nth, of } => cases.into_iter().skip(nth - 1).step_by(*of).collect(),
            Self::Named(text) => cases.into_iter().filter(|case| case.to_string().contains(text)).collect(),
        }
    }
}

/// The cases to run, in their order: a sample of this size unless something else is asked for.
pub(crate) fn sample<T: Display>(what: &str, cases: Vec<T>, size: usize) -> Vec<T> {
    let all = cases.len();
    let choice = match std::env::var("STOLOS_MATRIX") {
        Ok(text) => Choice::read(&text),
        Err(_) => Choice::Sample { size, seed: seed() },
    };
    let cases = choice.of(cases);
    let which = match choice {
        Choice::Sample { seed, .. } if cases.len() < all => format!("by STOLOS_SEED={seed}"),
        Choice::All | Choice::Sample { .. } => "all that there are".to_owned(),
        Choice::Part { nth, of } => format!("part {nth} of {of}"),
        Choice::Named(text) => format!("those of `{text}`"),
    };
    say(&format!("{what}: {} of {all} cases, {which}", cases.len()));
    cases
}

/// Runs cases side by side, and gives what is wrong with them, each with its name. It is said at once, too.
pub(crate) async fn side_by_side<T, F>(what: &str, cases: Vec<T>, run: impl Fn(T) -> F) -> Vec<String>
where
    T: Display,
    F: Future<Output = Vec<String>> + Send + 'static,
{
    let at_once = at_once();
    let mut tally = Tally::of(what, cases.len());
    let mut cases = cases.into_iter();
    let mut running = JoinSet::new();
    let mut names = std::collections::BTreeMap::new();
    loop {
        while running.len() < at_once
            && let Some(case) = cases.next()
        {
            let name = case.to_string();
            let task = running.spawn(run(case));
            names.insert(task.id(), name);
        }
        let Some(ended) = running.join_next_with_id().await else { break };
        let (id, found) = match ended {
            Ok((id, found)) => (id, found),
            Err(error) => (error.id(), vec![panicked(error)]),
        };
        let name = names.remove(&id).expect("it was started");
        tally.ended(&name, found);
    }
    tally.faults
}

fn at_once() -> usize {
    std::env::var("STOLOS_AT_ONCE").map_or_else(
        |_| PER_PROCESSOR * std::thread::available_parallelism().map_or(1, Into::into),
        |text| text.parse().expect("STOLOS_AT_ONCE is a number"),
    )
}

/// How far the cases of a matrix are, and what is wrong with them.
pub(crate) struct Tally {
    what: String,
    all: usize,
    start: Instant,
    done: usize,
    wrong: usize,
    /// What is wrong, each with the name of its case.
    pub(crate) faults: Vec<String>,
}

impl Tally {
    /// None of so many cases has run.
    pub(crate) fn of(what: &str, all: usize) -> Self {
        Self { what: what.to_owned(), all, start: Instant::now(), done: 0, wrong: 0, faults: Vec::new() }
    }

    /// A case has run, and what was found wrong with it is said at once.
    pub(crate) fn ended(&mut self, name: &str, found: Vec<String>) {
        let what = &self.what;
        self.done += 1;
        self.wrong += usize::from(!found.is_empty());
        for fault in found {
            let fault = format!("{name}: {fault}");
            say(&format!("{what}: WRONG: {fault}"));
            self.faults.push(fault);
        }
        if self.done.is_multiple_of(PROGRESS) || self.done == self.all {
            let (done, all, wrong) = (self.done, self.all, self.wrong);
            say(&format!(
                "{what}: {done} of {all} cases in {} s, {wrong} wrong",
                self.start.elapsed().as_secs()
            ));
        }
    }
}

/// What a case panicked with.
fn panicked(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
            (Some(text), _) => text.clone(),
            (None, Some(text)) => (*text).to_owned(),
            (None, None) => "it panicked".to_owned(),
        },
        Err(error) => error.to_string(),
    }
}

/// What chance goes by: `STOLOS_SEED`, or the clock.
pub(crate) fn seed() -> u64 {
    std::env::var("STOLOS_SEED").map_or_else(
        |_| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
            u64::from(now.subsec_nanos())
        },
        |text| text.parse().expect("STOLOS_SEED is a number"),
    )
}

/// What draws random cases, the same ones for a seed.
pub(crate) fn runner(config: Config, seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// So many of them, in their order.
fn chosen<T>(cases: Vec<T>, size: usize, seed: u64) -> Vec<T> {
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
pub(crate) fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).expect("stderr takes a line");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_cases_together_and_no_case_twice() {
        let part = |nth| Choice::Part { nth, of: 8 }.of((0..100).collect());
        let mut parts: Vec<usize> = (1..=8).flat_map(part).collect();
        parts.sort_unstable();
        assert_eq!(parts, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_matrix_is_asked_for_whole_by_size_by_part_or_by_name() {
        assert_eq!(Choice::read("full"), Choice::All);
        assert!(matches!(Choice::read("100"), Choice::Sample { size: 100, .. }));
        assert_eq!(Choice::read("2/8"), Choice::Part { nth: 2, of: 8 });
        assert_eq!(Choice::read("SilenceDone"), Choice::Named("SilenceDone".to_owned()));
        assert_eq!(Choice::read("POST /api/v1"), Choice::Named("POST /api/v1".to_owned()));
    }

    #[tokio::test]
    async fn a_case_that_panics_is_wrong_and_keeps_no_other_from_running() {
        let faults = side_by_side("itself", vec!["a", "b", "c"], |case| async move {
            assert_ne!(case, "b", "it is b");
            if case == "c" { vec!["it is c".to_owned()] } else { Vec::new() }
        });
        let faults = faults.await;
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults.contains(&"c: it is c".to_owned()), "{faults:?}");
        assert!(
            faults.iter().any(|fault| fault.starts_with("b: ") && fault.contains("it is b")),
            "{faults:?}"
        );
    }
}

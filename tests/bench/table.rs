//! Rows of figures, and how a figure is taken.

use std::fmt;
use std::time::{Duration, Instant};

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    /// What we measured.
    pub(crate) ours: Duration,
    pub(crate) against: Against,
}

/// What a figure is compared with.
pub(crate) enum Against {
    /// Another program that does the same, and how many times as fast we have to be.
    Other { name: &'static str, takes: Duration, times: f64 },
    /// A bound.
    Bound(Duration),
    /// A smaller run of ours, and how many times its time this one may take.
    Smaller { takes: Duration, times: f64 },
    /// The memory that it took at its peak, and what it may take, in bytes.
    Memory { peak: u64, bound: u64 },
    /// Nothing: a figure for information.
    Nothing(&'static str),
}

impl Row {
    pub(crate) fn misses(&self) -> bool {
        match &self.against {
            Against::Other { takes, times, .. } => self.ours.as_secs_f64() * times > takes.as_secs_f64(),
            Against::Bound(bound) => self.ours > *bound,
            Against::Smaller { takes, times } => self.ours.as_secs_f64() > takes.as_secs_f64() * times,
            Against::Memory { peak, bound } => peak > bound,
            Against::Nothing(_) => false,
        }
    }
}

pub(crate) fn header() -> String {
    format!("{:<44} {:>12} {:>12} {:>9}  target", "", "stolos", "other", "times")
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.misses() { "  MISSED" } else { "" };
        write!(f, "{:<44} {:>12}", self.name, in_words(self.ours))?;
        match &self.against {
            Against::Other { name, takes, times } => {
                let ratio = takes.as_secs_f64() / self.ours.as_secs_f64();
                let takes = in_words(*takes);
                write!(f, " {takes:>12} {ratio:>8.0}x  {times:.0}x {name}{mark}")
            }
            Against::Bound(bound) => write!(f, " {:>12} {:>9}  below {}{mark}", "", "", in_words(*bound)),
            Against::Smaller { takes, times } => {
                let ratio = self.ours.as_secs_f64() / takes.as_secs_f64();
                let takes = in_words(*takes);
                write!(f, " {takes:>12} {ratio:>8.1}x  at most {times:.0}x as long as that{mark}")
            }
            Against::Memory { peak, bound } => {
                let (peak, bound) = (peak >> 20, bound >> 20);
                write!(f, " {:>12} {:>9}  below {bound} MB{mark}", format!("{peak} MB"), "")
            }
            Against::Nothing(why) => write!(f, " {:>12} {:>9}  {why}", "", ""),
        }
    }
}

fn in_words(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    if micros < 1000.0 {
        format!("{micros:.0} us")
    } else if micros < 1e6 {
        format!("{:.2} ms", micros / 1e3)
    } else {
        format!("{:.2} s", micros / 1e6)
    }
}

/// Which rows are wanted.
pub(crate) struct Chosen(Vec<String>);

impl Chosen {
    /// The words of the command line; cargo's own `--bench` is none of them.
    pub(crate) fn from_arguments(arguments: impl Iterator<Item = String>) -> Self {
        Self(arguments.filter(|argument| !argument.starts_with('-')).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|word| name.contains(word.as_str()))
    }
}

/// The median of some runs, after one that does not count.
pub(crate) fn median(runs: usize, mut run: impl FnMut()) -> Duration {
    run();
    let mut taken: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken[taken.len() / 2]
}

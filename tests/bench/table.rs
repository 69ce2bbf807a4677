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
    /// What each of so many took, and how many times what each took in a smaller run it may be.
    Each { unit: &'static str, count: usize, smaller: Option<(Duration, usize)>, times: f64 },
    /// The same of the memory that it took at its peak, in bytes.
    MemoryEach { peak: u64, unit: &'static str, count: usize, smaller: Option<(u64, usize)>, times: f64 },
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
            Against::Each { count, smaller, times, .. } => {
                growth(self.ours.as_secs_f64(), *count, smaller.map(|(ours, of)| (ours.as_secs_f64(), of)))
                    > *times
            }
            Against::MemoryEach { peak, count, smaller, times, .. } => {
                growth(*peak as f64, *count, smaller.map(|(peak, of)| (peak as f64, of))) > *times
            }
            Against::Memory { peak, bound } => peak > bound,
            Against::Nothing(_) => false,
        }
    }
}

/// How many times what each took in a smaller run each takes; once where there is none.
fn growth(whole: f64, count: usize, smaller: Option<(f64, usize)>) -> f64 {
    smaller.map_or(1.0, |(part, of)| (whole / count as f64) / (part / of as f64))
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
                write!(f, " {takes:>12} {ratio:>8.1}x  {times:.0}x {name}{mark}")
            }
            Against::Bound(bound) => write!(f, " {:>12} {:>9}  below {}{mark}", "", "", in_words(*bound)),
            Against::Smaller { takes, times } => {
                let ratio = self.ours.as_secs_f64() / takes.as_secs_f64();
                let takes = in_words(*takes);
                write!(f, " {takes:>12} {ratio:>8.1}x  at most {times:.0}x as long as that{mark}")
            }
            Against::Each { unit, count, smaller, times } => {
                let each = format!("{}/{unit}", in_words(self.ours.div_f64(*count as f64)));
                let smaller = smaller.map(|(ours, of)| (ours.as_secs_f64(), of));
                write!(
                    f,
                    "{}{mark}",
                    each_in_words(&each, growth(self.ours.as_secs_f64(), *count, smaller), smaller, *times)
                )
            }
            Against::MemoryEach { peak, unit, count, smaller, times } => {
                let each = format!("{} kB/{unit}", (peak >> 10) / *count as u64);
                let smaller = smaller.map(|(peak, of)| (peak as f64, of));
                write!(
                    f,
                    "{}{mark}",
                    each_in_words(&each, growth(*peak as f64, *count, smaller), smaller, *times)
                )
            }
            Against::Memory { peak, bound } => {
                let (peak, bound) = (peak >> 20, bound >> 20);
                write!(f, " {:>12} {:>9}  below {bound} MB{mark}", format!("{peak} MB"), "")
            }
            Against::Nothing(why) => write!(f, " {:>12} {:>9}  {why}", "", ""),
        }
    }
}

fn each_in_words(each: &str, growth: f64, smaller: Option<(f64, usize)>, times: f64) -> String {
    match smaller {
        Some(_) => format!(" {each:>16} {growth:>8.2}x  at most {times}x the smallest"),
        None => format!(" {each:>16}"),
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
    middle((0..runs).map(|_| timed(&mut run)).collect())
}

/// The medians of two things that are compared, which take turns: whatever else the machine does while they
/// run slows down both. Of the first there are ten runs to each of the second, which takes longer.
pub(crate) fn medians(runs: usize, mut one: impl FnMut(), mut other: impl FnMut()) -> (Duration, Duration) {
    one();
    other();
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        ones.extend((0..10).map(|_| timed(&mut one)));
        others.push(timed(&mut other));
    }
    (middle(ones), middle(others))
}

fn timed(run: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

fn middle(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}

//! How much of a run was nothing but waiting for the clusters.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the steps under way are at.
#[derive(Debug, Default)]
pub(super) struct Activity(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    running: usize,
    waiting: usize,
    /// Since when all that run wait.
    since: Option<Instant>,
    waited: Duration,
}

/// A step that runs, until it is dropped.
pub(super) struct Running<'a>(&'a Activity);

/// A step that waits, until it is dropped.
pub(super) struct Waiting<'a>(&'a Activity);

impl Activity {
    /// A step begins.
    pub(super) fn run(&self) -> Running<'_> {
        self.change(Instant::now(), |book| book.running += 1);
        Running(self)
    }

    /// A step that runs begins to wait.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.change(Instant::now(), |book| book.waiting += 1);
        Waiting(self)
    }

    /// For how long every step that was under way waited.
    pub(super) fn waited(&self) -> Duration {
        self.book().waited
    }

    fn change(&self, now: Instant, change: impl FnOnce(&mut Book)) {
        let mut book = self.book();
        if let Some(since) = book.since.take() {
            book.waited += now.saturating_duration_since(since);
        }
        change(&mut book);
        book.since = (book.running > 0 && book.waiting == book.running).then_some(now);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Counts stay right whoever panicked: guards take back what they added.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.change(Instant::now(), |book| book.running -= 1);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.change(Instant::now(), |book| book.waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_in_which_every_step_waits_counts() {
        let activity = Activity::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let runs = |book: &mut Book| book.running += 1;
        let waits = |book: &mut Book| book.waiting += 1;
        let ends = |book: &mut Book| {
            book.running -= 1;
            book.waiting -= 1;
        };
        activity.change(at(0), runs);
        activity.change(at(1), waits);
        // From 1 to 4 all wait, from 4 to 6 one of two, from 6 to 7 both, from 9 on nobody runs.
        activity.change(at(4), runs);
        activity.change(at(6), waits);
        activity.change(at(7), |book| book.waiting -= 1);
        activity.change(at(8), waits);
        activity.change(at(9), ends);
        activity.change(at(10), ends);
        activity.change(at(20), |_| {});
        assert_eq!(activity.waited(), Duration::from_secs(3 + 1 + 1 + 1));
    }
}

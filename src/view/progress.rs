//! What an apply says while it runs, and in the end.
//!
//! Events of the executor and the time since the start enter; lines leave. A line that stays is
//! given when a step ends; on a terminal the running steps stand below as a block that is drawn
//! anew, elsewhere a wait that lasts is told once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::diagnostics::{self, Look};
use crate::apply::{Counts, Event, Outcome, StepOutcome, Summary};
use crate::diagnostic::{Failure, counted, lasting};
use crate::graph::Unit;
use crate::plan::{Mode, Plan};

/// How long a wait lasts until it is told where nothing is drawn anew.
const LONG_WAIT: Duration = Duration::from_secs(10);
/// How wide the column of outcomes is.
const OUTCOME_WIDTH: usize = 36;
/// How narrow the column of names may get.
const NAME_WIDTH: usize = 24;

/// The steps that run, and how many have ended.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    ended: usize,
    name_width: usize,
    timeout: Duration,
    running: BTreeMap<Unit, Running>,
}

#[derive(Debug)]
struct Running {
    phase: Phase,
    since: Duration,
    told: bool,
}

#[derive(Debug)]
enum Phase {
    Begun,
    Applying { sent: usize, of: usize },
    Waiting { what: String },
}

impl Progress {
    /// For a plan whose waits may each take `timeout`.
    pub fn new(plan: &Plan, timeout: Duration) -> Self {
        let names = plan.steps.iter().filter(|step| !step.is_done()).map(|step| step.unit.to_string().len());
        Self {
            total: plan.steps.iter().filter(|step| !step.is_done()).count(),
            ended: 0,
            name_width: names.max().unwrap_or(0).max(NAME_WIDTH),
            timeout,
            running: BTreeMap::new(),
        }
    }

    /// Notes an event, `at` so long after the start; gives the line that it leaves, if any.
    pub fn take(&mut self, event: &Event, at: Duration) -> Option<String> {
        match event {
            Event::Started { unit } => {
                self.running.insert(unit.clone(), Running { phase: Phase::Begun, since: at, told: false });
                None
            }
            Event::Applied { unit, sent, of } => {
                if let Some(running) = self.running.get_mut(unit) {
                    running.phase = Phase::Applying { sent: *sent, of: *of };
                }
                None
            }
            Event::Waiting { unit, unmet } => {
                if let Some(running) = self.running.get_mut(unit) {
                    // What is waited for may change; how long the step has been waiting does not.
                    if !matches!(running.phase, Phase::Waiting { .. }) {
                        running.since = at;
                    }
                    running.phase = Phase::Waiting { what: unmet.what.clone() };
                }
                None
            }
            Event::Done { unit, counts, elapsed } => {
                self.running.remove(unit);
                Some(self.ended_line(unit, &outcome_words(counts), *elapsed))
            }
            Event::Failed { unit, failure, elapsed } => {
                self.running.remove(unit);
                Some(self.ended_line(unit, &format!("FAILED: {}", failure.code.name), *elapsed))
            }
            // The summary says it once for all of them.
            Event::HeldBack { .. } => None,
            Event::Stopping => Some(format!(
                "Stopping: {} to be brought to an end. Interrupt again to abandon.",
                counted(self.running.len(), "running step", "running steps")
            )),
        }
    }

    fn ended_line(&mut self, unit: &Unit, words: &str, elapsed: Duration) -> String {
        self.ended += 1;
        let digits = self.total.to_string().len();
        format!(
            " [{:digits$}/{}] {:name$}  {words:OUTCOME_WIDTH$} {:>6}",
            self.ended,
            self.total,
            unit.to_string(),
            lasting(elapsed),
            name = self.name_width,
        )
    }

    /// The running steps, one line each.
    pub fn running(&self, at: Duration) -> Vec<String> {
        self.running.iter().map(|(unit, running)| self.running_line(unit, running, at)).collect()
    }

    /// The waits that have become long and were not told yet.
    pub fn long_waits(&mut self, at: Duration) -> Vec<String> {
        let long: Vec<Unit> = self
            .running
            .iter_mut()
            .filter(|(_, running)| {
                matches!(running.phase, Phase::Waiting { .. })
                    && !running.told
                    && at.saturating_sub(running.since) >= LONG_WAIT
            })
            .map(|(unit, running)| {
                running.told = true;
                unit.clone()
            })
            .collect();
        long.iter().map(|unit| self.running_line(unit, &self.running[unit], at)).collect()
    }

    fn running_line(&self, unit: &Unit, running: &Running, at: Duration) -> String {
        let for_now = Duration::from_secs(at.saturating_sub(running.since).as_secs());
        let words = match &running.phase {
            Phase::Begun => "starting".to_owned(),
            Phase::Applying { sent, of } => format!("applying {sent} of {of}"),
            Phase::Waiting { what } => {
                format!("waiting {} for {what} ({})", lasting(for_now), lasting(self.timeout))
            }
        };
        let margin = " ".repeat(2 * self.total.to_string().len() - 2);
        format!("   ..  {margin} {:name$}  {words}", unit.to_string(), name = self.name_width)
    }
}

/// `16 created`, `1 configured, 2 deleted`; `ready` where a step only waited.
fn outcome_words(counts: &Counts) -> String {
    let words: Vec<String> = counts
        .iter()
        .filter(|(outcome, _)| *outcome != Outcome::Unchanged)
        .map(|(outcome, count)| format!("{count} {}", outcome.as_str()))
        .collect();
    if words.is_empty() { "ready".to_owned() } else { words.join(", ") }
}

/// What came of a run: failures first, the verdict last, with the command to run next.
///
/// `again` is the command that was run, `check` the one that shows what is left.
pub fn summary(plan: &Plan, summary: &Summary, again: &str, check: &str, look: Look) -> String {
    let mut text = String::new();
    let total = plan.steps.iter().filter(|step| !step.is_done()).count();
    let done = summary.steps_done();
    for (unit, outcome) in &summary.steps {
        if let StepOutcome::Failed(failure) = outcome {
            text.push_str(&diagnostics::failure(&told(unit, failure, summary, done, total, again), look));
            text.push('\n');
        }
    }
    for failure in &summary.failures {
        text.push_str(&diagnostics::failure(failure, look));
        text.push('\n');
    }
    let verb = match plan.mode {
        Mode::Apply => "Applied",
        Mode::Destroy => "Destroyed",
    };
    if done > 0 || summary.is_complete() {
        text.push_str(&format!(
            "{verb}: {} in {}, {}.\n",
            outcome_words(&summary.counts),
            counted(done, "step", "steps"),
            lasting(summary.elapsed)
        ));
    }
    let left: Vec<&Unit> = units(summary, |outcome| matches!(outcome, StepOutcome::Stopped));
    if !left.is_empty() {
        text.push_str(&format!(
            "Stopped: {} left to do, {}.\n",
            counted(left.len(), "step is", "steps are"),
            first_of(&left)
        ));
    }
    let unknown: Vec<&Unit> = units(summary, |outcome| matches!(outcome, StepOutcome::Unknown { .. }));
    if !plan.unknown.is_empty() {
        let names: Vec<&str> = plan.unknown.keys().map(|name| name.as_str()).collect();
        let behind = match unknown.as_slice() {
            [] => String::new(),
            _ => format!("; left out: {}", first_of(&unknown)),
        };
        text.push_str(&format!("Not read: {}{behind}.\n", names.join(", ")));
    }
    if summary.is_complete() && plan.unknown.is_empty() {
        if plan.mode == Mode::Apply {
            text.push_str(&format!("Check it with: {check}\n"));
        }
    } else {
        text.push_str(&format!("Go on with: {again}\n"));
    }
    text
}

/// A step's failure, with what it means for the rest.
fn told(
    unit: &Unit,
    failure: &Failure,
    summary: &Summary,
    done: usize,
    total: usize,
    again: &str,
) -> Failure {
    let held: Vec<&Unit> = summary.held_back_by(unit).collect();
    let mut failure = failure.clone();
    if !held.is_empty() {
        failure.facts.push(format!("held back: {}", first_of(&held)));
    }
    failure.facts.push(format!("done: {done} of {total} steps, all of them kept"));
    if failure.help.is_none() {
        failure.help = Some(format!("mend the cause and run the same command again: {again}"));
    }
    failure
}

fn units(summary: &Summary, wanted: impl Fn(&StepOutcome) -> bool) -> Vec<&Unit> {
    summary.steps.iter().filter(|(_, outcome)| wanted(outcome)).map(|(unit, _)| unit).collect()
}

/// `cluster2/control-plane and 5 steps behind it`.
fn first_of(units: &[&Unit]) -> String {
    match units {
        [] => "none".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

//! What an apply says while it runs, and in the end.
//!
//! Events of the executor and the time since the start enter; lines leave. A line that stays is
//! given when a step ends; on a terminal the running steps stand below as a block that is drawn
//! anew, elsewhere a wait that lasts is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::diagnostics::{self, Look};
use super::excerpt::tamed;
use crate::apply::{Counts, Event, Evidence, LeaseNews, Outcome, StepOutcome, Summary};
use crate::diagnostic::{Failure, counted, lasting, listed};
use crate::graph::Unit;
use crate::plan::{Mode, Plan, Step, StepId};
use crate::topology::ClusterName;

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
    /// How long the steps may take for which the topology says it.
    own_timeouts: BTreeMap<Unit, Duration>,
    /// The wave of each step that goes in one, the clusters of each wave, and how many have begun.
    waves: BTreeMap<StepId, usize>,
    clusters: Vec<String>,
    waves_begun: usize,
    /// The steps that wait for what others install: whoever sees them wait may be who has to mend it, so what is
    /// lacking is told too.
    theirs: BTreeSet<StepId>,
    running: BTreeMap<StepId, Running>,
}

#[derive(Debug)]
struct Running {
    phase: Phase,
    since: Duration,
    /// When its wait was told, and what it lacked then.
    told: Option<(Duration, Vec<String>)>,
}

#[derive(Debug)]
enum Phase {
    Begun,
    Applying { sent: usize, of: usize },
    Waiting { what: String, lacks: Vec<String> },
}

impl Progress {
    /// For a plan whose steps may each take `timeout` unless the plan says otherwise.
    pub fn new(plan: &Plan, timeout: Duration) -> Self {
        let names = plan.steps.iter().filter(|step| !step.is_done()).map(|step| step.id().to_string().len());
        Self {
            total: plan.steps.iter().filter(|step| !step.is_done()).count(),
            ended: 0,
            name_width: names.max().unwrap_or(0).max(NAME_WIDTH),
            timeout,
            own_timeouts: plan
                .steps
                .iter()
                .filter_map(|step| Some((step.unit.clone(), plan.timeout(&step.unit)?)))
                .collect(),
            waves: plan.steps.iter().filter_map(|step| Some((step.id(), step.wave?))).collect(),
            clusters: plan
                .waves
                .iter()
                .map(|wave| wave.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" and "))
                .collect(),
            waves_begun: 0,
            theirs: plan.steps.iter().filter(|step| step.others_install()).map(Step::id).collect(),
            running: BTreeMap::new(),
        }
    }

    /// Notes an event, `at` so long after the start; gives the line that it leaves, if any.
    pub fn take(&mut self, event: &Event, at: Duration) -> Option<String> {
        match event {
            Event::Started { step } => {
                self.running.insert(step.clone(), Running { phase: Phase::Begun, since: at, told: None });
                self.wave_line(step)
            }
            Event::Applied { step, sent, of } => {
                if let Some(running) = self.running.get_mut(step) {
                    running.phase = Phase::Applying { sent: *sent, of: *of };
                }
                None
            }
            Event::Waiting { step, unmet } => {
                if let Some(running) = self.running.get_mut(step) {
                    // What is waited for may change; how long the step has been waiting does not.
                    if !matches!(running.phase, Phase::Waiting { .. }) {
                        running.since = at;
                    }
                    let lacks = if self.theirs.contains(step) { unmet.facts.clone() } else { Vec::new() };
                    running.phase = Phase::Waiting { what: unmet.what.clone(), lacks };
                }
                None
            }
            Event::Noted { step, note } => {
                let margin = " ".repeat(2 * self.total.to_string().len() - 2);
                Some(format!("   ..  {margin} {:name$}  {note}", step.to_string(), name = self.name_width))
            }
            Event::Done { step, counts, evidence, elapsed } => {
                self.running.remove(step);
                let mut words = outcome_words(counts);
                if let Some(evidence) = evidence {
                    words = format!("{words}, {}", evidence_words(*evidence));
                }
                Some(self.ended_line(step, &words, *elapsed))
            }
            Event::Failed { step, failure, elapsed } => {
                self.running.remove(step);
                Some(self.ended_line(step, &format!("FAILED: {}", failure.code.name), *elapsed))
            }
            // The summary says it once for all of them.
            Event::HeldBack { .. } => None,
            Event::Lease { cluster, news } => Some(lease_words(cluster, news)),
            Event::Stopping => Some(format!(
                "Stopping: {} to be brought to an end. Interrupt again to abandon.",
                counted(self.running.len(), "running step", "running steps")
            )),
        }
    }

    /// Says once of each wave that it begins; a single one goes without saying.
    fn wave_line(&mut self, step: &StepId) -> Option<String> {
        let wave = *self.waves.get(step)?;
        let clusters = self.clusters.get(wave - 1)?;
        if self.clusters.len() < 2 || wave <= self.waves_begun {
            return None;
        }
        self.waves_begun = wave;
        Some(format!(" wave {wave} of {}: {clusters}", self.clusters.len()))
    }

    fn ended_line(&mut self, step: &StepId, words: &str, elapsed: Duration) -> String {
        self.ended += 1;
        let digits = self.total.to_string().len();
        format!(
            " [{:digits$}/{}] {:name$}  {words:OUTCOME_WIDTH$} {:>6}",
            self.ended,
            self.total,
            step.to_string(),
            lasting(elapsed),
            name = self.name_width,
        )
    }

    /// The running steps, one line each.
    pub fn running(&self, at: Duration) -> Vec<String> {
        self.running.iter().map(|(step, running)| self.running_line(step, running, at)).collect()
    }

    /// The waits that have become long and were not told yet, or that lack something else by now.
    pub fn long_waits(&mut self, at: Duration) -> Vec<String> {
        let mut long: Vec<StepId> = Vec::new();
        for (step, running) in &mut self.running {
            let Phase::Waiting { lacks, .. } = &running.phase else { continue };
            let is_news = match &running.told {
                None => at.saturating_sub(running.since) >= LONG_WAIT,
                Some((then, told)) => told != lacks && at.saturating_sub(*then) >= LONG_WAIT,
            };
            if is_news {
                running.told = Some((at, lacks.clone()));
                long.push(step.clone());
            }
        }
        let lines = long.iter().flat_map(|step| {
            let running = &self.running[step];
            let lacks = match &running.phase {
                Phase::Waiting { lacks, .. } => lacks.as_slice(),
                Phase::Begun | Phase::Applying { .. } => &[],
            };
            let lacks = lacks.iter().map(|fact| format!("         {}", tamed(fact)));
            std::iter::once(self.running_line(step, running, at)).chain(lacks.collect::<Vec<_>>())
        });
        lines.collect()
    }

    fn running_line(&self, step: &StepId, running: &Running, at: Duration) -> String {
        let for_now = Duration::from_secs(at.saturating_sub(running.since).as_secs());
        let words = match &running.phase {
            Phase::Begun => "starting".to_owned(),
            Phase::Applying { sent, of } => format!("applying {sent} of {of}"),
            Phase::Waiting { what, .. } => {
                let limit = self.own_timeouts.get(&step.unit).unwrap_or(&self.timeout);
                format!("waiting {} for {what} ({})", lasting(for_now), lasting(*limit))
            }
        };
        let margin = " ".repeat(2 * self.total.to_string().len() - 2);
        format!("   ..  {margin} {:name$}  {words}", step.to_string(), name = self.name_width)
    }
}

/// What happens with the lease of a cluster, in a line.
pub fn lease_words(cluster: &ClusterName, news: &LeaseNews) -> String {
    match news {
        LeaseNews::Awaited { holder, what, limit } => {
            let what = what.as_ref().map(|what| format!(": {what}")).unwrap_or_default();
            format!("Waiting up to {} for {holder}, who is changing {cluster}{what}", lasting(*limit))
        }
        LeaseNews::Doubted { holder, silent, watched } => {
            let silent = match silent {
                Some(silent) => format!("gave no sign of life for {}", lasting(*silent)),
                None => "renewed it at a time that cannot be right".to_owned(),
            };
            format!(
                "The lease of {cluster} is held by {holder}, who {silent}: watching it for {}",
                lasting(*watched)
            )
        }
        LeaseNews::Ended { holder } => {
            format!("The lease of {cluster} is taken over: {holder} has ended without giving it back")
        }
        LeaseNews::Expired { holder } => {
            format!("The lease of {cluster} is taken over: {holder} no longer renews it")
        }
        LeaseNews::Left { why, lasts } => {
            format!(
                "The lease of {cluster} could not be given back and runs out in {}: {why}",
                lasting(*lasts)
            )
        }
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

/// By what it is known that istiod uses a remote secret.
fn evidence_words(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Synced => "synced",
        Evidence::Effects => "in effect",
        Evidence::Written => "not known whether synced",
    }
}

/// What came of a run: failures first, the verdict last, with the command to run next.
///
/// `again` is the command that goes on from there, `check` the one that shows what is left.
pub fn summary(plan: &Plan, summary: &Summary, again: &str, check: &str, look: Look) -> String {
    let mut text = String::new();
    if let Some(failure) = &summary.refused {
        text.push_str(&diagnostics::failure(failure, look));
        text.push('\n');
    }
    let total = plan.steps.iter().filter(|step| !step.is_done()).count();
    let done = summary.steps_done();
    for (step, outcome) in &summary.steps {
        if let StepOutcome::Failed(failure) = outcome {
            text.push_str(&diagnostics::failure(&told(step, failure, summary, done, total, again), look));
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
    if done == 0 && summary.refused.is_some() {
        return text + "Nothing was changed.\n";
    }
    if plan.mode == Mode::Apply && plan.is_empty() {
        if summary.is_complete() {
            text.push_str("Recorded: an earlier run had not brought its inventories to the end.\n");
        }
    } else if done > 0 || summary.is_complete() {
        text.push_str(&format!(
            "{verb}: {} in {}, {}{}.\n",
            outcome_words(&summary.counts),
            counted(done, "step", "steps"),
            lasting(summary.elapsed),
            waited_words(summary)
        ));
    }
    let left: Vec<&StepId> = steps(summary, |outcome| matches!(outcome, StepOutcome::Stopped));
    if !left.is_empty() {
        text.push_str(&format!(
            "Stopped: {} left to do, {}.\n",
            counted(left.len(), "step is", "steps are"),
            first_of(&left)
        ));
    }
    let unknown: Vec<&StepId> = steps(summary, |outcome| matches!(outcome, StepOutcome::Unknown { .. }));
    if !plan.unknown.is_empty() {
        let names: Vec<&str> = plan.unknown.keys().map(|name| name.as_str()).collect();
        let behind = match unknown.as_slice() {
            [] => String::new(),
            _ => format!("; left out: {}", first_of(&unknown)),
        };
        text.push_str(&format!("Not read: {}{behind}.\n", names.join(", ")));
    }
    for (name, cluster) in &plan.clusters {
        let unseen: Vec<String> = cluster.unseen.iter().map(ToString::to_string).collect();
        if !unseen.is_empty() {
            let unseen = listed(unseen.iter().map(String::as_str));
            text.push_str(&format!("Kept, since it could not be looked into: {unseen} of {name}.\n"));
        }
    }
    if summary.is_complete() && !plan.is_incomplete() {
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
    step: &StepId,
    failure: &Failure,
    summary: &Summary,
    done: usize,
    total: usize,
    again: &str,
) -> Failure {
    let held: Vec<&StepId> = summary.held_back_by(step).collect();
    let mut failure = failure.clone();
    if !held.is_empty() {
        failure.facts.push(format!("held back: {}", first_of(&held)));
    }
    failure.facts.push(format!("done: {done} of {total} steps, all of them kept"));
    if failure.help.is_none() {
        failure.help = Some(format!("mend the cause and go on with: {again}"));
    }
    failure
}

fn steps(summary: &Summary, wanted: impl Fn(&StepOutcome) -> bool) -> Vec<&StepId> {
    summary.steps.iter().filter(|(_, outcome)| wanted(outcome)).map(|(step, _)| step).collect()
}

/// `cluster2/control-plane and 5 steps behind it`.
fn first_of(steps: &[&StepId]) -> String {
    match steps {
        [] => "none".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// How much of it was waiting, where that is worth a word.
fn waited_words(summary: &Summary) -> String {
    match summary.waited {
        short if short < Duration::from_secs(1) => String::new(),
        long => format!(", {} of it waiting", lasting(long)),
    }
}

#[cfg(test)]
mod tests {

    use jiff::Timestamp;

    use super::*;
    use crate::compile::{Awaited, Content, DesiredUnit, Done, Installer, MeshFacts, RootFacts, Values};
    use crate::plan::{Part, PlannedCluster, RootOutlook, Unmet};
    use crate::topology::{IstioVersion, UnitName};
    use crate::view::diagnostics::Colours;

    const LOOK: Look = Look { colours: Colours::Off, columns: 100 };

    fn unit(text: &str) -> Unit {
        text.parse().expect("a unit")
    }

    fn step(text: &str) -> StepId {
        unit(text).into()
    }

    fn unmet(what: &str) -> Unmet {
        Unmet { what: what.to_owned(), facts: Vec::new() }
    }

    /// Steps that wait for something, so that each has something to do.
    fn plan(units: &[&str]) -> Plan {
        let step = |name: &&str| Step {
            unit: unit(name),
            part: Part::Unit,
            stage: 1,
            after: Vec::new(),
            changes: Vec::new(),
            desired: None,
            open: Vec::new(),
            unmet: Some(unmet("something")),
            held_by: BTreeSet::new(),
            wave: None,
        };
        Plan {
            mode: Mode::Apply,
            at: Timestamp::UNIX_EPOCH,
            mesh: MeshFacts {
                id: "mesh1".to_owned(),
                namespace: "istio-system".to_owned(),
                trust_domain: "cluster.local".to_owned(),
                version: IstioVersion::NEWEST,
                installer: Installer::Stolos,
                charts: "embedded charts".to_owned(),
                networks: 1,
                root: RootFacts::Istiod,
            },
            root: RootOutlook::None,
            clusters: BTreeMap::new(),
            steps: units.iter().map(step).collect(),
            waves: Vec::new(),
            unknown: BTreeMap::new(),
            estimated: BTreeSet::new(),
            values: Values::default(),
            in_use: Values::default(),
        }
    }

    fn created(count: usize) -> Counts {
        let mut counts = Counts::default();
        (0..count).for_each(|_| counts.add(Outcome::Created));
        counts
    }

    const BASE: &str = "cluster1/base";
    const GATEWAY: &str = "cluster1/eastwest-gateway";

    #[test]
    fn a_step_leaves_a_line_and_a_running_one_says_what_it_waits_for() {
        let mut progress = Progress::new(&plan(&[BASE, GATEWAY]), Duration::from_secs(300));
        let at = Duration::from_secs;
        for name in [BASE, GATEWAY] {
            assert_eq!(progress.take(&Event::Started { step: step(name) }, at(0)), None);
        }
        progress.take(&Event::Applied { step: step(BASE), sent: 9, of: 16 }, at(1));
        let what = unmet("an address on Service istio-system/istio-eastwestgateway");
        progress.take(&Event::Waiting { step: step(GATEWAY), unmet: what }, at(1));
        assert_eq!(
            progress.running(at(13)),
            [
                "   ..   cluster1/base              applying 9 of 16",
                "   ..   cluster1/eastwest-gateway  waiting 12s for an address on Service istio-system/istio-eastwestgateway (5m)",
            ]
        );
        let done = Event::Done {
            step: step(BASE),
            counts: created(16),
            evidence: None,
            elapsed: Duration::from_millis(1250),
        };
        assert_eq!(
            progress.take(&done, at(14)),
            Some(" [1/2] cluster1/base              16 created                             1.2s".to_owned())
        );
    }

    #[test]
    fn a_long_wait_for_others_says_what_is_lacking_and_again_when_that_is_something_else() {
        let mut plan = plan(&[BASE, GATEWAY]);
        let awaited =
            Awaited { release: "istio-base".to_owned(), values: String::new(), demands: Vec::new() };
        plan.steps[0].desired = Some(DesiredUnit {
            unit: unit(BASE),
            stage: 1,
            after: Vec::new(),
            content: Content::default(),
            done: Done::Installed(Box::new(awaited)),
        });
        let mut progress = Progress::new(&plan, Duration::from_secs(300));
        let at = Duration::from_secs;
        let lacks = |fact: &str| Unmet { what: "a release".to_owned(), facts: vec![fact.to_owned()] };
        for name in [BASE, GATEWAY] {
            progress.take(&Event::Started { step: step(name) }, at(0));
            progress.take(&Event::Waiting { step: step(name), unmet: lacks("one thing") }, at(0));
        }
        assert_eq!(
            progress.long_waits(at(10)),
            [
                "   ..   cluster1/base              waiting 10s for a release (5m)",
                "         one thing",
                "   ..   cluster1/eastwest-gateway  waiting 10s for a release (5m)",
            ]
        );
        for name in [BASE, GATEWAY] {
            progress.take(&Event::Waiting { step: step(name), unmet: lacks("another") }, at(11));
        }
        assert_eq!(progress.long_waits(at(19)), Vec::<String>::new());
        assert_eq!(
            progress.long_waits(at(20)),
            ["   ..   cluster1/base              waiting 20s for a release (5m)", "         another"]
        );
        assert_eq!(progress.long_waits(at(60)), Vec::<String>::new());
    }

    #[test]
    fn a_step_of_which_the_topology_says_how_long_it_may_take_says_so() {
        let mut plan = plan(&[GATEWAY]);
        let facts = crate::compile::DesiredCluster {
            id: "cluster1".to_owned(),
            context: "cluster1".to_owned(),
            network: "network1".into(),
            primaries: None,
            gateway: true,
            timeouts: BTreeMap::from([(UnitName::EastWestGateway, Duration::from_secs(900))]),
        };
        let cluster = PlannedCluster { facts, uid: None, inventory: None, unseen: BTreeSet::new() };
        plan.clusters.insert("cluster1".into(), cluster);
        let mut progress = Progress::new(&plan, Duration::from_secs(300));
        progress.take(&Event::Started { step: step(GATEWAY) }, Duration::ZERO);
        progress.take(&Event::Waiting { step: step(GATEWAY), unmet: unmet("it") }, Duration::ZERO);
        assert_eq!(
            progress.running(Duration::from_secs(1)),
            ["   ..   cluster1/eastwest-gateway  waiting 1s for it (15m)"]
        );
    }

    #[test]
    fn a_long_wait_is_told_once() {
        let mut progress = Progress::new(&plan(&[GATEWAY]), Duration::from_secs(90));
        let at = Duration::from_secs;
        progress.take(&Event::Started { step: step(GATEWAY) }, at(0));
        progress.take(&Event::Waiting { step: step(GATEWAY), unmet: unmet("it") }, at(0));
        assert_eq!(progress.long_waits(at(9)), Vec::<String>::new());
        assert_eq!(
            progress.long_waits(at(10)),
            ["   ..   cluster1/eastwest-gateway  waiting 10s for it (1m30s)"]
        );
        assert_eq!(progress.long_waits(at(11)), Vec::<String>::new());
    }

    #[test]
    fn each_wave_is_told_once_when_it_begins() {
        let names = ["cluster1/control-plane", "cluster1/eastwest-gateway", "cluster2/control-plane"];
        let mut plan = plan(&names);
        plan.waves = ["cluster1", "cluster2"].map(|name| BTreeSet::from([name.into()])).to_vec();
        for (step, wave) in plan.steps.iter_mut().zip([1, 1, 2]) {
            step.wave = Some(wave);
        }
        let mut progress = Progress::new(&plan, Duration::from_secs(300));
        let told = names.map(|name| progress.take(&Event::Started { step: step(name) }, Duration::ZERO));
        assert_eq!(
            told,
            [Some(" wave 1 of 2: cluster1".to_owned()), None, Some(" wave 2 of 2: cluster2".to_owned())]
        );
    }

    #[test]
    fn a_failure_says_what_it_holds_back_and_how_to_go_on() {
        let code: &'static crate::diagnostic::Code =
            crate::apply::CODES.iter().find(|code| code.name == "wait-timeout").expect("a code");
        let failure = Failure::new(code, "cluster1/eastwest-gateway waited 5m for an address");
        let later = step("cluster2/control-plane");
        let told = Summary {
            steps: BTreeMap::from([
                (step(BASE), StepOutcome::Done(created(16))),
                (step(GATEWAY), StepOutcome::Failed(failure)),
                (later, StepOutcome::HeldBack { by: step(GATEWAY) }),
            ]),
            counts: created(16),
            failures: Vec::new(),
            refused: None,
            elapsed: Duration::from_secs(301),
            waited: Duration::from_secs(300),
        };
        let plan = plan(&[BASE, GATEWAY, "cluster2/control-plane"]);
        assert_eq!(
            summary(&plan, &told, "stolos apply mesh.yaml", "stolos plan mesh.yaml", LOOK),
            "\
error[wait-timeout]: cluster1/eastwest-gateway waited 5m for an address
  held back: cluster2/control-plane
  done: 1 of 3 steps, all of them kept
  help: mend the cause and go on with: stolos apply mesh.yaml
        stolos explain wait-timeout

Applied: 16 created in 1 step, 5m1s, 5m of it waiting.
Go on with: stolos apply mesh.yaml
"
        );
    }

    #[test]
    fn a_run_that_is_complete_names_the_next_command() {
        let told = Summary {
            steps: BTreeMap::from([(step(BASE), StepOutcome::Done(created(16)))]),
            counts: created(16),
            failures: Vec::new(),
            refused: None,
            elapsed: Duration::from_secs(31),
            waited: Duration::from_millis(900),
        };
        assert_eq!(
            summary(&plan(&[BASE]), &told, "stolos apply m.yaml", "stolos plan m.yaml", LOOK),
            "Applied: 16 created in 1 step, 31s.\nCheck it with: stolos plan m.yaml\n"
        );
    }
}

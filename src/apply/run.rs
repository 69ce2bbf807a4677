//! The executor: starts each step when its own predecessors are done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::activity::Activity;
use super::begin::begin;
use super::clusterz::Istiods;
use super::ledger::Ledger;
use super::mint::Mint;
use super::send::Sender;
use super::step::{Ended, perform};
use super::wait::Deadline;
use super::{ApplyError, Counts, Event, LeaseNews, Leases, StepOutcome, Summary, codes};
use crate::cluster::{Cluster, ClusterError, Fault, together};
use crate::compile::{PART_OF, Values, applyset_id};
use crate::diagnostic::Failure;
use crate::graph::{Unit, UnitKind};
use crate::plan::{Mode, Plan, Step, StepId};
use crate::topology::ClusterName;
use crate::trust::Root;

/// How many inventories are written at once in the end.
const LEDGERS: usize = 16;
/// For how long a cluster is tried again that was there when the plan was made: an API server that
/// restarts is back by then.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a plan is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How many steps run at once; 10 by default.
    pub parallelism: usize,
    /// How long each step may take for which the topology sets no time; 5 minutes by default.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { parallelism: 10, timeout: Duration::from_secs(300) }
    }
}

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stop {
    /// It does.
    #[default]
    Go,
    /// No step is started any more, waits are given up, requests under way are finished and
    /// the inventories written.
    Finish,
}

/// All that a run takes.
pub struct Job {
    /// What is to be done.
    pub plan: Plan,
    /// The doors to the clusters of the plan.
    pub clusters: BTreeMap<ClusterName, Cluster>,
    /// The root of trust where it is given in files.
    pub root: Option<Root>,
    /// How it is done.
    pub options: Options,
    /// The ID of a saved plan: noted in each inventory before anything else is written there.
    pub saved: Option<String>,
    /// The leases that it takes. Whoever drops the run before its end gives them back.
    pub leases: Arc<Leases>,
}

/// What the steps of a run share.
pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) options: Options,
    pub(super) mint: Mint,
    pub(super) values: Mutex<Values>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) leases: Arc<Leases>,
    pub(super) activity: Activity,
    clusters: BTreeMap<ClusterName, Cluster>,
    ledgers: BTreeMap<ClusterName, Arc<Ledger>>,
    istiods: BTreeMap<ClusterName, Arc<Istiods>>,
}

impl Run {
    /// The istiods of a cluster, to be asked.
    pub(super) fn istiods(&self, name: &ClusterName) -> Option<Arc<Istiods>> {
        self.istiods.get(name).cloned()
    }

    /// The door to a cluster.
    pub(super) fn cluster(&self, name: &ClusterName) -> Option<Cluster> {
        self.clusters.get(name).cloned()
    }

    /// When the step of a unit that starts now has to be done: what the topology says of it, being
    /// about this unit, goes before what holds for all.
    pub(super) fn deadline(&self, unit: &Unit) -> Deadline {
        Deadline::in_time(self.plan.timeout(unit).unwrap_or(self.options.timeout))
    }

    /// The way of a step's changes into its cluster.
    pub(super) fn sender(&self, name: &ClusterName, deadline: Deadline) -> Result<Sender, ApplyError> {
        let (Some(cluster), Some(ledger)) = (self.cluster(name), self.ledgers.get(name)) else {
            let fault = Fault::Unreachable("it was not read when the plan was made".to_owned());
            let request = "apply a step".to_owned();
            return Err(ApplyError::from(ClusterError {
                cluster: name.clone(),
                request,
                attempts: 0,
                fault,
            }));
        };
        Ok(Sender {
            cluster,
            ledger: Arc::clone(ledger),
            label: (PART_OF.to_owned(), applyset_id(&self.plan.mesh)),
            deadline,
            stop: self.stop.clone(),
            leases: Arc::clone(&self.leases),
            events: self.events.clone(),
        })
    }

    /// The clusters that something is written to, objects or an inventory.
    pub(super) async fn written(&self) -> Vec<Cluster> {
        let mut clusters = Vec::new();
        for (name, ledger) in &self.ledgers {
            let of_cluster = self.plan.steps.iter().filter(|step| step.unit.cluster == *name);
            let mut runs = of_cluster.filter(|step| step.held_by.is_empty() && !step.is_done());
            let is_written = runs.any(|step| ledger.notes_plan() || step.writes().next().is_some());
            if is_written || ledger.is_to_be_written(self.plan.mode).await {
                clusters.extend(self.cluster(name));
            }
        }
        clusters
    }

    /// Tells the view; a run that nobody looks at goes on.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

/// Where a step is.
enum State {
    Waiting,
    Running,
    Finished(StepOutcome),
}

/// Runs a plan to its end, or as far as it gets.
///
/// Each thing that happens is sent to `events`; `stop` is looked at before each step and each
/// wave of requests, and while waiting.
pub async fn run(mut job: Job, events: mpsc::UnboundedSender<Event>, stop: watch::Receiver<Stop>) -> Summary {
    let start = Instant::now();
    let patience = PATIENCE.min(job.options.timeout);
    job.clusters =
        job.clusters.into_iter().map(|(name, door)| (name, door.with_patience(patience))).collect();
    let istiods = job
        .clusters
        .iter()
        .map(|(name, cluster)| {
            (name.clone(), Arc::new(Istiods::new(cluster.clone(), &job.plan.mesh.namespace)))
        })
        .collect();
    let ledgers = ledgers(&job);
    let run = Arc::new(Run {
        options: job.options,
        mint: Mint::new(job.root),
        values: Mutex::new(job.plan.values.clone()),
        plan: job.plan,
        events,
        stop,
        leases: job.leases,
        activity: Activity::default(),
        istiods,
        clusters: job.clusters,
        ledgers,
    });
    let mut schedule = Schedule::new(&run.plan);
    let refused = begin(&run, &mut schedule).await.err();
    if refused.is_none() {
        schedule.follow(&run).await;
    }
    let steps = schedule.outcomes();
    let failures = if refused.is_none() { settle(&run, &steps).await } else { Vec::new() };
    for (cluster, why) in run.leases.give_back().await {
        let news = LeaseNews::Left { why, lasts: run.leases.lasts() };
        run.tell(Event::Lease { cluster, news });
    }
    let mut counts = Counts::default();
    for outcome in steps.values() {
        if let StepOutcome::Done(of_step) = outcome {
            counts.extend(of_step);
        }
    }
    let refused = refused.map(|error| error.failure());
    Summary { refused, steps, counts, failures, elapsed: start.elapsed(), waited: run.activity.waited() }
}

fn ledgers(job: &Job) -> BTreeMap<ClusterName, Arc<Ledger>> {
    let read = job.plan.clusters.iter().filter(|(name, _)| !job.plan.unknown.contains_key(*name));
    read.filter_map(|(name, facts)| {
        let cluster = job.clusters.get(name)?.clone();
        let (saved, leases) = (job.saved.clone(), Arc::clone(&job.leases));
        Some((name.clone(), Arc::new(Ledger::new(cluster, facts, &job.plan, saved, leases))))
    })
    .collect()
}

/// Writes each inventory as it is now, where the lease of its cluster is still ours.
async fn settle(run: &Arc<Run>, steps: &BTreeMap<StepId, StepOutcome>) -> Vec<Failure> {
    let mode = run.plan.mode;
    let mut failures = Vec::new();
    let mut writes = Vec::new();
    for (name, ledger) in &run.ledgers {
        if run.leases.covers(name) || !ledger.is_to_be_written(mode).await {
            let ledger = Arc::clone(ledger);
            writes.push(async move { ledger.settle(mode).await });
        } else if let Err(error) = run.leases.ready(name).await {
            // A step of the cluster that failed has said so.
            let mut of_cluster = steps.iter().filter(|(id, _)| id.unit.cluster == *name);
            if !of_cluster.any(|(_, outcome)| matches!(outcome, StepOutcome::Failed(_))) {
                failures.push(error.failure());
            }
        }
    }
    let ended = together(LEDGERS, writes).await;
    failures.extend(ended.into_iter().filter_map(Result::err).map(|error| error.failure()));
    failures
}

/// Which step may start when. Steps are known by their place in the plan.
pub(super) struct Schedule<'p> {
    steps: &'p [Step],
    /// The steps that each waits for.
    after: Vec<BTreeSet<usize>>,
    state: Vec<State>,
    /// Whether each may start at all for now.
    admitted: Vec<bool>,
}

impl<'p> Schedule<'p> {
    fn new(plan: &'p Plan) -> Self {
        let steps = &plan.steps;
        let places: BTreeMap<StepId, usize> =
            steps.iter().enumerate().map(|(place, step)| (step.id(), place)).collect();
        let mut after: Vec<BTreeSet<usize>> = steps
            .iter()
            .map(|step| step.after.iter().filter_map(|first| places.get(first)).copied().collect())
            .collect();
        if plan.mode == Mode::Destroy {
            // The namespace and the inventory in it go last, whatever the graph asks for.
            for (place, step) in steps.iter().enumerate() {
                if step.unit.kind == UnitKind::Namespace {
                    let others = steps.iter().enumerate().filter(|(other, others)| {
                        *other != place && others.unit.cluster == step.unit.cluster
                    });
                    after[place].extend(others.map(|(other, _)| other));
                }
            }
        }
        let state = steps.iter().map(|_| State::Waiting).collect();
        let admitted = vec![true; steps.len()];
        Self { steps, after, state, admitted }
    }

    /// From now on these steps start and no others.
    pub(super) fn admit(&mut self, which: impl Fn(&Step) -> bool) {
        self.admitted = self.steps.iter().map(which).collect();
    }

    /// Starts steps as they become ready until none is left that could.
    pub(super) async fn follow(&mut self, run: &Arc<Run>) {
        let mut running: JoinSet<(usize, StepOutcome)> = JoinSet::new();
        let mut stop = run.stop.clone();
        let mut stoppable = true;
        let mut told = false;
        loop {
            let mut ready = self.settle(run);
            ready.retain(|place| self.admitted[*place]);
            if run.is_stopping() {
                if !told && !running.is_empty() {
                    run.tell(Event::Stopping);
                    told = true;
                }
                ready.clear();
            }
            for place in ready {
                if running.len() >= run.options.parallelism.max(1) {
                    break;
                }
                self.state[place] = State::Running;
                let (run, step) = (Arc::clone(run), self.steps[place].clone());
                running.spawn(async move { (place, start(run, step).await) });
            }
            if running.is_empty() {
                break;
            }
            tokio::select! {
                // A task that panicked is the one that stays `Running`; it is told apart below.
                ended = running.join_next() => if let Some(Ok((place, outcome))) = ended {
                    self.state[place] = State::Finished(outcome);
                },
                changed = stop.changed(), if stoppable => stoppable = changed.is_ok(),
            }
        }
    }

    /// Settles every step that needs no running, and gives those that may start now, in the order of the plan.
    fn settle(&mut self, run: &Run) -> Vec<usize> {
        let mut ready;
        loop {
            ready = Vec::new();
            let mut settled = Vec::new();
            for (place, step) in self.steps.iter().enumerate() {
                let State::Waiting = self.state[place] else { continue };
                let first = &self.after[place];
                if let Some(outcome) = first.iter().find_map(|first| self.blocks(*first)) {
                    settled.push((place, outcome));
                } else if !step.held_by.is_empty() {
                    settled.push((place, StepOutcome::Unknown { clusters: step.held_by.clone() }));
                } else if first.iter().all(|first| matches!(self.state[*first], State::Finished(_))) {
                    if step.is_done() {
                        settled.push((place, StepOutcome::Idle));
                    } else {
                        ready.push(place);
                    }
                }
            }
            if settled.is_empty() {
                return ready;
            }
            for (place, outcome) in settled {
                if let StepOutcome::HeldBack { by } = &outcome
                    && !self.steps[place].is_done()
                {
                    run.tell(Event::HeldBack { step: self.steps[place].id(), by: by.clone() });
                }
                self.state[place] = State::Finished(outcome);
            }
        }
    }

    /// What becomes of a step that waits for this one, where this one will never be done.
    fn blocks(&self, first: usize) -> Option<StepOutcome> {
        let State::Finished(outcome) = &self.state[first] else { return None };
        match outcome {
            StepOutcome::Idle | StepOutcome::Done(_) => None,
            StepOutcome::Failed(_) => Some(StepOutcome::HeldBack { by: self.steps[first].id() }),
            StepOutcome::HeldBack { by } => Some(StepOutcome::HeldBack { by: by.clone() }),
            StepOutcome::Unknown { clusters } => Some(StepOutcome::Unknown { clusters: clusters.clone() }),
            StepOutcome::Stopped => Some(StepOutcome::Stopped),
        }
    }

    fn outcomes(self) -> BTreeMap<StepId, StepOutcome> {
        let outcome = |(step, state): (&Step, State)| {
            let id = step.id();
            let outcome = match state {
                State::Finished(StepOutcome::HeldBack { .. } | StepOutcome::Stopped) | State::Waiting
                    if step.is_done() =>
                {
                    StepOutcome::Idle
                }
                State::Finished(outcome) => outcome,
                State::Waiting => StepOutcome::Stopped,
                State::Running => StepOutcome::Failed(
                    Failure::new(&codes::STEP_PANICKED, format!("{id} ended unexpectedly"))
                        .with_help("this is a bug in Stolos: please report it"),
                ),
            };
            (id, outcome)
        };
        self.steps.iter().zip(self.state).map(outcome).collect()
    }
}

/// Runs one step and tells how it went.
async fn start(run: Arc<Run>, step: Step) -> StepOutcome {
    let id = step.id();
    let begin = Instant::now();
    let _running = run.activity.run();
    run.tell(Event::Started { step: id.clone() });
    let ended = tokio::select! {
        biased;
        // Whatever is under way is dropped: from here on another run may be at work in the cluster.
        lost = run.leases.lost(&step.unit.cluster) => Err(lost),
        ended = perform(&run, &step) => ended,
    };
    match ended {
        Ok(Ended::Done(counts, evidence)) => {
            let elapsed = begin.elapsed();
            run.tell(Event::Done { step: id, counts: counts.clone(), evidence, elapsed });
            StepOutcome::Done(counts)
        }
        Ok(Ended::Stopped) => StepOutcome::Stopped,
        Err(error) => {
            let failure = error.failure();
            run.tell(Event::Failed { step: id, failure: failure.clone(), elapsed: begin.elapsed() });
            StepOutcome::Failed(failure)
        }
    }
}

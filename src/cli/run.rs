//! A plan is shown, asked about, run and told: what `apply` and `destroy` have in common.

use std::io::IsTerminal;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::{mpsc, watch};

use super::clusters::Reach;
use super::interrupts::Interrupts;
use super::load::TopologyPath;
use super::mesh::{Mesh, Patience};
use super::terminal::Drawing;
use super::{Exit, Stop, Terminal, holder};
use crate::apply::{self, Guard, Job, LeaseNews, Leases, Options, StepOutcome, Summary, Terms};
use crate::diagnostic::{Code, Failure, duration};
use crate::plan::codes::PLAN_STALE;
use crate::plan::{Conflicts, Mode, Plan};
use crate::view;
use crate::view::progress::Progress;

/// How often the block of running steps is drawn.
const REDRAW: Duration = Duration::from_millis(200);

/// Nobody could be asked.
pub(super) static APPROVAL_MISSING: Code = Code {
    name: "approval-missing",
    summary: "nobody could be asked whether to go on",
    page: "\
`stolos apply` and `stolos destroy` show their plan and ask before they change anything. Here stdin or
stderr is no terminal, so nobody could be asked, and nothing was changed.

In a pipeline, save the plan in one job, look at it, and apply that very plan in another, which asks nobody:

    stolos plan mesh.yaml --out mesh.plan
    stolos apply mesh.plan

To apply whatever there is to do, unseen, give `--auto-approve`.
",
};

/// What `apply` and `destroy` take.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) topology: TopologyPath,
    #[command(flatten)]
    pub(super) reach: Reach,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
    /// How many steps run at once
    #[arg(long, value_name = "N", default_value = "10", value_parser = parallelism)]
    parallelism: NonZero<usize>,
    /// How long each step may take whose unit the topology's `timeouts` does not name: 90s, 5m, 1h30m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    timeout: Duration,
    /// How long to wait where another run holds the lease of a cluster, or the sandbox: 90s, 5m, 1h30m
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = patience)]
    pub(super) lock_timeout: Duration,
}

/// A span of time, or none.
fn patience(text: &str) -> Result<Duration, String> {
    if text.trim() == "0s" { Ok(Duration::ZERO) } else { duration(text).map_err(|error| error.to_string()) }
}

/// Reads how many steps run at once.
fn parallelism(text: &str) -> Result<NonZero<usize>, String> {
    text.trim().parse().map_err(|_| "it is a number of steps, from 1 on".to_owned())
}

/// The words of a verb.
pub(super) struct Words {
    pub(super) mode: Mode,
    /// `apply`.
    pub(super) verb: &'static str,
    /// What is asked on a terminal.
    pub(super) question: &'static str,
}

/// Plans, shows, asks, runs and tells.
pub(super) fn run(
    words: &Words,
    args: &RunArgs,
    conflicts: Conflicts,
    terminal: &mut Terminal,
) -> Result<Exit, Stop> {
    super::on_runtime(async {
        let patience = Patience { limit: args.lock_timeout, terminal };
        let mesh = Mesh::open(args.topology.one()?, &args.reach, patience).await?;
        let ended = planned(words, args, conflicts, &mesh, terminal).await;
        mesh.close().await;
        ended
    })
}

async fn planned(
    words: &Words,
    args: &RunArgs,
    conflicts: Conflicts,
    mesh: &Mesh,
    terminal: &mut Terminal,
) -> Result<Exit, Stop> {
    mesh.warn(terminal);
    loop {
        match once(words, args, conflicts, mesh, terminal).await? {
            Outcome::Over(exit) => return Ok(exit),
            // Whoever is ready to wait for another run is ready for what that changes.
            Outcome::Stale => terminal.talk("The plan no longer fits: planning again.\n\n"),
        }
    }
}

/// How one plan ended.
pub(super) enum Outcome {
    /// As far as it goes.
    Over(Exit),
    /// Another run was waited for, and changed what the plan was made from.
    Stale,
}

async fn once(
    words: &Words,
    args: &RunArgs,
    conflicts: Conflicts,
    mesh: &Mesh,
    terminal: &mut Terminal,
) -> Result<Outcome, Stop> {
    let plan = mesh.plan(words.mode, conflicts).await?;
    let flags = flags(&args.reach, conflicts);
    let again = format!("stolos {} {flags}{}", words.verb, mesh.loaded.about);
    let run = Run {
        plan,
        command: again.clone(),
        again,
        check: format!("stolos plan {}{}", args.reach, mesh.loaded.about),
        approval: if args.auto_approve { Approval::Given } else { Approval::Asked(words) },
        saved: None,
    };
    carry_out(run, args, mesh, terminal).await
}

/// A plan that is about to be run.
pub(super) struct Run<'w> {
    pub(super) plan: Plan,
    /// The command that runs it: what its leases say.
    pub(super) command: String,
    /// The command that goes on where this one stops.
    pub(super) again: String,
    /// The command that shows what is left.
    pub(super) check: String,
    pub(super) approval: Approval<'w>,
    /// The ID of a saved plan.
    pub(super) saved: Option<String>,
}

/// Who says that a plan may be run.
pub(super) enum Approval<'w> {
    /// Somebody did already: by a flag, or by saving it.
    Given,
    /// Whoever is at the terminal.
    Asked(&'w Words),
}

/// Shows, asks, runs and tells.
pub(super) async fn carry_out(
    run: Run<'_>,
    args: &RunArgs,
    mesh: &Mesh,
    terminal: &mut Terminal,
) -> Result<Outcome, Stop> {
    let Run { plan, command, again, check, approval, saved } = run;
    terminal.data(&view::plan::text(&plan, terminal.data_look()))?;
    let is_record = is_over(&plan) && plan.mode == Mode::Apply && apply::inventories_lag(&plan);
    if is_over(&plan) && !is_record {
        return Ok(Outcome::Over(if plan.is_incomplete() { Exit::Incomplete } else { Exit::Done }));
    }
    // What is only recorded is no change that anybody could object to.
    if let Approval::Asked(words) = approval
        && !is_record
        && !approved(words, &again, terminal)?
    {
        terminal.talk("Nothing was changed.\n");
        return Ok(Outcome::Over(Exit::Error));
    }
    let options = Options { parallelism: args.parallelism.get(), timeout: args.timeout };
    let root = match plan.mode {
        Mode::Apply => mesh.root()?,
        Mode::Destroy => None,
    };
    let terms =
        Terms { patience: args.lock_timeout, has_ended: Arc::new(holder::has_ended), ..Terms::default() };
    let leases = Arc::new(Leases::new(holder::of_this_process(&command), terms));
    let clusters = mesh.clusters.clone();
    let is_saved = saved.is_some();
    let job = Job { plan: plan.clone(), clusters, root, options, saved, leases: Arc::clone(&leases) };
    let guard = Guard::over(&leases);
    let ended = watched(job, terminal).await;
    let Some(summary) = ended else {
        terminal.talk("Abandoned: requests were under way, and the inventories may lag behind.\n");
        for (cluster, why) in leases.give_back().await {
            let left = LeaseNews::Left { why, lasts: leases.lasts() };
            terminal.talk(&format!("{}\n", view::progress::lease_words(&cluster, &left)));
        }
        terminal.talk(&format!("Go on with: {again}\n"));
        return Ok(Outcome::Over(Exit::Error));
    };
    drop(guard);
    let is_stale = summary.refused.as_ref().is_some_and(|failure| failure.code.name == PLAN_STALE.name);
    if is_stale && !is_saved && !args.lock_timeout.is_zero() {
        return Ok(Outcome::Stale);
    }
    let look = terminal.talk_look();
    terminal.talk(&view::progress::summary(&plan, &summary, &again, &check, look));
    Ok(Outcome::Over(exit(&plan, &summary)))
}

/// Whether a plan leaves nothing to run. An inventory without objects is still to be taken down.
pub(super) fn is_over(plan: &Plan) -> bool {
    let has_inventory = plan.clusters.values().any(|cluster| cluster.inventory.is_some());
    plan.is_empty() && (plan.mode == Mode::Apply || !has_inventory)
}

/// The flags to give again, each with a blank behind it.
pub(super) fn flags(reach: &Reach, conflicts: Conflicts) -> String {
    let forced = match conflicts {
        Conflicts::Refuse => "",
        Conflicts::Force => "--force-conflicts ",
    };
    format!("{reach}{forced}")
}

/// Asks on a terminal; without one it refuses.
fn approved(words: &Words, again: &str, terminal: &mut Terminal) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let message = format!("stolos {} asks on a terminal, and there is none", words.verb);
        return Err(Failure::new(&APPROVAL_MISSING, message).with_help(again.replacen(
            words.verb,
            &format!("{} --auto-approve", words.verb),
            1,
        )));
    }
    terminal.talk(&format!("\n{} ", words.question));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && answer.trim() == "yes")
}

fn exit(plan: &Plan, summary: &Summary) -> Exit {
    if summary.has_failed() || summary.was_stopped() {
        Exit::Error
    } else if plan.is_incomplete()
        || summary.steps.values().any(|step| matches!(step, StepOutcome::Unknown { .. }))
    {
        Exit::Incomplete
    } else {
        Exit::Done
    }
}

/// Runs a job and tells how it goes; none where it was abandoned.
async fn watched(job: Job, terminal: &mut Terminal) -> Option<Summary> {
    let mut progress = Progress::new(&job.plan, job.options.timeout);
    let block = (terminal.drawing() == Drawing::Over).then(block);
    let start = Instant::now();
    let (events, mut news) = mpsc::unbounded_channel();
    let (stopper, stop) = watch::channel(apply::Stop::Go);
    let mut running = std::pin::pin!(apply::run(job, events, stop));
    let mut redraw = tokio::time::interval(REDRAW);
    let mut interrupts = Interrupts::new();
    let summary = loop {
        tokio::select! {
            biased;
            () = interrupts.next() => {
                if *stopper.borrow() == apply::Stop::Finish {
                    break None;
                }
                // The executor looks at it before whatever it does next.
                let _ = stopper.send(apply::Stop::Finish);
            }
            Some(event) = news.recv() => {
                if let Some(line) = progress.take(&event, start.elapsed()) {
                    say(terminal, block.as_ref(), &line);
                }
            }
            summary = &mut running => break Some(summary),
            _ = redraw.tick() => match &block {
                Some(block) => block.set_message(progress.running(start.elapsed()).join("\n")),
                None => {
                    for line in progress.long_waits(start.elapsed()) {
                        say(terminal, None, &line);
                    }
                }
            },
        }
    };
    while let Ok(event) = news.try_recv() {
        if let Some(line) = progress.take(&event, start.elapsed()) {
            say(terminal, block.as_ref(), &line);
        }
    }
    if let Some(block) = &block {
        block.finish_and_clear();
    }
    terminal.talk("\n");
    summary
}

/// The lines that are drawn anew.
fn block() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    bar.set_style(style);
    bar
}

fn say(terminal: &mut Terminal, block: Option<&ProgressBar>, line: &str) {
    match block {
        Some(block) => block.println(line),
        None => terminal.talk(&format!("{line}\n")),
    }
}

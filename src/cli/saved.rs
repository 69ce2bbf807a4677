//! A plan saved in one run and applied in another.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::charts::charts;
use super::charts::pinned::lock_file;
use super::clusters::Reach;
use super::desired::{path_of_named, public_named, read_named};
use super::load::{self, Loaded, load_texts, texts_at};
use super::mesh::{Mesh, Outlook, Patience};
use super::run::{Approval, Outcome, Run, RunArgs, carry_out, flags};
use super::whole::{self, Readers, fresh};
use super::{Exit, Stop, Terminal, codes};
use crate::chart::ChartSet;
use crate::diagnostic::Failure;
use crate::document::Source;
use crate::plan::codes::{CLUSTER_NOT_READ, PLAN_FLAG, PLAN_STALE};
use crate::plan::saved::{
    Binding, SavedPlan, SavedSource, SavedTopology, SavedView, VERSION, digest_of_file, read, stale, used,
};
use crate::plan::{Conflicts, Live, Mode, Plan};
use crate::topology::{Charts, ClusterName};
use crate::view;
use crate::view::diagnostics::{Colours, Look};

/// How many differences are told.
const TOLD: usize = 20;

/// The plan in a file; none where it holds something else, or is a folder.
pub(super) fn plan_in(path: &Path) -> Result<Option<SavedPlan>, Failure> {
    let unreadable = |error: io::Error| load::unreadable(path, &error);
    if fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(None);
    }
    read(&path.display().to_string(), &load::read(path).map_err(unreadable)?)
}

/// A plan with all that it takes to apply it later.
pub(super) fn save(
    mesh: &Mesh,
    plan: &Plan,
    live: &Live,
    reach: &Reach,
    conflicts: Conflicts,
) -> Result<SavedPlan, Failure> {
    let salt = fresh();
    let look = Look { colours: Colours::Off, columns: 100 };
    let sources = mesh.loaded.sources.iter().map(|(_, source)| source.clone());
    Ok(SavedPlan {
        stolos: VERSION.to_owned(),
        id: fresh(),
        made: plan.at.to_string(),
        mode: plan.mode,
        conflicts,
        reach: reach.saved(&mesh.desired.clusters),
        topology: SavedTopology {
            path: mesh.loaded.about.clone(),
            sources: sources.map(|Source { name, text }| SavedSource { name, text }).collect(),
            files: digests(&mesh.loaded, &mesh.charts)?,
        },
        binding: Binding::of(plan, live, &salt),
        salt,
        view: SavedView {
            text: view::plan::text(plan, look),
            markdown: view::plan::markdown(plan),
            json: view::plan::json(plan),
        },
    })
}

/// The digest of each public file that a topology names, and of its charts, by their paths.
fn digests(loaded: &Loaded, charts: &ChartSet) -> Result<BTreeMap<String, String>, Failure> {
    let path_of = |named| path_of_named(&loaded.sources, named).display().to_string();
    let mut digests = BTreeMap::new();
    for named in public_named(loaded) {
        digests.insert(path_of(named), digest_of_file(&read_named(&loaded.sources, named)?));
    }
    let path = match loaded.topology.istio.charts.as_ref().map(|charts| &charts.value) {
        Some(Charts::Path(named)) => path_of(named),
        Some(Charts::Source(source)) => lock_file(loaded, source).display().to_string(),
        // They are of the binary, to which a plan is bound, or nobody renders them here.
        Some(Charts::Embedded | Charts::External) | None => return Ok(digests),
    };
    digests.insert(path, charts.digest());
    Ok(digests)
}

/// Whether a plan may be written there: over nothing but an earlier plan, or an empty file.
pub(super) fn may_write(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            Err(Failure::new(&codes::OUTPUT_UNWRITABLE, format!("{shown} cannot be written: {error}")))
        }
        Ok(found) if found.is_dir() => Err(Failure::new(
            &codes::OUTPUT_UNWRITABLE,
            format!("{shown} is a folder, and a plan is one file"),
        )
        .with_help(format!("name a file in it: --out {}", path.join("mesh.plan").display()))),
        Ok(found) => {
            // A plan that can no longer be applied, whatever is wrong with it, is a plan.
            let is_plan = |bytes: Vec<u8>| bytes.is_empty() || !matches!(read("", &bytes), Ok(None));
            if found.is_file() && load::read(path).is_ok_and(is_plan) {
                return Ok(());
            }
            Err(Failure::new(&codes::FILE_EXISTS, format!("{shown} is there already, and is no saved plan"))
                .with_help("name another file, or remove it first"))
        }
    }
}

/// Writes a plan for its owner alone, whole or not at all.
pub(super) fn write(path: &Path, plan: &SavedPlan) -> Result<(), Failure> {
    whole::write(path, plan.to_text().as_bytes(), Readers::Owner).map_err(|error| {
        let message = format!("{} cannot be written: {error}", path.display());
        Failure::new(&codes::OUTPUT_UNWRITABLE, message)
    })
}

/// Applies a saved plan, where it is still what would be done.
pub(super) fn apply(
    saved: SavedPlan,
    args: &RunArgs,
    conflicts: Conflicts,
    terminal: &mut Terminal,
) -> Result<Exit, Stop> {
    let file = args.topology.one()?.display().to_string();
    let reach = args.reach.to_saved(&saved.reach)?;
    let anew = anew(&saved, &reach, &file);
    if conflicts == Conflicts::Force && saved.conflicts == Conflicts::Refuse {
        let message = "--force-conflicts: the plan was made without it, and takes no field of another tool";
        let with_it = anew.replacen("stolos plan ", "stolos plan --force-conflicts ", 1);
        return Err(Failure::new(&PLAN_FLAG, message).with_help(with_it).into());
    }
    let differs = |lines: Vec<String>| match lines.is_empty() {
        true => Ok(()),
        false => Err(Stop::from(stale_failure(&file, lines, &anew))),
    };
    differs(changed_on_disk(&saved.topology)?)?;
    let texts = saved.topology.sources.iter();
    let texts = texts.map(|source| Source { name: source.name.clone(), text: source.text.clone() }).collect();
    let loaded = load_texts(&saved.topology.path, texts, reach.used_for())?;
    super::on_runtime(async {
        let charts = charts(&loaded, terminal).await?;
        differs(changed_files(&saved.topology, &digests(&loaded, &charts)?))?;
        let patience = Patience { limit: args.lock_timeout, terminal };
        let mesh = Mesh::of(loaded, charts, &reach, patience).await?;
        let ended = async {
            let Outlook { live, plan } = mesh.outlook(saved.mode, saved.conflicts, unknown(&saved)).await?;
            if let Some(used) = used(&saved, &live) {
                return Err(used.with_help(format!("see what is left, and save that: {anew}")).into());
            }
            let plan = match plan {
                Ok(plan) => plan,
                Err(failures) => return Err(stale_failure(&file, told(failures), &anew).into()),
            };
            differs(stale(&saved, &plan, &live))?;
            let run = Run {
                plan,
                command: format!("stolos apply {file}"),
                check: format!("stolos plan {reach}{}", mesh.loaded.about),
                again: anew.clone(),
                approval: Approval::Given,
                saved: Some(saved.id.clone()),
            };
            match carry_out(run, args, &mesh, terminal).await? {
                Outcome::Over(exit) => Ok(exit),
                // A saved plan is not made anew by applying it.
                Outcome::Stale => Ok(Exit::Error),
            }
        }
        .await;
        mesh.close().await;
        ended
    })
}

/// The command that makes and saves the plan anew.
fn anew(saved: &SavedPlan, reach: &Reach, file: &str) -> String {
    let destroy = match saved.mode {
        Mode::Apply => "",
        Mode::Destroy => "--destroy ",
    };
    let flags = flags(reach, saved.conflicts);
    format!("stolos plan {destroy}{flags}--out {file} {}", saved.topology.path)
}

fn stale_failure(file: &str, mut lines: Vec<String>, anew: &str) -> Failure {
    let more = lines.len().saturating_sub(TOLD);
    lines.truncate(TOLD);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let failure = Failure::new(&PLAN_STALE, format!("{file} is no longer what an apply would do"));
    lines.into_iter().fold(failure, Failure::with_fact).with_help(format!("plan again: {anew}"))
}

/// Why no plan can be made any more, as lines.
fn told(failures: Vec<Failure>) -> Vec<String> {
    let line = |failure: Failure| match failure.facts.is_empty() {
        true => failure.message,
        false => format!("{}: {}", failure.message, failure.facts.join("; ")),
    };
    failures.into_iter().map(line).collect()
}

/// What the topology's files are now; nothing where they are not here, since the plan holds their texts.
fn changed_on_disk(saved: &SavedTopology) -> Result<Vec<String>, Failure> {
    let path = Path::new(&saved.path);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let now: BTreeMap<String, String> =
        texts_at(path)?.into_iter().map(|source| (source.name, source.text)).collect();
    let was: BTreeMap<&str, &str> =
        saved.sources.iter().map(|source| (source.name.as_str(), source.text.as_str())).collect();
    let mut lines = Vec::new();
    for (name, text) in &was {
        match now.get(*name) {
            Some(now) if now == text => {}
            Some(_) => lines.push(format!("{name} was changed")),
            None => lines.push(format!("{name} is gone from the topology")),
        }
    }
    let added = now.keys().filter(|name| !was.contains_key(name.as_str()));
    lines.extend(added.map(|name| format!("{name} was added to the topology")));
    Ok(lines)
}

/// The public files that are others than they were.
fn changed_files(saved: &SavedTopology, now: &BTreeMap<String, String>) -> Vec<String> {
    let changed = now.iter().filter(|(path, digest)| saved.files.get(*path) != Some(digest));
    changed.map(|(path, _)| format!("{path} was changed")).collect()
}

/// The clusters that the plan leaves alone, and why.
fn unknown(saved: &SavedPlan) -> BTreeMap<ClusterName, Failure> {
    let failure = |(name, code, message, facts): (&str, &str, &str, &[String])| {
        let code = codes::codes().find(|known| known.name == code).unwrap_or(&CLUSTER_NOT_READ);
        let failure = Failure::new(code, message);
        (
            ClusterName::from(name),
            facts.iter().fold(failure, |failure, fact| failure.with_fact(fact.as_str())),
        )
    };
    saved.unknown().map(failure).collect()
}

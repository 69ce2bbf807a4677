//! What a plan means for the mesh, in a few sentences.

use std::collections::{BTreeMap, BTreeSet};

use super::steps::is_first;
use crate::compile::Installer;
use crate::diagnostic::{counted, listed};
use crate::graph::UnitKind;
use crate::plan::{Action, Cause, Change, Mode, Part, Plan, Step};
use crate::topology::ClusterName;

/// How many sentences of one sort are written out.
const SHOWN: usize = 8;

/// `Mesh mesh1: 2 clusters, 2 networks, Istio 1.30.3 (embedded charts)`.
pub(super) fn heading(plan: &Plan) -> String {
    format!(
        "Mesh {}: {}, {}, Istio {} ({})",
        plan.mesh.id,
        counted(plan.clusters.len(), "cluster", "clusters"),
        counted(plan.mesh.networks, "network", "networks"),
        plan.mesh.version,
        plan.mesh.charts
    )
}

/// What changes for clusters, gateways and trust; nothing where nothing does.
pub(super) fn sentences(plan: &Plan) -> Vec<String> {
    let mut sentences = match plan.mode {
        Mode::Apply => [
            joins(plan),
            of_others(plan).into_iter().collect(),
            hands_over(plan).into_iter().collect(),
            gateways(plan),
            restarts(plan),
            certificates(plan),
            trust_cut(plan).into_iter().collect(),
            waves(plan).into_iter().collect(),
            drifts(plan),
        ]
        .concat(),
        Mode::Destroy => leaves(plan),
    };
    sentences.extend(estimate(plan));
    sentences.extend(
        plan.unknown.keys().map(|name| format!("{name} could not be read: what it needs is unknown")),
    );
    sentences
}

/// What is only nearly right for want of a right.
fn estimate(plan: &Plan) -> Option<String> {
    let names: Vec<&str> = plan.estimated.iter().map(|name| name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "what differs in {} is an estimate: a dry run would tell exactly, and takes the right to write there",
            listed(names)
        )
    })
}

/// Clusters whose mesh namespace becomes ours.
fn joins(plan: &Plan) -> Vec<String> {
    let is_new = |name: &ClusterName| {
        let step = step_of(plan, name, &UnitKind::Namespace);
        plan.clusters[name].inventory.is_none() && step.is_some_and(is_first)
    };
    let sentence = |name: &ClusterName| {
        let facts = &plan.clusters[name].facts;
        match &facts.primaries {
            None => format!("{name} becomes a primary on {}", facts.network),
            Some(primaries) => {
                let primaries: Vec<&str> = primaries.iter().map(|primary| primary.as_str()).collect();
                format!("{name} joins {} as a remote of {}", facts.network, listed(primaries))
            }
        }
    };
    let new: Vec<&ClusterName> = plan.clusters.keys().filter(|name| is_new(name)).collect();
    let mut sentences: Vec<String> = new.iter().take(SHOWN).map(|name| sentence(name)).collect();
    if new.len() > SHOWN {
        sentences.push(format!("{} more clusters join", new.len() - SHOWN));
    }
    sentences
}

/// Who installs what Stolos does not.
fn of_others(plan: &Plan) -> Option<String> {
    (plan.mesh.installer == Installer::Others).then(|| {
        "base, control planes and gateways are releases of others: Stolos waits for them, and writes the rest"
            .to_owned()
    })
}

/// Clusters in which what was ours is left to others.
fn hands_over(plan: &Plan) -> Option<String> {
    let steps = plan.steps.iter().filter(|step| step.hands_over());
    let names: BTreeSet<&str> = steps.map(|step| step.unit.cluster.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "what Stolos installed in {} is handed over to them: it stays as it is, and nothing of it is deleted",
            listed(names)
        )
    })
}

/// Clusters that get or lose a gateway.
fn gateways(plan: &Plan) -> Vec<String> {
    let with = |wanted: &dyn Fn(&Step) -> bool| -> Vec<&str> {
        let names = plan
            .clusters
            .keys()
            .filter(|name| step_of(plan, name, &UnitKind::EastWestGateway).is_some_and(wanted));
        names.map(|name| name.as_str()).collect()
    };
    let gets = with(&|step| step.desired.is_some() && is_first(step));
    let loses = with(&|step| step.desired.is_none() && !step.hands_over());
    let mut sentences = Vec::new();
    if !gets.is_empty() {
        sentences.push(match gets.len() == plan.clusters.len() && gets.len() > 1 {
            true => "every cluster gets an east-west gateway".to_owned(),
            false => format!(
                "{} {} an east-west gateway",
                listed(gets.iter().copied()),
                verb(&gets, "gets", "get")
            ),
        });
    }
    if !loses.is_empty() {
        let verb = verb(&loses, "loses its east-west gateway", "lose their east-west gateways");
        sentences.push(format!("{} {verb}", listed(loses.iter().copied())));
    }
    sentences
}

/// Workloads whose pods start anew.
fn restarts(plan: &Plan) -> Vec<String> {
    let mut clusters: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for step in &plan.steps {
        for change in step.writes().filter(|change| change.restarts()) {
            let names = clusters.entry(change.object.to_string()).or_default();
            names.push(step.unit.cluster.as_str());
        }
    }
    let sentence = |(object, names): (String, Vec<&str>)| format!("{object} restarts in {}", listed(names));
    clusters.into_iter().map(sentence).collect()
}

/// Clusters whose istiod gets another certificate than it has.
fn certificates(plan: &Plan) -> Vec<String> {
    let reissued: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| step.writes().any(Change::reissues))
        .map(|step| step.unit.cluster.as_str())
        .collect();
    match reissued.is_empty() {
        true => Vec::new(),
        false => {
            vec![format!("the certificate of istiod in {} is issued anew", listed(reissued.iter().copied()))]
        }
    }
}

/// The root of trust becomes another one.
fn trust_cut(plan: &Plan) -> Option<String> {
    (!plan.replaced_roots().is_empty()).then(|| {
        "the root of trust becomes another one: workloads of the old and of the new refuse each other until all \
         have restarted"
            .to_owned()
    })
}

/// In which order what restarts something or cuts traffic goes through the clusters.
fn waves(plan: &Plan) -> Option<String> {
    let names = |wave: &BTreeSet<ClusterName>| {
        wave.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" and ")
    };
    let mut waves: Vec<String> = plan.waves.iter().take(SHOWN).map(names).collect();
    if plan.waves.len() > SHOWN {
        waves.push(format!("{} more", plan.waves.len() - SHOWN));
    }
    (plan.waves.len() > 1).then(|| {
        format!("in {} waves, each healthy before the next: {}", plan.waves.len(), waves.join(", then "))
    })
}

/// Objects that others changed.
fn drifts(plan: &Plan) -> Vec<String> {
    let is_drift = |change: &&Change| matches!(change.cause, Cause::Drift(_));
    match plan.steps.iter().flat_map(Step::writes).filter(is_drift).count() {
        0 => Vec::new(),
        1 => vec!["1 object differs though the topology did not change: it is set right".to_owned()],
        many => vec![format!("{many} objects differ though the topology did not change: they are set right")],
    }
}

/// Clusters that the mesh leaves.
fn leaves(plan: &Plan) -> Vec<String> {
    let leaves = |name: &&ClusterName| {
        plan.steps
            .iter()
            .filter(|step| step.unit.cluster == **name)
            .any(|step| step.writes().next().is_some())
    };
    let left: Vec<&str> = plan.clusters.keys().filter(leaves).map(|name| name.as_str()).collect();
    if left.is_empty() {
        return Vec::new();
    }
    let stays = match plan.mesh.installer {
        Installer::Stolos => "what was there before stays",
        Installer::Others => {
            "what was there before stays, and so do base, control planes and gateways, which others installed"
        }
    };
    vec![format!("the mesh leaves {}: what Stolos made goes, {stays}", listed(left.iter().copied()))]
}

fn step_of<'p>(plan: &'p Plan, cluster: &ClusterName, kind: &UnitKind) -> Option<&'p Step> {
    let is_it = |step: &&Step| step.unit.cluster == *cluster && step.unit.kind == *kind;
    plan.steps.iter().filter(is_it).find(|step| step.part == Part::Unit)
}

fn verb<'v>(names: &[&str], one: &'v str, many: &'v str) -> &'v str {
    if names.len() == 1 { one } else { many }
}

/// `74 to create, 1 to change in 14 steps over 8 stages`.
pub(super) fn totals(plan: &Plan) -> String {
    let counts = plan.counts();
    let parts: Vec<String> = [
        (Action::Create, "to create"),
        (Action::Adopt, "to adopt"),
        (Action::Update, "to change"),
        (Action::Replace, "to make anew"),
        (Action::Delete, "to delete"),
        (Action::Release, "to release"),
        (Action::HandOver, "to hand over"),
        (Action::Keep, "kept"),
    ]
    .into_iter()
    .filter_map(|(action, words)| counts.get(&action).map(|count| format!("{count} {words}")))
    .collect();
    let busy: Vec<&Step> = plan.steps.iter().filter(|step| !step.is_done()).collect();
    let stages: std::collections::BTreeSet<usize> = busy.iter().map(|step| step.stage).collect();
    let what = if parts.is_empty() { "nothing to change".to_owned() } else { parts.join(", ") };
    format!(
        "{what} in {} over {}",
        counted(busy.len(), "step", "steps"),
        counted(stages.len(), "stage", "stages")
    )
}

/// What is said of a plan that has nothing to do.
pub(super) fn no_changes(plan: &Plan) -> String {
    let read = plan.clusters.len() - plan.unknown.len();
    if read == 0 && !plan.unknown.is_empty() {
        return "Nothing could be read, so there is nothing to say of any cluster.".to_owned();
    }
    let clusters = match read {
        1 => "1 cluster is".to_owned(),
        many => format!("{many} clusters are"),
    };
    match (plan.mode, plan.unknown.is_empty()) {
        (Mode::Apply, true) => format!("No changes. {clusters} as the topology asks."),
        (Mode::Apply, false) => format!("No changes in what could be read. {clusters} as the topology asks."),
        (Mode::Destroy, true) => "Nothing to destroy. No cluster holds anything of this mesh.".to_owned(),
        (Mode::Destroy, false) => "Nothing to destroy in what could be read.".to_owned(),
    }
}

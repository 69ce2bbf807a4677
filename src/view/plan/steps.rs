//! One step as a line: what it does, and what it waits for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::paint::Sign;
use super::values::{issued, known_later};
use crate::compile::{Done, Hole, Output, markers_in};
use crate::diagnostic::counted;
use crate::graph::{Unit, UnitKind};
use crate::plan::{Action, Change, Mode, Plan, Step, Unmet};
use crate::view::excerpt::tamed;

/// A step in words.
pub(super) struct StepWords {
    pub(super) sign: Sign,
    /// `16 objects`, `1 of 6 objects`; empty where nothing is sent.
    pub(super) count: String,
    pub(super) detail: String,
    /// What is known only after apply, a line for each.
    pub(super) later: Vec<String>,
}

/// The steps that a plan shows: those with something to do or to say.
pub(super) fn shown_steps(plan: &Plan) -> impl Iterator<Item = &Step> {
    plan.steps.iter().filter(|step| !step.is_done() || shown_changes(step).next().is_some())
}

/// The changes that a plan shows one by one.
pub(super) fn shown_changes(step: &Step) -> impl Iterator<Item = &Change> {
    step.changes.iter().filter(|change| change.action != Action::NoOp)
}

/// Whether a step's objects go without saying: all of them are new.
pub(super) fn is_all_new(step: &Step) -> bool {
    shown_changes(step).all(|change| Sign::of(change) == Sign::Create && change.note.is_none())
}

/// A step in words.
pub(super) fn step_words(step: &Step, plan: &Plan) -> StepWords {
    let shown = shown_changes(step).count();
    let count = match shown {
        0 => String::new(),
        some if some == step.changes.len() => counted(some, "object", "objects"),
        some => format!("{some} of {}", counted(step.changes.len(), "object", "objects")),
    };
    let mut details: Vec<String> = Vec::new();
    if is_first(step) {
        details.extend(profile(step, plan));
    }
    if let Some(waits) = waits(step, plan) {
        details.push(waits);
    }
    if let Some(wave) = step.wave.filter(|_| plan.waves.len() > 1) {
        details.push(format!("wave {wave} of {}", plan.waves.len()));
    }
    if !step.held_by.is_empty() {
        let names: Vec<&str> = step.held_by.iter().map(|name| name.as_str()).collect();
        details.push(format!("held back by {}, which could not be read", names.join(", ")));
    }
    StepWords {
        sign: Sign::of_all(shown_changes(step)),
        count,
        detail: details.join("; "),
        // Where objects are there already, their fields say it.
        later: if is_first(step) { later(step, plan) } else { Vec::new() },
    }
}

/// Whether the unit is not there yet.
pub(super) fn is_first(step: &Step) -> bool {
    let mut changes = step.changes.iter().peekable();
    changes.peek().is_some()
        && changes
            .all(|change| matches!(change.action, Action::Create | Action::Adopt) && change.note.is_none())
}

/// What a new unit is.
fn profile(step: &Step, plan: &Plan) -> Option<String> {
    let cluster = plan.clusters.get(&step.unit.cluster)?;
    match &step.unit.kind {
        UnitKind::ControlPlane if cluster.facts.primaries.is_some() => Some("remote profile".to_owned()),
        UnitKind::Trust if step.open.iter().any(|hole| matches!(hole, Hole::Minted { .. })) => {
            Some(format!("intermediate CA, {}", issued(&plan.root)))
        }
        UnitKind::RemoteSecret(other) => Some(format!("lets istiod here read {other}")),
        UnitKind::Namespace
        | UnitKind::Trust
        | UnitKind::Base
        | UnitKind::Cni
        | UnitKind::ControlPlane
        | UnitKind::EastWestGateway
        | UnitKind::ExposeControlPlane
        | UnitKind::ExposeServices
        | UnitKind::ReaderCredential
        | UnitKind::AppNamespaces => None,
    }
}

/// What a step waits for, once its changes are made; with nothing to change, what it still waits for.
fn waits(step: &Step, plan: &Plan) -> Option<String> {
    if plan.mode == Mode::Destroy {
        return None;
    }
    if let Some(unmet) = told_unmet(step) {
        return Some(format!("waits for {}", tamed(&unmet.what)));
    }
    if !is_first(step) {
        return None;
    }
    match &step.desired.as_ref()?.done {
        Done::Exists => None,
        Done::Established => {
            let kinds =
                step.changes.iter().filter(|change| change.object.kind == "CustomResourceDefinition").count();
            Some(format!("waits for {}", counted(kinds, "CRD", "CRDs")))
        }
        Done::RolledOut { .. } => Some("waits until it runs on every node".to_owned()),
        Done::ControlPlane { .. } => Some("waits for istiod and its webhook".to_owned()),
        Done::Gateway { address: Some(_), .. } => Some("waits for its pods and an address".to_owned()),
        Done::Gateway { address: None, .. } => Some("waits for its pods".to_owned()),
        Done::Installed(awaited) => {
            Some(format!("waits for release {}, which others install", awaited.release))
        }
        Done::Address { .. } => Some("waits for an address".to_owned()),
        Done::Token { .. } => Some("waits for its token".to_owned()),
        Done::Registered { cluster, effects: Some(_) } => {
            Some(format!("waits for its effects in {cluster} and until istiod says synced"))
        }
        Done::Registered { effects: None, .. } => Some("waits until istiod says synced".to_owned()),
    }
}

/// What a step lacks before it begins, where that is worth telling: it does nothing but wait, or others have to
/// do something.
pub(super) fn told_unmet(step: &Step) -> Option<&Unmet> {
    step.unmet.as_ref().filter(|_| step.writes().next().is_none() || step.others_install())
}

/// What is known only after apply: a line for each unit that gives it.
fn later(step: &Step, plan: &Plan) -> Vec<String> {
    let mut by_producer: BTreeMap<Option<Unit>, (Vec<String>, Vec<Hole>)> = BTreeMap::new();
    for hole in step.open.iter().filter(|hole| !matches!(hole, Hole::Minted { .. })) {
        let (names, holes) = by_producer.entry(hole.producer()).or_default();
        let name = name_of(hole, step);
        if !names.contains(&name) {
            names.push(name);
        }
        holes.push(hole.clone());
    }
    let line = |(names, holes): (Vec<String>, Vec<Hole>)| {
        format!("{} = {}", names.join(", "), known_later(&holes, &plan.root))
    };
    by_producer.into_values().map(line).collect()
}

/// What a value is called where it is put: the key of a chart's value, else what it is.
fn name_of(hole: &Hole, step: &Step) -> String {
    let release = step.desired.as_ref().and_then(|unit| unit.content.release.as_ref());
    let key =
        release.and_then(|release| release.values.iter().find_map(|(key, value)| key_of(key, value, hole)));
    key.unwrap_or_else(|| match hole {
        Hole::Observed { output: Output::Address, .. } => "address".to_owned(),
        Hole::Observed { output: Output::Token, .. } => "token".to_owned(),
        Hole::Observed { output: Output::Ca, .. } => "ca".to_owned(),
        Hole::Minted { piece, .. } => piece.to_string(),
        Hole::Context { .. } => "server".to_owned(),
    })
}

fn key_of(key: &str, value: &Value, hole: &Hole) -> Option<String> {
    match value {
        Value::String(text) => markers_in(text).contains(hole).then(|| key.to_owned()),
        Value::Object(map) => map.iter().find_map(|(key, value)| key_of(key, value, hole)),
        Value::Array(items) => items.iter().find_map(|value| key_of(key, value, hole)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

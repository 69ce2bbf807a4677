//! A plan for a program: `stolos.plan/v1`.
//!
//! ```text
//! schema       "stolos.plan/v1"
//! mode         "apply" | "destroy"
//! empty        nothing is to be done; says nothing of clusters in `unknown`
//! incomplete   a cluster could not be read
//! estimated    clusters where what differs is an estimate: no dry run was allowed there
//! mesh         id, namespace, trustDomain, istio, networks
//! root         state ("known" | "new" | "none"), fingerprint?, keeper?
//! clusters     by name: id, network, primaries (null for a primary), known
//! unknown      by name: code, message, facts
//! summary      objects by action (create, adopt, update, replace, delete, release, hand-over, keep,
//!              no-op),
//!              steps, stages, restarts
//! dangers      what must not be missed, in words
//! waves[]      the clusters of each wave of what restarts something or cuts traffic, in order
//! steps[]      those with something to do or to say, in the order of stages:
//!   unit, part ("unit" | "leftovers": what the unit no longer asks for), cluster, stage, wave (from 1; null),
//!   after[] (steps: the unit, with " leftovers" behind it where it is that part), heldBy[],
//!   open[] (holes by their markers' names),
//!   waits (what, facts; null where its condition is met), unchanged (objects),
//!   othersInstall? (release, chart, namespace, values: the file of `compile --values`; with `charts: external`)
//!   changes[]  object (group, kind, namespace, name), action, cause ("topology" | "value" | "drift"),
//!              by (manager, time; null), note, restarts, cutsTraffic, takesFields,
//!              migrates[] (manager, fields: what a client-side applier held is ours alone), fields[]:
//!              path, before, after, by; a value is {"value": …} | {"fingerprint": …} | {"later": [holes]} | null
//! ```
//!
//! Keys are only ever added within v1. There is no clock in it: the same plan is the same bytes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::dangers::dangers;
use super::steps::{shown_changes, shown_steps};
use crate::compile::Done;
use crate::plan::{
    Action, Author, Cause, Change, Conflicts, FieldChange, Migration, Mode, Part, Plan, RootOutlook, Shown,
    Step,
};

/// The whole plan, indented, with a newline at its end.
pub fn json(plan: &Plan) -> String {
    let value = json!({
        "schema": "stolos.plan/v1",
        "mode": match plan.mode {
            Mode::Apply => "apply",
            Mode::Destroy => "destroy",
        },
        "empty": plan.is_empty(),
        "incomplete": plan.is_incomplete(),
        "estimated": plan.estimated.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "mesh": {
            "id": plan.mesh.id,
            "namespace": plan.mesh.namespace,
            "trustDomain": plan.mesh.trust_domain,
            "istio": plan.mesh.version.to_string(),
            "networks": plan.mesh.networks,
        },
        "root": root(&plan.root),
        "clusters": clusters(plan),
        "unknown": unknown(plan),
        "summary": summary(plan),
        "dangers": dangers(plan),
        "waves": plan.waves.iter().map(|wave| wave.iter().map(|name| name.as_str()).collect::<Vec<_>>()).collect::<Vec<_>>(),
        "steps": shown_steps(plan).map(step).collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_string_pretty(&value).expect("a value is always JSON");
    text.push('\n');
    text
}

fn root(root: &RootOutlook) -> Value {
    match root {
        RootOutlook::Known { fingerprint, keeper } => json!({
            "state": "known", "fingerprint": fingerprint, "keeper": keeper.as_ref().map(|name| name.as_str()),
        }),
        RootOutlook::New { keeper } => json!({"state": "new", "keeper": keeper.as_str()}),
        RootOutlook::None => json!({"state": "none"}),
    }
}

fn clusters(plan: &Plan) -> Value {
    let cluster = |(name, cluster): (&crate::topology::ClusterName, &crate::plan::PlannedCluster)| {
        let primaries: Option<Vec<&str>> =
            cluster.facts.primaries.as_ref().map(|names| names.iter().map(|name| name.as_str()).collect());
        let value = json!({
            "id": cluster.facts.id,
            "network": cluster.facts.network.as_str(),
            "primaries": primaries,
            "known": cluster.uid.is_some(),
        });
        (name.as_str().to_owned(), value)
    };
    Value::Object(plan.clusters.iter().map(cluster).collect())
}

fn unknown(plan: &Plan) -> Value {
    let entries = plan.unknown.iter().map(|(name, failure)| {
        let value = json!({"code": failure.code.name, "message": failure.message, "facts": failure.facts});
        (name.as_str().to_owned(), value)
    });
    Value::Object(entries.collect())
}

fn summary(plan: &Plan) -> Value {
    let counts = plan.counts();
    let mut summary: Map<String, Value> = [
        Action::Create,
        Action::Adopt,
        Action::Update,
        Action::Replace,
        Action::Delete,
        Action::Release,
        Action::HandOver,
        Action::Keep,
        Action::NoOp,
    ]
    .into_iter()
    .map(|action| (action.as_str().to_owned(), counts.get(&action).copied().unwrap_or(0).into()))
    .collect();
    let busy: Vec<&Step> = plan.steps.iter().filter(|step| !step.is_done()).collect();
    let stages: BTreeSet<usize> = busy.iter().map(|step| step.stage).collect();
    let restarts = busy.iter().flat_map(|step| step.writes()).filter(|change| change.restarts()).count();
    summary.insert("steps".to_owned(), busy.len().into());
    summary.insert("stages".to_owned(), stages.len().into());
    summary.insert("restarts".to_owned(), restarts.into());
    Value::Object(summary)
}

fn step(step: &Step) -> Value {
    let mut value = json!({
        "unit": step.unit.to_string(),
        "part": match step.part {
            Part::Unit => "unit",
            Part::Leftovers => "leftovers",
        },
        "cluster": step.unit.cluster.as_str(),
        "stage": step.stage,
        "wave": step.wave,
        "after": step.after.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "heldBy": step.held_by.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "open": step.open.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "waits": step.unmet.as_ref().map(|unmet| json!({"what": unmet.what, "facts": unmet.facts})),
        "unchanged": step.changes.iter().filter(|change| change.action == Action::NoOp).count(),
        "changes": shown_changes(step).map(change).collect::<Vec<_>>(),
    });
    if let Some(theirs) = awaited(step) {
        value["othersInstall"] = theirs;
    }
    value
}

/// The release of a step that others install.
fn awaited(step: &Step) -> Option<Value> {
    let desired = step.desired.as_ref()?;
    let Done::Installed(awaited) = &desired.done else { return None };
    let release = desired.content.release.as_ref()?;
    Some(json!({
        "release": awaited.release,
        "chart": release.chart.as_str(),
        "namespace": release.namespace,
        "values": awaited.values,
    }))
}

fn change(change: &Change) -> Value {
    let (cause, by) = match &change.cause {
        Cause::Topology => ("topology", None),
        Cause::Value => ("value", None),
        Cause::Drift(by) => ("drift", by.as_ref()),
    };
    json!({
        "object": {
            "group": change.object.group,
            "kind": change.object.kind,
            "namespace": change.object.namespace,
            "name": change.object.name,
        },
        "action": change.action.as_str(),
        "cause": cause,
        "by": by.map(author),
        "note": change.note,
        "restarts": change.restarts(),
        "cutsTraffic": change.cuts_traffic(),
        "takesFields": change.conflicts == Conflicts::Force,
        "migrates": change.migrated.iter().map(migration).collect::<Vec<_>>(),
        "fields": change.fields.iter().map(field).collect::<Vec<_>>(),
    })
}

fn migration(migration: &Migration) -> Value {
    json!({"manager": migration.manager, "fields": migration.fields})
}

fn field(field: &FieldChange) -> Value {
    json!({
        "path": field.path,
        "before": field.before.as_ref().map(shown),
        "after": field.after.as_ref().map(shown),
        "by": field.by.as_ref().map(author),
    })
}

fn author(author: &Author) -> Value {
    json!({"manager": author.manager, "time": author.time})
}

fn shown(shown: &Shown) -> Value {
    match shown {
        Shown::Value(value) => json!({"value": value}),
        Shown::Fingerprint(fingerprint) => json!({"fingerprint": fingerprint}),
        Shown::Later(holes) => json!({"later": holes.iter().map(ToString::to_string).collect::<Vec<_>>()}),
    }
}

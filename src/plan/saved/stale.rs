//! Whether a saved plan is still what would be done.

use std::collections::{BTreeMap, BTreeSet};

use super::binding::{bound_change, full_name};
use super::seal::Sealer;
use super::{Binding, BoundChange, BoundCluster, SavedPlan};
use crate::diagnostic::{Failure, listed};
use crate::plan::{Action, Change, Conflicts, Live, Plan, codes};
use crate::topology::ClusterName;

/// How many fields of one object are named.
const FIELDS: usize = 5;

/// What is different now from what a saved plan was made from, a line each: cluster, object and fields. Empty where
/// `plan`, made anew from `live`, does what the saved one says.
pub fn stale(saved: &SavedPlan, plan: &Plan, live: &Live) -> Vec<String> {
    let now = Binding::of(plan, live, &saved.salt);
    let was = &saved.binding;
    let mut lines = clusters(saved, &now, plan);
    // Of another cluster, all there is to say is that it is another.
    if !lines.is_empty() {
        return lines;
    }
    if was.root != now.root {
        lines.push(format!("the root of trust was {}, and is {} now", was.root, now.root));
    }
    for (hole, value) in &was.values {
        match now.values.get(hole) {
            Some(now) if now == value => {}
            Some(_) => lines.push(format!("{hole} is another now")),
            None if fills(plan, hole) => lines.push(format!("{hole} is no longer known")),
            None => {}
        }
    }
    let mut changes = changes_by_object(plan);
    for was in &saved.binding.changes {
        let now = changes.remove(&(was.cluster.as_str(), was.object.clone()));
        lines.extend(object(was, now, live, &saved.salt));
    }
    for ((cluster, name), change) in changes {
        if change.action != Action::NoOp {
            lines.push(format!("{cluster}: {name} {}", unforeseen(change)));
        }
    }
    lines.extend(inventories(was, &now));
    lines
}

/// Why a saved plan cannot be applied: an inventory says that it was.
pub fn used(saved: &SavedPlan, live: &Live) -> Option<Failure> {
    let by: Vec<&str> = saved
        .binding
        .clusters
        .keys()
        .filter(|name| {
            let inventory = live
                .cluster(&ClusterName::from(name.as_str()))
                .and_then(|cluster| cluster.inventory.as_ref());
            inventory.is_some_and(|inventory| inventory.plans.contains(&saved.id))
        })
        .map(String::as_str)
        .collect();
    if by.is_empty() {
        return None;
    }
    let message = "this plan was applied before, and a plan is applied once";
    Some(Failure::new(&codes::PLAN_USED, message).with_fact(format!("recorded in {}", listed(by))))
}

/// Clusters that are others than they were, or of which less is known.
fn clusters(saved: &SavedPlan, now: &Binding, plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, was) in &saved.binding.clusters {
        match (was, now.clusters.get(name)) {
            (BoundCluster::Read { uid, .. }, Some(BoundCluster::Read { uid: now, .. })) => {
                if uid != now {
                    let through = saved.reach.contexts.get(name);
                    let through = through.map(|context| format!("context {context} reaches "));
                    let through = through.unwrap_or_default();
                    lines.push(format!("{name}: {through}another cluster than the plan was made for"));
                }
            }
            (BoundCluster::Read { .. }, Some(BoundCluster::Unknown { message, .. })) => {
                lines.push(format!("{name} cannot be read now: {message}"));
            }
            (BoundCluster::Unknown { .. }, Some(_)) => {}
            (_, None) => lines.push(format!("{name} is no longer a cluster of the mesh")),
        }
    }
    let strangers = plan.clusters.keys().filter(|name| !saved.binding.clusters.contains_key(name.as_str()));
    lines.extend(strangers.map(|name| format!("{name} is a cluster of the mesh now")));
    lines
}

/// Inventories that somebody wrote meanwhile.
fn inventories(was: &Binding, now: &Binding) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, was) in &was.clusters {
        if let (BoundCluster::Read { inventory: was, .. }, Some(BoundCluster::Read { inventory: now, .. })) =
            (was, now.clusters.get(name))
            && was != now
        {
            lines.push(match (was, now) {
                (Some(_), Some(_)) => format!("{name}: another apply has written the inventory since"),
                (None, _) => format!("{name} has an inventory now: another apply was there"),
                (Some(_), None) => format!("{name} has no inventory any more"),
            });
        }
    }
    lines
}

/// Whether a step of the plan that sends something puts a value of this hole into its objects.
fn fills(plan: &Plan, hole: &str) -> bool {
    let busy = plan.steps.iter().filter(|step| step.writes().next().is_some());
    busy.filter_map(|step| step.desired.as_ref())
        .any(|unit| unit.holes().iter().any(|other| other.to_string() == hole))
}

fn changes_by_object(plan: &Plan) -> BTreeMap<(&str, String), &Change> {
    let mut changes = BTreeMap::new();
    for step in &plan.steps {
        for change in &step.changes {
            changes.insert((step.unit.cluster.as_str(), full_name(&change.object)), change);
        }
    }
    changes
}

/// What is different about one object that the plan changes or keeps.
fn object(was: &BoundChange, now: Option<&Change>, live: &Live, salt: &str) -> Option<String> {
    let name = format!("{}: {}", was.cluster, was.object);
    let cluster_name = ClusterName::from(was.cluster.as_str());
    let cluster = live.cluster(&cluster_name)?;
    let Some(change) = now else { return Some(format!("{name} is gone")) };
    let sealer = Sealer::new(salt, &cluster.uid);
    let now = bound_change(&cluster_name, change, cluster, &sealer);
    // What was on its way out may be gone by now: it is made anew all the same.
    let is_made = (was.action, now.action) == (Action::Create, Action::Create);
    if was.uid != now.uid && !is_made {
        return Some(match (&was.uid, &now.uid) {
            (None, _) => format!("{name} exists by now"),
            (Some(_), None) => format!("{name} is gone"),
            (Some(_), Some(_)) => format!("{name} was deleted and made anew"),
        });
    }
    let fields = fields(was, &now);
    if !fields.is_empty() && !is_made {
        return Some(format!("{name}: {fields}"));
    }
    // A server that was not asked when the plan was made may say now that nothing would come of it.
    let comes_to_nothing = was.action == Action::Update && now.action == Action::NoOp;
    if was.action != now.action && !comes_to_nothing {
        let why = change.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        return Some(format!(
            "{name}: to {} instead of to {}{why}",
            now.action.as_str(),
            was.action.as_str()
        ));
    }
    if was.kept != now.kept {
        return Some(format!("{name} {}", change.note.as_deref().unwrap_or("is kept for another reason")));
    }
    if was.desired != now.desired {
        return Some(format!("{name}: something else is asked for"));
    }
    if was.conflicts == Conflicts::Refuse && now.conflicts == Conflicts::Force {
        return Some(format!("{name}: fields would be taken from another tool"));
    }
    None
}

/// The compared fields that differ: `spec.replicas has another value; spec.type is held by stolos and helm`.
fn fields(was: &BoundChange, now: &BoundChange) -> String {
    let paths: BTreeSet<&String> = was.fields.keys().chain(now.fields.keys()).collect();
    let mut lines = Vec::new();
    for path in paths {
        let (value, holders) = parts(was.fields.get(path));
        let (value_now, holders_now) = parts(now.fields.get(path));
        if value != value_now {
            lines.push(format!("{path} has another value"));
        } else if holders != holders_now {
            lines.push(match holders_now {
                "" => format!("{path} is held by nobody"),
                holders => format!("{path} is held by {}", listed(holders.split(' '))),
            });
        }
    }
    let more = lines.len().saturating_sub(FIELDS);
    lines.truncate(FIELDS);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("; ")
}

/// The seal of a field's value, and its holders. A field that is not compared is as one without a value and holders.
fn parts(field: Option<&String>) -> (&str, &str) {
    field.and_then(|field| field.split_once(' ')).unwrap_or(("nothing", ""))
}

/// What a change means that the saved plan does not have: its object was as it should be.
fn unforeseen(change: &Change) -> String {
    let paths: Vec<&str> = change.fields.iter().map(|field| field.path.as_str()).collect();
    match change.action {
        Action::Create if change.uid.is_some() => "is being deleted".to_owned(),
        Action::Create => "is gone".to_owned(),
        Action::Adopt | Action::Update | Action::Replace if !paths.is_empty() => {
            format!("was changed: {}", listed(paths))
        }
        Action::Adopt
        | Action::Update
        | Action::Replace
        | Action::Delete
        | Action::Release
        | Action::HandOver
        | Action::Keep
        | Action::NoOp => {
            let why = change.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            format!("is to {} now{why}", change.action.as_str())
        }
    }
}

//! What a reviewer must not miss: what is deleted, restarts, is cut, issued anew or taken from others.

use super::changes::taken;
use super::sentences::is_reissue;
use crate::diagnostic::{counted, listed};
use crate::plan::{Action, Change, Mode, Plan, Step};
use crate::view::excerpt::tamed;

/// One line for each thing that could hurt; the worst first.
pub(super) fn dangers(plan: &Plan) -> Vec<String> {
    let mut dangers = Vec::new();
    for name in plan.clusters.keys() {
        let changes: Vec<&Change> = plan
            .steps
            .iter()
            .filter(|step| step.unit.cluster == *name)
            .flat_map(|step| &step.changes)
            .collect();
        let of = |wanted: &dyn Fn(&Change) -> bool| -> Vec<String> {
            let chosen = changes.iter().filter(|change| wanted(change));
            chosen.map(|change| tamed(&change.object.to_string()).into_owned()).collect()
        };
        let mut tell = |verb: &str, objects: Vec<String>, why: &str| {
            if !objects.is_empty() {
                let names = listed(objects.iter().map(String::as_str));
                let objects = counted(objects.len(), "object", "objects");
                dangers.push(format!("{name}: {verb} {objects}{why}: {names}"));
            }
        };
        tell("deletes", of(&|change| change.action == Action::Delete), "");
        tell("deletes and makes anew", of(&|change| change.action == Action::Replace), "");
        tell("restarts the pods of", of(&Change::restarts), "");
        tell("cuts traffic through", of(&cuts_traffic), "");
        tell("gives up", of(&|change| change.action == Action::Release && plan.mode == Mode::Apply), "");
        for change in &changes {
            let object = tamed(&change.object.to_string()).into_owned();
            if is_reissue(change) {
                let why = change.note.as_deref().map(|note| format!(": {}", tamed(note))).unwrap_or_default();
                dangers.push(format!("{name}: issues the certificate in {object} anew{why}"));
            }
            if let Some(taken) = taken(change) {
                dangers.push(format!("{name}: {taken} in {object}"));
            }
            if change.action == Action::Keep {
                let why = change.note.as_deref().unwrap_or("stays");
                dangers.push(format!("{name}: {object} {}", tamed(why)));
            }
        }
    }
    for (name, failure) in &plan.unknown {
        dangers.push(format!("{name} could not be read: {}", tamed(&failure.message)));
    }
    dangers
}

/// Whether connections through an object break: the way in is not there for a while.
pub(super) fn cuts_traffic(change: &Change) -> bool {
    matches!(change.action, Action::Delete | Action::Replace)
        && matches!(change.object.kind.as_str(), "Service" | "Gateway" | "VirtualService" | "EndpointSlice")
}

/// `Nothing restarts, nothing is deleted.`, or how much does.
pub(super) fn verdict(plan: &Plan) -> String {
    let count = |wanted: &dyn Fn(&Change) -> bool| {
        plan.steps.iter().flat_map(Step::writes).filter(|change| wanted(change)).count()
    };
    let restarts = count(&Change::restarts);
    let deleted = count(&|change| matches!(change.action, Action::Delete | Action::Replace));
    let restarts = match restarts {
        0 => "Nothing restarts".to_owned(),
        1 => "1 workload restarts".to_owned(),
        many => format!("{many} workloads restart"),
    };
    match deleted {
        0 => format!("{restarts}, nothing is deleted."),
        1 => format!("{restarts}, 1 object is deleted."),
        many => format!("{restarts}, {many} objects are deleted."),
    }
}

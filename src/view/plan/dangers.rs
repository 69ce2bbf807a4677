//! What a reviewer must not miss: what is deleted, restarts, is cut, issued anew or taken from others.

use super::changes::taken;
use crate::diagnostic::{counted, listed};
use crate::plan::{Action, Change, Mode, Plan, Step};
use crate::view::excerpt::tamed;

/// One line for each thing that could hurt; the worst first.
pub(super) fn dangers(plan: &Plan) -> Vec<String> {
    let mut dangers: Vec<String> = trust_cut(plan).into_iter().collect();
    for name in plan.clusters.keys() {
        let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.unit.cluster == *name).collect();
        let changes: Vec<&Change> = steps.iter().flat_map(|step| &step.changes).collect();
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
        tell("restarts the pods of", of(&|change| change.restarts() && !change.restarts_agents()), "");
        let begin_late =
            ", node by node: pods that begin there meanwhile are tried again, those that run go on";
        tell("restarts the node agent of", of(&Change::restarts_agents), begin_late);
        tell("cuts traffic through", of(&Change::cuts_traffic), "");
        tell("has istiod drop a cluster and read it anew by", of(&Change::reregisters), "");
        tell("gives up", of(&|change| change.action == Action::Release && plan.mode == Mode::Apply), "");
        tell(
            "hands over",
            of(&|change| change.action == Action::HandOver),
            " to whoever installs the releases from now on",
        );
        if plan.mode == Mode::Apply
            && let Some(policy) = steps.iter().find_map(|step| step.refuses_plain_text())
        {
            let policy = tamed(&policy.object.to_string()).into_owned();
            dangers.push(format!(
                "{name}: refuses plain text from now on, also of workloads without a sidecar: {policy}"
            ));
        }
        if changes.iter().any(|change| change.moves_network()) {
            dangers.push(format!(
                "{name}: moves to another network at once, its pods only when they restart: until then traffic to them may fail"
            ));
        }
        if changes.iter().any(|change| change.moves_gateways()) {
            dangers.push(format!(
                "{name}: its workloads leave a gateway that they use for another network at once: those that are declared must answer"
            ));
        }
        if changes.iter().any(|change| change.moves_trust_domain()) {
            dangers.push(format!(
                "{name}: the trust domain becomes another one: policies and peers that name the old one refuse workloads as they restart"
            ));
        }
        for change in &changes {
            let object = tamed(&change.object.to_string()).into_owned();
            if change.reissues() {
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

/// The root becomes another one: the worst that can happen to a mesh that runs.
fn trust_cut(plan: &Plan) -> Option<String> {
    if plan.mode == Mode::Destroy {
        return None;
    }
    let names: Vec<&str> = plan.replaced_roots().into_iter().map(|name| name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{}: the root of trust becomes another one: workloads whose certificates go back to the old root and \
             those of the new one refuse each other until all of them have restarted",
            listed(names)
        )
    })
}

/// `Nothing restarts, nothing is deleted.`, or how much does.
pub(super) fn verdict(plan: &Plan) -> String {
    let count = |wanted: &dyn Fn(&Change) -> bool| {
        plan.steps.iter().flat_map(Step::writes).filter(|change| wanted(change)).count()
    };
    let agents = count(&Change::restarts_agents);
    let restarts = count(&Change::restarts) - agents;
    let deleted = count(&|change| matches!(change.action, Action::Delete | Action::Replace));
    let restarts = match restarts {
        0 => "Nothing restarts".to_owned(),
        1 => "1 workload restarts".to_owned(),
        many => format!("{many} workloads restart"),
    };
    let restarts = match agents {
        0 => restarts,
        agents => format!(
            "{restarts}, {} {}",
            counted(agents, "node agent", "node agents"),
            if agents == 1 { "does" } else { "do" }
        ),
    };
    match deleted {
        0 => format!("{restarts}, nothing is deleted."),
        1 => format!("{restarts}, 1 object is deleted."),
        many => format!("{restarts}, {many} objects are deleted."),
    }
}

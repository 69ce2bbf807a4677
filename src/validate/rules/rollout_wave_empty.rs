//! A wave of `rollout` without a cluster, or no wave at all.

use super::*;

static CODE: Code = Code {
    name: "rollout-wave-empty",
    summary: "a wave of the rollout names no cluster",
    page: include_str!("../pages/rollout-wave-empty.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    let Some(rollout) = &topology.rollout else { return };
    let help = "name its clusters, or leave it out: clusters that no wave names come last, one at a time.";
    let mut report = |span, label| found.push(Diagnostic::error(&CODE, span, label).with_help(help));
    if rollout.value.is_empty() {
        report(rollout.span, "there is no wave");
    }
    for wave in rollout.value.iter().filter(|wave| wave.value.is_empty()) {
        report(wave.span, "nothing is in this wave");
    }
}

//! A plan for a person at a terminal.

use std::collections::BTreeSet;

use super::changes::changes_lines;
use super::dangers::verdict;
use super::paint::{painted, strong};
use super::sentences::{heading, no_changes, sentences, totals};
use super::steps::{StepWords, is_all_new, shown_changes, shown_steps, step_words, told_unmet};
use crate::graph::Unit;
use crate::plan::{Mode, Plan, Step};
use crate::view::diagnostics::Look;
use crate::view::excerpt::tamed;

/// How wide the column of units is at least.
const NAME_WIDTH: usize = 24;

/// The whole plan; the command to run next is the caller's to name.
pub fn text(plan: &Plan, look: Look) -> String {
    let mut text = strong(&heading(plan), look);
    text.push_str("\n\n");
    for (name, failure) in &plan.unknown {
        text.push_str(&format!("  ? {name} could not be read: {}\n", tamed(&failure.message)));
        let help = failure.help.iter();
        text.extend(failure.facts.iter().chain(help).map(|line| format!("      {}\n", tamed(line))));
    }
    if !plan.unknown.is_empty() {
        text.push('\n');
    }
    let shown: Vec<&Step> = shown_steps(plan).collect();
    if shown.is_empty() {
        text.push_str(&no_changes(plan));
        text.push('\n');
        return text;
    }
    // What could not be read stands above already.
    let sentences: Vec<String> =
        sentences(plan).into_iter().filter(|line| !line.contains("could not be read")).collect();
    if !sentences.is_empty() {
        text.extend(sentences.iter().map(|sentence| format!("  {sentence}\n")));
        text.push('\n');
    }
    text.push_str(&stages(plan, &shown, look));
    text.push_str(&unchanged(plan, &shown));
    if plan.is_empty() {
        text.push_str(&format!("\n{}\n", no_changes(plan)));
    } else {
        let plan_line = format!("Plan: {}. {}", totals(plan), verdict(plan));
        let gap = if text.ends_with("be.\n") { "" } else { "\n" };
        text.push_str(&format!("{gap}{}\n", strong(&plan_line, look)));
    }
    text
}

/// How many units are not worth a line.
fn unchanged(plan: &Plan, shown: &[&Step]) -> String {
    let units = |steps: &mut dyn Iterator<Item = &Step>| -> BTreeSet<Unit> {
        steps.map(|step| step.unit.clone()).collect()
    };
    let shown = units(&mut shown.iter().copied());
    match (plan.mode, units(&mut plan.steps.iter()).difference(&shown).count()) {
        (Mode::Destroy, _) | (Mode::Apply, 0) => String::new(),
        (Mode::Apply, 1) => "\n1 other unit is as it should be.\n".to_owned(),
        (Mode::Apply, many) => format!("\n{many} other units are as they should be.\n"),
    }
}

/// The steps under their stages.
fn stages(plan: &Plan, shown: &[&Step], look: Look) -> String {
    let words: Vec<(&Step, StepWords)> = shown.iter().map(|step| (*step, step_words(step, plan))).collect();
    let name_width =
        words.iter().map(|(step, _)| step.id().to_string().len()).max().unwrap_or(0).max(NAME_WIDTH);
    let count_width = words.iter().map(|(_, words)| words.count.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut stage = 0;
    for (step, words) in &words {
        if step.stage != stage {
            stage = step.stage;
            text.push_str(&format!("stage {stage}\n"));
        }
        let head = format!("{} {:name_width$}", words.sign.character(), step.id().to_string());
        let line = format!(
            "  {}  {:>count_width$}    {}",
            painted(&head, words.sign, look),
            words.count,
            words.detail
        );
        text.push_str(line.trim_end());
        text.push('\n');
        for line in &words.later {
            text.push_str(&format!("      {line}\n"));
        }
        if !is_all_new(step) {
            for line in changes_lines(shown_changes(step), plan, look) {
                text.push_str(&format!("      {line}\n"));
            }
        }
        // A step that waits says what for, and what it would take.
        if let Some(unmet) = told_unmet(step) {
            text.extend(unmet.facts.iter().map(|fact| format!("      {}\n", tamed(fact))));
        }
    }
    text
}

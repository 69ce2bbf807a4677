//! A plan for a pull request: the verdict first, then what must not be missed, then the rest, folded.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::changes::{change_lines, changes_lines};
use super::dangers::{dangers, verdict};
use super::sentences::{heading, no_changes, sentences, totals};
use super::steps::{is_all_new, shown_changes, shown_steps, step_words, told_unmet};
use crate::diagnostic::counted;
use crate::plan::{Mode, Part, Plan, Step, StepId};
use crate::topology::ClusterName;
use crate::view::diagnostics::{Colours, Look};
use crate::view::excerpt::tamed;

/// How much a comment may hold; GitHub takes 65,536 characters.
const ROOM: usize = 60_000;

/// How many steps a graph may have to be readable.
const GRAPH_STEPS: usize = 60;

/// How many steps a table lists.
const TABLE_STEPS: usize = 120;

/// The whole plan as a comment.
pub fn markdown(plan: &Plan) -> String {
    let shown: Vec<&Step> = shown_steps(plan).collect();
    let mut text = match plan.is_empty() {
        true => format!("## {}\n", no_changes(plan)),
        false => {
            let verb = match plan.mode {
                Mode::Apply => "Plan",
                Mode::Destroy => "Destroy",
            };
            format!("## {verb}: {}. {}\n", totals(plan), verdict(plan))
        }
    };
    let dangers = dangers(plan);
    if !dangers.is_empty() {
        text.push_str("\n> [!CAUTION]\n");
        text.extend(dangers.iter().map(|danger| format!("> - {}\n", prose(danger))));
    }
    writeln!(text, "\n{}", prose(&heading(plan))).expect("a String takes all");
    let sentences = sentences(plan);
    if !sentences.is_empty() {
        text.push('\n');
        text.extend(sentences.iter().map(|sentence| format!("- {}\n", prose(sentence))));
    }
    if shown.is_empty() {
        return text;
    }
    text.push_str(&table(plan, &shown));
    text.push_str(&graph(&shown));
    let mut left_out = 0;
    for name in plan.clusters.keys() {
        let block = block(plan, name, &shown);
        if text.len() + block.len() > ROOM {
            left_out += usize::from(!block.is_empty());
        } else {
            text.push_str(&block);
        }
    }
    if left_out > 0 {
        let clusters = counted(left_out, "cluster is", "clusters are");
        writeln!(text, "\n{clusters} left out here: `stolos plan` shows all.").expect("a String takes all");
    }
    text
}

/// Every step in one row, by stage.
fn table(plan: &Plan, shown: &[&Step]) -> String {
    let mut text = String::from("\n| stage | | step | objects | |\n|--:|---|---|--:|---|\n");
    for step in shown.iter().take(TABLE_STEPS) {
        let words = step_words(step, plan);
        let details: Vec<String> =
            [words.detail].into_iter().chain(words.later).filter(|detail| !detail.is_empty()).collect();
        writeln!(
            text,
            "| {} | `{}` | {} | {} | {} |",
            step.stage,
            words.sign.character(),
            prose(&step.id().to_string()),
            words.count.split(" object").next().unwrap_or_default(),
            cell(&details.join("; ")),
        )
        .expect("a String takes all");
    }
    if shown.len() > TABLE_STEPS {
        let more = counted(shown.len() - TABLE_STEPS, "more step", "more steps");
        writeln!(text, "| | | {more} | | |").expect("a String takes all");
    }
    let signs: BTreeSet<_> = shown.iter().map(|step| step_words(step, plan).sign).collect();
    let legend: Vec<String> =
        signs.iter().map(|sign| format!("`{}` {}", sign.character(), sign.meaning())).collect();
    writeln!(text, "\n{}", legend.join(", ")).expect("a String takes all");
    text
}

/// What changes, and what waits for what.
fn graph(shown: &[&Step]) -> String {
    if shown.len() > GRAPH_STEPS || shown.len() < 2 {
        return String::new();
    }
    let mut text = String::from("\n```mermaid\nflowchart LR\n");
    let clusters: BTreeSet<&ClusterName> = shown.iter().map(|step| &step.unit.cluster).collect();
    for cluster in clusters {
        writeln!(text, "  subgraph {cluster}").expect("a String takes all");
        for step in shown.iter().filter(|step| step.unit.cluster == *cluster) {
            writeln!(text, "    {}[{}]", node(&step.id()), kind_words(step)).expect("a String takes all");
        }
        text.push_str("  end\n");
    }
    let steps: BTreeSet<StepId> = shown.iter().map(|step| step.id()).collect();
    for step in shown {
        for first in step.after.iter().filter(|first| steps.contains(first)) {
            writeln!(text, "  {} --> {}", node(first), node(&step.id())).expect("a String takes all");
        }
    }
    text.push_str("```\n");
    text
}

/// A step's name without the characters that Mermaid takes for its own.
fn node(step: &StepId) -> String {
    step.to_string().replace(['/', ' '], "__")
}

/// A step's name where its cluster goes without saying.
fn kind_words(step: &Step) -> String {
    match step.part {
        Part::Unit => step.unit.kind.to_string(),
        Part::Leftovers => format!("{} leftovers", step.unit.kind),
    }
}

/// What changes in one cluster, folded.
fn block(plan: &Plan, name: &ClusterName, shown: &[&Step]) -> String {
    let steps: Vec<&&Step> = shown.iter().filter(|step| step.unit.cluster == *name).collect();
    if steps.is_empty() {
        return String::new();
    }
    let plain = Look { colours: Colours::Off, columns: 120 };
    let mut lines: Vec<String> = Vec::new();
    let mut objects = 0;
    for step in &steps {
        let words = step_words(step, plan);
        objects += shown_changes(step).count();
        lines.push(
            format!("{} {}  {}", words.sign.character(), kind_words(step), words.detail)
                .trim_end()
                .to_owned(),
        );
        lines.extend(words.later.iter().map(|line| format!("    {line}")));
        let told = match is_all_new(step) {
            // A new object goes without fields: its name is all there is to say.
            true => shown_changes(step)
                .filter_map(|change| change_lines(change, plan, plain).into_iter().next())
                .collect(),
            false => changes_lines(shown_changes(step), plan, plain),
        };
        lines.extend(told.into_iter().map(|line| format!("    {line}")));
        if let Some(unmet) = told_unmet(step) {
            lines.extend(unmet.facts.iter().map(|fact| format!("    {}", tamed(fact))));
        }
    }
    let fence = fence(&lines);
    format!(
        "\n<details><summary>{name}: {}, {}</summary>\n\n{fence}\n{}\n{fence}\n\n</details>\n",
        counted(steps.len(), "step", "steps"),
        counted(objects, "object", "objects"),
        lines.join("\n")
    )
}

/// A fence that no line of a block can end.
fn fence(lines: &[String]) -> String {
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Words in which nothing is taken for markup.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' => {
                prose.push('\\');
                prose.push(c);
            }
            // A mention would call somebody.
            '@' => prose.push_str("@\u{200b}"),
            '\n' => prose.push(' '),
            c => prose.push(c),
        }
    }
    prose
}

fn cell(text: &str) -> String {
    prose(text)
}

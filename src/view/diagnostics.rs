//! Findings and failures as a person reads them, and findings as a machine does.
//!
//! The one place that knows miette: its graphical handler draws the excerpts,
//! and the lines around them are written here.

use std::collections::BTreeSet;
use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, ThemeCharacters, ThemeStyles};
use serde_json::{Value, json};

use super::excerpt::{Excerpt, tamed};
use crate::diagnostic::{Code, Diagnostic, Failure, Label, Severity, counted};
use crate::document::{SourceId, Sources, Span};

/// How many findings are drawn; more than these nobody reads at once.
const DRAWN: usize = 50;

/// How many lines apart two labels are still drawn in one excerpt.
const NEAR: usize = 3;

/// What the words are put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether colours help.
    pub colours: Colours,
    /// How many columns there are.
    pub columns: usize,
}

/// Whether colours are used; without them nothing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// None: a file, a pipe, `NO_COLOR`.
    Off,
    /// Those of the terminal.
    On,
}

/// Every finding with its place, and how many there are of each severity.
///
/// `about` is what the last line says they are in. Nothing is written for none.
pub fn findings(sources: &Sources, found: &[Diagnostic], about: &str, look: Look) -> String {
    if found.is_empty() {
        return String::new();
    }
    let excerpts = excerpts(sources);
    let mut text = String::new();
    let mut explained = BTreeSet::new();
    for finding in found.iter().take(DRAWN) {
        text.push_str(&heading(finding.severity, finding.code, finding.code.summary, look));
        let pointer = explained.insert(finding.code.name);
        let help = help_of(finding.help.as_deref(), pointer.then_some(finding.code), look);
        text.push_str(&drawn(finding, &excerpts, help, look));
        text.push('\n');
    }
    if found.len() > DRAWN {
        text.push_str(&format!("and {} more\n", found.len() - DRAWN));
    }
    text.push_str(&format!("{} in {about}\n", tally(found)));
    text
}

/// How many of each severity: `2 errors, 1 warning`.
pub fn tally(found: &[Diagnostic]) -> String {
    let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let errors = count(Severity::Error);
    let warnings = count(Severity::Warning);
    match (errors, warnings) {
        (_, 0) => counted(errors, "error", "errors"),
        (0, _) => counted(warnings, "warning", "warnings"),
        _ => format!("{}, {}", counted(errors, "error", "errors"), counted(warnings, "warning", "warnings")),
    }
}

/// A failed operation: what failed, what is known of it, what to do.
pub fn failure(failure: &Failure, look: Look) -> String {
    let mut text = heading(Severity::Error, failure.code, &failure.message, look);
    for fact in &failure.facts {
        for line in tamed(fact).lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    let report = Report {
        labels: Vec::new(),
        excerpt: None,
        help: help_of(failure.help.as_deref(), Some(failure.code), look),
    };
    text.push_str(&report.drawn(look));
    text
}

/// Findings for a machine: one object each, places counted from 1.
pub fn findings_json(sources: &Sources, found: &[Diagnostic]) -> Value {
    let excerpts = excerpts(sources);
    let place = |label: &Label| {
        let excerpt = &excerpts[label.span.source.0 as usize];
        let (line, column) = excerpt.place(label.span.start as usize);
        let (end_line, end_column) = excerpt.place(label.span.end as usize);
        json!({
            "file": sources.get(label.span.source).name, "line": line, "column": column,
            "endLine": end_line, "endColumn": end_column, "text": label.text,
        })
    };
    found
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code.name,
                "severity": word(finding.severity),
                "summary": finding.code.summary,
                "place": place(&finding.primary),
                "related": finding.secondary.iter().map(place).collect::<Vec<_>>(),
                "help": finding.help,
            })
        })
        .collect()
}

fn excerpts(sources: &Sources) -> Vec<Excerpt<'_>> {
    sources.iter().map(|(_, source)| Excerpt::new(&source.name, &source.text)).collect()
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn heading(severity: Severity, code: &Code, message: &str, look: Look) -> String {
    let word = word(severity);
    let message = tamed(message);
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default();
    let mut text = match (look.colours, severity) {
        (Colours::Off, _) => format!("{word}[{}]: {first}\n", code.name),
        (Colours::On, Severity::Error) => format!("\u{1b}[1;31m{word}[{}]\u{1b}[0m: {first}\n", code.name),
        (Colours::On, Severity::Warning) => format!("\u{1b}[1;33m{word}[{}]\u{1b}[0m: {first}\n", code.name),
    };
    for line in lines {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

/// The help, and where there is more of it.
fn help_of(help: Option<&str>, code: Option<&Code>, look: Look) -> Option<String> {
    let help = help.map(|help| wrapped(&tamed(help), look.columns.saturating_sub("  help: ".len())));
    let pointer = code.map(|code| format!("stolos explain {}", code.name));
    match (help, pointer) {
        (Some(help), Some(pointer)) => Some(format!("{help}\n{pointer}")),
        (only, None) | (None, only) => only,
    }
}

/// A text broken at spaces alone: what a person is to copy stays whole, as `ca/root.key` does.
fn wrapped(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let room = columns.saturating_sub(line.chars().count() + 1);
            if !line.is_empty() && word.chars().count() > room {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// The excerpts of a finding: first the one that it is about, then those it clashes with.
fn drawn(finding: &Diagnostic, excerpts: &[Excerpt<'_>], help: Option<String>, look: Look) -> String {
    let mut groups = groups(finding, excerpts);
    let last = groups.len() - 1;
    let mut text = String::new();
    for (nth, (source, labels)) in groups.drain(..).enumerate() {
        let report = Report {
            labels,
            excerpt: excerpts.get(source.0 as usize),
            help: if nth == last { help.clone() } else { None },
        };
        text.push_str(&report.drawn(look));
    }
    text
}

/// The labels of a finding, those that stand near its place together with it and the others behind.
fn groups(finding: &Diagnostic, excerpts: &[Excerpt<'_>]) -> Vec<(SourceId, Vec<LabeledSpan>)> {
    let line = |span: Span| {
        excerpts.get(span.source.0 as usize).map_or(0, |excerpt| excerpt.line_of(span.start as usize))
    };
    let labeled = |label: &Label, is_primary: IsPrimary| {
        let range = match excerpts.get(label.span.source.0 as usize) {
            Some(excerpt) => excerpt.pointed_at(label.span.range()),
            None => 0..0,
        };
        let text = Some(tamed(&label.text).into_owned());
        match is_primary {
            IsPrimary::Yes => LabeledSpan::new_primary_with_span(text, range),
            IsPrimary::No => LabeledSpan::new_with_span(text, range),
        }
    };
    let home = finding.primary.span.source;
    let mut first = vec![labeled(&finding.primary, IsPrimary::Yes)];
    let (mut low, mut high) = (line(finding.primary.span), line(finding.primary.span));
    let mut left: Vec<&Label> = finding.secondary.iter().collect();
    left.sort_by_key(|label| label.span);
    loop {
        let near = left.iter().position(|label| {
            let at = line(label.span);
            label.span.source == home && at + NEAR >= low && at <= high + NEAR
        });
        let Some(near) = near else { break };
        let label = left.remove(near);
        (low, high) = (low.min(line(label.span)), high.max(line(label.span)));
        first.push(labeled(label, IsPrimary::No));
    }
    let mut groups = vec![(home, first)];
    for label in left {
        let span = labeled(label, IsPrimary::No);
        match groups.iter_mut().skip(1).find(|(source, _)| *source == label.span.source) {
            Some((_, labels)) => labels.push(span),
            None => groups.push((label.span.source, vec![span])),
        }
    }
    groups
}

/// Whether a label is the one that a finding is about.
#[derive(Clone, Copy)]
enum IsPrimary {
    Yes,
    No,
}

/// One excerpt with its labels, as miette takes it.
#[derive(Debug)]
struct Report<'a> {
    labels: Vec<LabeledSpan>,
    excerpt: Option<&'a Excerpt<'a>>,
    help: Option<String>,
}

impl Report<'_> {
    fn drawn(&self, look: Look) -> String {
        let styles = match look.colours {
            Colours::Off => ThemeStyles::none(),
            Colours::On => ThemeStyles::ansi(),
        };
        let theme = GraphicalTheme { characters: ThemeCharacters::unicode(), styles };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).without_syntax_highlighting();
        let mut text = String::new();
        handler.render_report(&mut text, self).expect("a String takes all");
        // miette's own heading: ours says the same with the code.
        let lines = text.lines().skip(1).map(str::trim_end);
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("heading")
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.excerpt.map(|excerpt| excerpt as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = _>>)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Look = Look { colours: Colours::Off, columns: 80 };

    static CODE: Code =
        Code { name: "network-unknown", summary: "cluster names a network that is not declared", page: "" };

    fn span(source: SourceId, text: &str, part: &str) -> Span {
        let start = text.find(part).expect("the part is in the text");
        let at = |byte: usize| u32::try_from(byte).expect("a short text");
        Span { source, start: at(start), end: at(start + part.len()) }
    }

    #[test]
    fn a_mistake_is_shown_where_it_stands() {
        let text = "clusters:\n  cluster1: { network: network1, role: primary }\n  cluster2: { network: netwrok2, role: remote, primaries: [cluster1] }\n";
        let mut sources = Sources::default();
        let id = sources.add("prod.yaml", text);
        let finding = Diagnostic::error(&CODE, span(id, text, "netwrok2"), "no network is called this")
            .with_help("did you mean `network2`? Declared: network1, network2.");
        assert_eq!(
            findings(&sources, &[finding], "prod.yaml", PLAIN),
            "\
error[network-unknown]: cluster names a network that is not declared
   ╭─[prod.yaml:3:24]
 2 │   cluster1: { network: network1, role: primary }
 3 │   cluster2: { network: netwrok2, role: remote, primaries: [cluster1] }
   ·                        ────┬───
   ·                            ╰── no network is called this
   ╰────
  help: did you mean `network2`? Declared: network1, network2.
        stolos explain network-unknown

1 error in prod.yaml
"
        );
    }

    #[test]
    fn what_it_clashes_with_is_shown_behind_it_and_from_its_own_file() {
        let (east, west) = ("id: prod\n", "\n\nid: prod\n");
        let mut sources = Sources::default();
        let east_id = sources.add("east.yaml", east);
        let west_id = sources.add("west.yaml", west);
        let finding = Diagnostic::warning(&CODE, span(west_id, west, "prod"), "taken already")
            .with_label(span(east_id, east, "prod"), "the first one");
        assert_eq!(
            findings(&sources, &[finding], "mesh/", PLAIN),
            "\
warning[network-unknown]: cluster names a network that is not declared
   ╭─[west.yaml:3:5]
 2 │
 3 │ id: prod
   ·     ──┬─
   ·       ╰── taken already
   ╰────
   ╭─[east.yaml:1:5]
 1 │ id: prod
   ·     ──┬─
   ·       ╰── the first one
   ╰────
  help: stolos explain network-unknown

1 warning in mesh/
"
        );
    }

    #[test]
    fn a_failure_says_what_is_known_and_what_to_do() {
        let code = Code { name: "wait-timeout", summary: "", page: "" };
        let code: &'static Code = Box::leak(Box::new(code));
        let failed = Failure::new(code, "cluster1/eastwest-gateway got no address in 5m")
            .with_fact("Service istio-system/istio-eastwestgateway, type LoadBalancer")
            .with_help("mend the cause and run the same command again");
        assert_eq!(
            failure(&failed, PLAIN),
            "\
error[wait-timeout]: cluster1/eastwest-gateway got no address in 5m
  Service istio-system/istio-eastwestgateway, type LoadBalancer
  help: mend the cause and run the same command again
        stolos explain wait-timeout
"
        );
    }

    #[test]
    fn a_machine_gets_places_and_words_apart() {
        let text = "a: ü b\n";
        let mut sources = Sources::default();
        let id = sources.add("f.yaml", text);
        let finding = Diagnostic::error(&CODE, span(id, text, "b"), "here");
        assert_eq!(
            findings_json(&sources, &[finding]),
            json!([{
                "code": "network-unknown", "severity": "error",
                "summary": "cluster names a network that is not declared",
                "place": { "file": "f.yaml", "line": 1, "column": 6, "endLine": 1, "endColumn": 7, "text": "here" },
                "related": [], "help": null,
            }])
        );
    }

    proptest! {
        #[test]
        fn no_text_and_no_span_make_it_panic(
            text in "[ -~üé漢\\n\\r\\t\u{1b}]{0,60}|\\PC{0,400}|[a-z\\n]{0,900}",
            spans in prop::collection::vec((0..1000_u32, 0..1000_u32), 1..5),
        ) {
            let mut sources = Sources::default();
            let id = sources.add("f.yaml", text.clone());
            let spans: Vec<Span> = spans
                .iter()
                .map(|(one, other)| Span { source: id, start: *one.min(other), end: *one.max(other) })
                .collect();
            let mut finding = Diagnostic::error(&CODE, spans[0], "here");
            for span in &spans[1..] {
                finding = finding.with_label(*span, "and here");
            }
            let drawn = findings(&sources, &[finding], "f.yaml", PLAIN);
            let escapes = drawn.matches('\u{1b}').count();
            prop_assert_eq!(escapes, 0);
            prop_assert!(drawn.ends_with("1 error in f.yaml\n"));
        }
    }
}

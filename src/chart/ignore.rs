//! `.helmignore`: files of the folder that are no part of the chart.

use regex::Regex;

use super::error::{ChartError, Fault, Place};

/// The rules of a `.helmignore`, the last that matches deciding.
#[derive(Debug, Default)]
pub(super) struct Ignored(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    /// Matches the path, or the last part of it.
    pattern: Regex,
    whole_path: Scope,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Path,
    LastPart,
    /// Folders alone, by their last part or path.
    Folder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ignore,
    Keep,
}

impl Ignored {
    pub(super) fn read(chart: &str, text: &str) -> Result<Self, ChartError> {
        let mut rules = Vec::new();
        for (line, words) in (1..).zip(text.lines()) {
            let words = words.trim();
            if words.is_empty() || words.starts_with('#') {
                continue;
            }
            let refused = |what: &str| {
                let place = Place { file: ".helmignore".to_owned(), line, column: 0 };
                ChartError::at(chart, place, Fault::NotAChart(what.to_owned()))
            };
            if words.contains("**") {
                return Err(refused("a double star is no pattern here"));
            }
            let (verdict, words) = match words.strip_prefix('!') {
                Some(words) => (Verdict::Keep, words),
                None => (Verdict::Ignore, words),
            };
            let (folder, words) = match words.strip_suffix('/') {
                Some(words) => (true, words),
                None => (false, words),
            };
            let rooted = words.contains('/');
            let whole_path = match (folder, rooted) {
                (true, _) => Scope::Folder,
                (false, true) => Scope::Path,
                (false, false) => Scope::LastPart,
            };
            let pattern = pattern_of(words.strip_prefix('/').unwrap_or(words))
                .ok_or_else(|| refused("this is no pattern"))?;
            rules.push(Rule { pattern, whole_path, verdict });
        }
        Ok(Self(rules))
    }

    /// Whether a file is left out, by itself or with a folder that it is in.
    pub(super) fn matches(&self, path: &str) -> bool {
        // Helm leaves out hidden files of `templates` whatever the rules say.
        let hidden = path
            .strip_prefix("templates/")
            .and_then(|rest| rest.split('/').next())
            .is_some_and(|part| part.starts_with('.') && part.len() > 1);
        let folders = path.match_indices('/').map(|(at, _)| (&path[..at], true));
        hidden || folders.chain([(path, false)]).any(|(path, is_folder)| self.ignores(path, is_folder))
    }

    fn ignores(&self, path: &str, is_folder: bool) -> bool {
        let last = path.rsplit('/').next().unwrap_or(path);
        let verdict = self.0.iter().rfind(|rule| match rule.whole_path {
            Scope::Path => rule.pattern.is_match(path),
            Scope::LastPart => rule.pattern.is_match(last),
            Scope::Folder => is_folder && (rule.pattern.is_match(path) || rule.pattern.is_match(last)),
        });
        verdict.is_some_and(|rule| rule.verdict == Verdict::Ignore)
    }
}

/// Go's `filepath.Match`.
fn pattern_of(words: &str) -> Option<Regex> {
    let mut out = String::from("^(?s:");
    let mut rest = words.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                out.push('[');
                loop {
                    match rest.next()? {
                        ']' => break,
                        c @ ('-' | '^') => out.push(c),
                        c => out.push_str(&regex::escape(&c.to_string())),
                    }
                }
                out.push(']');
            }
            '\\' => out.push_str(&regex::escape(&rest.next()?.to_string())),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.push_str(")$");
    Regex::new(&out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_leave_out_files_and_folders() {
        let rules = Ignored::read("c", "# no\n*.md\n/docs/a.txt\n.git/\nci/\n!KEEP.md\n").expect("rules");
        let left: Vec<&str> = [
            "README.md",
            "KEEP.md",
            "docs/a.txt",
            "docs/b.txt",
            ".git/config",
            "a/ci/x",
            "ci",
            "templates/.x.swp",
            "templates/a.yaml",
        ]
        .into_iter()
        .filter(|path| !rules.matches(path))
        .collect();
        assert_eq!(left, ["KEEP.md", "docs/b.txt", "ci", "templates/a.yaml"]);
    }
}

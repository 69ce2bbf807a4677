//! What a chart's renders need not do twice: reading a text as YAML, compiling a pattern.
//!
//! Both depend on the text alone, so that an answer is the same whether it was
//! kept or not. What is kept is bounded, and shared by all renders of a chart.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;
use regex::Regex;

use crate::document::Node;

use super::value::Text;

/// Bytes of text whose trees are kept: three times Istio's CRDs.
const MOST_KEPT: usize = 4 << 20;
const MOST_PATTERNS: usize = 256;

/// Answers that hold for every render.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// What `fromYaml` read.
    pub(super) values: Trees,
    /// Rendered documents, which are checked for more than `fromYaml` checks.
    pub(super) documents: Trees,
    patterns: Mutex<HashMap<String, Regex>>,
}

/// Texts and what they say.
#[derive(Debug, Default)]
pub(super) struct Trees(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_text: HashMap<Text, Option<Arc<Node>>>,
    bytes: usize,
}

impl Trees {
    /// The tree of a text, read by `read` unless it is known; none for a text that says nothing.
    pub(super) fn tree<E>(
        &self,
        text: &str,
        read: impl FnOnce(&str) -> Result<Option<Node>, E>,
    ) -> Result<Option<Arc<Node>>, E> {
        // A panic cannot leave half an answer: entries are added whole.
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).by_text.get(text).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let tree = read(text)?.map(Arc::new);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + text.len() <= MOST_KEPT {
            kept.bytes += text.len();
            kept.by_text.insert(text.into(), tree.clone());
        }
        Ok(tree)
    }
}

impl Trees {
    /// Whether a text was read before, and is kept.
    pub(super) fn knows(&self, text: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_text.contains_key(text)
    }
}

impl Memo {
    /// The pattern, compiled by `compile` unless it is known.
    pub(super) fn pattern<E>(
        &self,
        pattern: &str,
        compile: impl FnOnce(&str) -> Result<Regex, E>,
    ) -> Result<Regex, E> {
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = patterns.get(pattern) {
            return Ok(known.clone());
        }
        let compiled = compile(pattern)?;
        if patterns.len() < MOST_PATTERNS {
            patterns.insert(pattern.to_owned(), compiled.clone());
        }
        Ok(compiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::function::read_yaml;

    #[test]
    fn a_text_is_read_once_and_what_is_kept_is_bounded() {
        let memo = Trees::default();
        let first = memo.tree("a: 1", read_yaml);
        let again = memo.tree("a: 1", |_| Err("it is read again".to_owned()));
        assert_eq!(first, again);
        let long = "x".repeat(MOST_KEPT);
        assert!(memo.tree(&long, read_yaml).is_ok());
        let again = memo.tree(&long, |_| Err("it is read again".to_owned()));
        assert_eq!(again, Err("it is read again".to_owned()));
    }
}

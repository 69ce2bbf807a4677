//! Keys that are written twice in one map.

use std::collections::HashMap;

use super::{Kind, Node, Span, codes::KEY_DUPLICATE};
use crate::diagnostic::Diagnostic;

/// One finding for every key of the whole tree that its map already has.
pub fn duplicate_keys(node: &Node) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    collect(node, &mut found);
    found
}

fn collect(node: &Node, found: &mut Vec<Diagnostic>) {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        Kind::List(items) => items.iter().for_each(|item| collect(item, found)),
        Kind::Map(entries) => {
            let mut first: HashMap<&str, Span> = HashMap::with_capacity(entries.len());
            for entry in entries {
                let key = &entry.key;
                match first.get(key.value.as_str()) {
                    Some(earlier) => found.push(duplicate(&key.value, key.span, *earlier)),
                    None => {
                        first.insert(&key.value, key.span);
                    }
                }
                collect(&entry.value, found);
            }
        }
    }
}

/// The finding about a key that stands at `again` and stood at `first`.
pub(crate) fn duplicate(key: &str, again: Span, first: Span) -> Diagnostic {
    Diagnostic::error(&KEY_DUPLICATE, again, format!("`{key}` is written again here"))
        .with_label(first, format!("`{key}` is written first here"))
        .with_help("keep one of the two")
}

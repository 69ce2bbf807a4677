//! The parser's complaints in words of what a person wrote.

use crate::diagnostic::Diagnostic;
use crate::document::Span;
use crate::document::codes::YAML_SYNTAX;

/// The finding about a complaint; `bracket` is the innermost one that is open.
pub(super) fn fault(info: &str, at: Span, bracket: Option<Span>) -> Diagnostic {
    let (label, help) = match (info, bracket) {
        // What follows an open bracket is read as its content, in which such a colon has no place.
        (
            "illegal placement of ':' indicator" | "mapping values are not allowed in this context",
            Some(_),
        ) => ("a bracket is still open here", "close it before the next key."),
        (info, _) => words(info),
    };
    let fault = Diagnostic::error(&YAML_SYNTAX, at, label);
    let fault = match bracket {
        Some(bracket) => fault.with_label(bracket, "this bracket is open"),
        None => fault,
    };
    if help.is_empty() { fault } else { fault.with_help(help) }
}

/// What stands at the place, and what to do about it.
fn words(info: &str) -> (&str, &'static str) {
    match info {
        "while parsing a flow mapping, did not find expected ',' or '}'" => (
            "a `,` or a `}` is missing before this",
            "close the bracket, or put a comma between its entries.",
        ),
        "while parsing a flow sequence, expected ',' or ']'" => {
            ("a `,` or a `]` is missing before this", "close the bracket, or put a comma between its items.")
        }
        "invalid indentation in flow construct" => (
            "this stands outside of an open bracket's indentation",
            "close the bracket, or indent what it holds.",
        ),
        "misplaced bracket" => {
            ("no bracket is open that this would close", "remove it, or put quotes around the text.")
        }
        "while parsing a block mapping, did not find expected key" => (
            "no entry of the map above can start here",
            "start all entries of one map in the same column, each as `key: value`.",
        ),
        "while parsing a block collection, did not find expected '-' indicator" => (
            "no item of the list above can start here",
            "start all items of one list in the same column, with `- `.",
        ),
        "invalid indentation" => (
            "this column fits nothing that is open above",
            "start all entries of one map in the same column.",
        ),
        "mapping values are not allowed in this context" | "illegal placement of ':' indicator" => (
            "no key stands before this colon",
            "put each `key: value` on a line of its own, or quotes around the text.",
        ),
        "mapping keys are not allowed in this context" => ("no key can stand here", ""),
        "block sequence entries are not allowed in this context" => {
            ("no item of a list can start here", "put the list on lines of its own below its key.")
        }
        "simple key expect ':'" | "simple key expected" => {
            ("a line before this has no colon", "write `key: value`, with a space behind the colon.")
        }
        "while scanning a quoted scalar, found unexpected end of stream" => {
            ("this quote is never closed", "close it with the same quote.")
        }
        "while scanning a quoted scalar, found unexpected document indicator" => {
            ("this quote is not closed before the next document", "close it with the same quote.")
        }
        "invalid trailing content after double-quoted scalar" => {
            ("something follows a text in quotes", "put the whole text in quotes.")
        }
        "while parsing a quoted scalar, found unknown escape character" => {
            ("no such escape", "write `\\\\` for a backslash, or use single quotes.")
        }
        "tabs disallowed within this context (block indentation)"
        | "tabs disallowed in this context"
        | "tab cannot be used as indentation"
        | "while scanning a plain scalar, found a tab"
        | "a block scalar content cannot start with a tab" => {
            ("a tab stands where YAML takes spaces alone", "indent with spaces.")
        }
        "while parsing node, found unknown anchor" => (
            "no anchor before this has this name",
            "mark a value with `&name` first; a text that starts with `*` wants quotes.",
        ),
        "while parsing a node, did not find expected node content" => ("a value is missing before this", ""),
        "found unprintable character" => {
            ("a character that cannot be printed", "save the file as plain text.")
        }
        other if other.starts_with("unexpected character") => {
            ("no plain text can start with this character", "put quotes around the text.")
        }
        other => {
            let stage_is_named = other.strip_prefix("while ").and_then(|rest| rest.split_once(", "));
            (stage_is_named.map_or(other, |(_, complaint)| complaint), "")
        }
    }
}

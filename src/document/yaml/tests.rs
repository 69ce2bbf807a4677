use proptest::prelude::*;
use serde_json::json;

use super::*;

const HERE: SourceId = SourceId(0);

fn read(text: &str) -> Reading {
    parse_one(HERE, text, Schema::Core, Limits::TOPOLOGY)
}

fn go(text: &str) -> serde_json::Value {
    parse_one(HERE, text, Schema::Go, Limits::MANIFESTS)
        .into_result()
        .expect("valid")
        .expect("a document")
        .to_json()
}

/// Every scalar and key with the text that its span covers.
fn covered<'t>(text: &'t str, node: &Node, found: &mut Vec<(String, &'t str)>) {
    match &node.kind {
        Kind::Null | Kind::Bool(_) => {}
        Kind::Number(words) | Kind::Text(words) => found.push((words.clone(), &text[node.span.range()])),
        Kind::List(items) => items.iter().for_each(|item| covered(text, item, found)),
        Kind::Map(entries) => {
            for entry in entries {
                found.push((entry.key.value.clone(), &text[entry.key.span.range()]));
                covered(text, &entry.value, found);
            }
        }
    }
}

#[test]
fn spans_are_bytes_behind_letters_of_any_size_line_ends_and_a_byte_order_mark() {
    let text = "\u{feff}# Übersicht 網路\r\nnäme: 網路1 # ü\r\nlist:\r\n- ß: {x: 1.30, y: 'é'}\r\n";
    let node = read(text).into_result().expect("valid").expect("a document");
    let mut found = Vec::new();
    covered(text, &node, &mut found);
    let expected = [
        ("näme", "näme"),
        ("網路1", "網路1"),
        ("list", "list"),
        ("ß", "ß"),
        ("x", "x"),
        ("1.30", "1.30"),
        ("y", "y"),
        ("é", "'é'"),
    ];
    assert_eq!(found, expected.map(|(value, words)| (value.to_owned(), words)));
    let Kind::Map(entries) = &node.kind else { panic!("a map") };
    assert_eq!(&text[entries[1].value.span.range()], "ß: {x: 1.30, y: 'é'}");
}

#[test]
fn spans_end_at_their_quotes_and_brackets() {
    let text = "a: 'it''s'  # that's\nb: \"x\\\"y\" # \"z\"\nc: {x: [1] } # d\n";
    let node = read(text).into_result().expect("valid").expect("a document");
    let Kind::Map(entries) = &node.kind else { panic!("a map") };
    let words: Vec<_> = entries.iter().map(|entry| &text[entry.value.span.range()]).collect();
    assert_eq!(words, ["'it''s'", r#""x\"y""#, "{x: [1] }"]);
}

#[test]
fn an_empty_value_stands_where_its_key_stands() {
    let text = "networks:\n  network1:\n\nclusters: {a: , b: }\n";
    let node = read(text).into_result().expect("valid").expect("a document");
    let Kind::Map(entries) = &node.kind else { panic!("a map") };
    let Kind::Map(networks) = &entries[0].value.kind else { panic!("a map") };
    assert_eq!(networks[0].value.kind, Kind::Null);
    assert_eq!(&text[networks[0].value.span.range()], "network1");
    assert_eq!(&text[entries[0].value.span.range()], "network1");
    assert_eq!(&text[entries[1].value.span.range()], "{a: , b: }");
}

#[test]
fn a_version_keeps_its_words() {
    let node = read("istio: {version: 1.30}").into_result().expect("valid").expect("a document");
    let mut found = Vec::new();
    covered("istio: {version: 1.30}", &node, &mut found);
    assert_eq!(found[2], ("1.30".to_owned(), "1.30"));
}

#[test]
fn plain_words_are_what_each_schema_makes_of_them() {
    let text =
        "[yes, n, on, true, 0777, 0o17, 0x1f, 0b11, 1_000, 08, 1e3, ~, '', 2020-01-01, 1:30, -0x10, .5, 0.]";
    let core = read(text).into_result().expect("valid").expect("a document").to_json();
    assert_eq!(
        core,
        json!([
            "yes",
            "n",
            "on",
            true,
            777,
            15,
            31,
            "0b11",
            "1_000",
            8,
            1000,
            null,
            "",
            "2020-01-01",
            "1:30",
            "-0x10",
            0.5,
            0
        ])
    );
    assert_eq!(
        go(text),
        json!([
            true,
            false,
            true,
            true,
            511,
            15,
            31,
            3,
            1000,
            8,
            1000,
            null,
            "",
            "2020-01-01",
            "1:30",
            -16,
            0.5,
            0
        ])
    );
}

#[test]
fn go_merges_and_turns_keys_into_text() {
    let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: {x: 4, <<: [{x: 5}, *a]}\nno: {0x10: z, 1.50: w}\n";
    assert_eq!(
        go(text),
        json!({"a": {"x": 1, "true": 2}, "b": {"x": 3, "true": 2}, "c": {"x": 5, "true": 2}, "false": {"16": "z", "1.5": "w"}})
    );
}

#[test]
fn tags_of_the_core_schema_are_read_and_others_refused() {
    let node = read("{a: !!str 1.30, b: !!int '3', c: ! 4, d: !!map {}}").into_result().expect("valid");
    assert_eq!(node.expect("a document").to_json(), json!({"a": "1.30", "b": 3, "c": "4", "d": {}}));
    for (text, words) in
        [("a: !mine x", "the tag `!mine` is not known here"), ("a: !!int x", "this is no `!!int`")]
    {
        let fault = read(text).into_result().expect_err("a fault");
        assert_eq!((fault.code.name, fault.primary.text.as_str()), ("yaml-tag", words));
    }
}

fn codes(reading: &Reading) -> Vec<(&'static str, u32)> {
    reading.faults.iter().map(|fault| (fault.code.name, fault.primary.span.start)).collect()
}

#[test]
fn reading_goes_on_behind_a_syntax_error() {
    let text =
        "mesh: {id: mesh1\nnetworks: {a: {}}\nclusters:\n  w: {}\n  x: [\nnamespaces: {s: {}}\nversion: 1\n";
    let reading = read(text);
    assert_eq!(codes(&reading), [("yaml-syntax", 25), ("yaml-syntax", 60)]);
    assert_eq!(
        reading.node.expect("a part").to_json(),
        json!({"networks": {"a": {}}, "clusters": {"w": {}}, "namespaces": {"s": {}}, "version": 1})
    );
}

/// The findings about a text: the words at the place, what is said of them, and the open bracket.
fn syntax(text: &str) -> Vec<(&str, String, Option<&str>)> {
    let told = |fault: &Diagnostic| {
        let bracket = fault.secondary.first().map(|label| &text[label.span.start as usize..]);
        (&text[fault.primary.span.range()], fault.primary.text.clone(), bracket.map(|rest| &rest[..1]))
    };
    read(text).faults.iter().map(told).collect()
}

#[test]
fn syntax_errors_speak_of_what_is_written() {
    for (text, words, told, bracket) in [
        ("a: { b: 1\nc: 2\n", ":", "a `,` or a `}` is missing before this", Some("{")),
        ("a: &x [ # why\n  1\nb: 2\n", ":", "a bracket is still open here", Some("[")),
        ("a:\n  b: 1\n c: 2\n", "c", "no entry of the map above can start here", None),
        ("a: \"b\n", "\"", "this quote is never closed", None),
        ("a:\n\tb: 1\n", "b", "a tab stands where YAML takes spaces alone", None),
        ("a: *b\n", "*", "no anchor before this has this name", None),
        ("a: ]\n", "]", "no bracket is open that this would close", None),
        ("a: @b\n", "@", "no plain text can start with this character", None),
        ("a: b: c\n", ":", "no key stands before this colon", None),
        ("a: 'b' c\n", "c", "something follows a text in quotes", None),
    ] {
        assert_eq!(syntax(text), [(words, told.to_owned(), bracket)], "{text}");
    }
}

#[test]
fn a_second_document_is_shown_where_it_starts() {
    let reading = read("a: 1\n---\nb: 2\n");
    assert_eq!(codes(&reading), [("several-documents", 5)]);
    assert_eq!(reading.node.expect("the first").to_json(), json!({"a": 1}));
    assert_eq!(codes(&read("---\na: 1\n...\n")), []);
    let all = parse_all(HERE, "a: 1\n---\n---\n- b\n", Schema::Go, Limits::MANIFESTS).expect("valid");
    assert_eq!(
        all.iter().map(Node::to_json).collect::<Vec<_>>(),
        [json!({"a": 1}), json!(null), json!(["b"])]
    );
}

#[test]
fn no_text_at_all_is_no_document() {
    for text in ["", "\u{feff}", "# only a comment\n", "\r\n\r\n"] {
        assert_eq!(read(text), Reading { node: None, faults: Vec::new() }, "{text:?}");
    }
}

#[test]
fn what_would_exhaust_memory_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    assert_eq!(read(&bomb).faults[0].code.name, "alias-limit");
    for text in
        ["[".repeat(1_000_000), "- ".repeat(1_000_000), "{a: ".repeat(100_000), "? ".repeat(1_000_000)]
    {
        let code = read(&text).faults[0].code.name;
        assert!(["document-too-deep", "key-not-text"].contains(&code), "{code}");
    }
    let fault = &read(&"# 10 MB\n".repeat(1_250_000)).faults[0];
    assert_eq!(
        (fault.code.name, fault.help.as_deref()),
        ("document-too-large", Some("at most 4 MiB are read"))
    );
    assert_eq!(read("a: &a [*a]").faults[0].primary.text, "this alias stands inside of what it names");
    assert_eq!(read("a: .inf").faults[0].code.name, "number-not-finite");
}

#[test]
fn keys_written_twice_are_found_in_the_whole_tree() {
    let text = "a: {x: 1, y: 2, x: 3}\nb: [{z: 1, z: 2}]\na: 1\n";
    let node = read(text).into_result().expect("valid").expect("a document");
    let found: Vec<_> = crate::document::duplicate_keys(&node)
        .into_iter()
        .map(|finding| (finding.primary.span.start, finding.secondary[0].span.start))
        .collect();
    assert_eq!(found, [(16, 4), (33, 27), (40, 0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_text_panics_or_leaves_a_span_outside_of_it(text in "[ -~\\n\\t\u{feff}é網]{0,80}|[\\[\\]{}:,&*a!|>?\"'# \\n%-]{0,60}|\\PC{0,40}") {
        for schema in [Schema::Core, Schema::Go] {
            let reading = parse_one(HERE, &text, schema, Limits::TOPOLOGY);
            for fault in &reading.faults {
                prop_assert!(text.get(fault.primary.span.range()).is_some());
            }
            if let Some(node) = &reading.node {
                within(&text, node);
            }
            let _ = parse_all(HERE, &text, schema, Limits::MANIFESTS);
        }
    }
}

fn within(text: &str, node: &Node) {
    assert!(text.get(node.span.range()).is_some(), "{:?} of {text:?}", node.span);
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        Kind::List(items) => items.iter().for_each(|item| within(text, item)),
        Kind::Map(entries) => {
            for entry in entries {
                assert!(text.get(entry.key.span.range()).is_some());
                within(text, &entry.value);
            }
        }
    }
}

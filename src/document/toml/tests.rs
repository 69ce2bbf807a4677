use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(text: &str) -> Reading {
    parse(SourceId(0), text, Limits::TOPOLOGY)
}

/// Code, the words it points at, and those that it clashes with.
fn faults<'t>(text: &'t str, reading: &Reading) -> Vec<(&'static str, &'t str, Option<u32>)> {
    let words = |fault: &Diagnostic| &text[fault.primary.span.range()];
    let clash = |fault: &Diagnostic| fault.secondary.first().map(|label| label.span.start);
    reading.faults.iter().map(|fault| (fault.code.name, words(fault), clash(fault))).collect()
}

#[test]
fn entries_keep_the_order_of_the_file_and_numbers_their_words() {
    let text = "version = 1\n[istio]\nversion = 1.30\n[clusters.b]\nx = 0x10\n[clusters.a]\n\"ü\" = 1_000\n";
    let reading = read(text);
    assert_eq!(reading.faults, []);
    let node = reading.node.expect("a tree");
    let Kind::Map(entries) = &node.kind else { panic!("a map") };
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.value.as_str()).collect();
    assert_eq!(keys, ["version", "istio", "clusters"]);
    let Kind::Map(istio) = &entries[1].value.kind else { panic!("a map") };
    assert_eq!(istio[0].value.kind, Kind::Number("1.30".to_owned()));
    assert_eq!(&text[istio[0].value.span.range()], "1.30");
    assert_eq!(
        node.to_json(),
        json!({"version": 1, "istio": {"version": 1.3}, "clusters": {"b": {"x": 16}, "a": {"ü": 1000}}})
    );
}

#[test]
fn every_error_that_the_parser_can_tell_apart_is_reported() {
    let text = "a = \nb = x\nc = 2026-01-01\nd = inf\ne = 1\n";
    let reading = read(text);
    let codes: Vec<_> = reading.faults.iter().map(|fault| fault.code.name).collect();
    assert_eq!(codes, ["toml-syntax", "toml-syntax", "toml-date", "number-not-finite"]);
    assert_eq!(reading.node.expect("a tree").to_json()["e"], json!(1));
}

#[test]
fn a_key_that_is_written_twice_shows_both_places() {
    let text = "[networks.a]\nx = 1\nx = 2\n[networks.b]\nx = 1\n[networks.a]\n";
    assert_eq!(
        faults(text, &read(text)),
        [("key-duplicate", "x", Some(13)), ("key-duplicate", "a", Some(10))]
    );
}

#[test]
fn what_would_exhaust_the_stack_is_refused() {
    for text in [
        "a.".repeat(500_000),
        format!("{} = 1", vec!["a"; 100_000].join(".")),
        format!("[{}]", vec!["\"a,\""; 100_000].join(".")),
        format!("x = {}", "[".repeat(500_000)),
        "x = {a.a.a.a.a.a.a.a = ".repeat(100_000),
    ] {
        assert_eq!(read(&text).faults[0].code.name, "document-too-deep", "{}", &text[..20]);
    }
    let wide = format!("x = [{}]\ny = '''{}'''\n", "'1.2.3.4', ".repeat(1000), "a.b[".repeat(1000));
    assert_eq!(read(&wide).faults, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_text_panics_or_leaves_a_span_outside_of_it(text in "[ -~\\n\\té網]{0,80}|[\\[\\]{}=.,\"'# \\na1-]{0,60}|\\PC{0,40}") {
        for fault in &read(&text).faults {
            prop_assert!(text.get(fault.primary.span.range()).is_some());
            for label in &fault.secondary {
                prop_assert!(text.get(label.span.range()).is_some());
            }
        }
    }
}

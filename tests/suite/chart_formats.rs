//! `printf` with random formats and operands, as Go writes them.
//!
//! `STOLOS_SEED=N` repeats a run.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::chart_language::{helms, ours};
use crate::support::helm;
use crate::support::matrix::{say, seed};
use crate::support::scratch::scratch;

/// Formats in one run.
const FORMATS: usize = 2_000;

/// Operands, as a template writes them.
const OPERANDS: &[&str] = &[
    "0",
    "1",
    "-7",
    "42",
    "255",
    "65536",
    "-4611686018427387904",
    "1114112",
    "55296",
    "128512",
    "(int 3)",
    "0.0",
    "-0.0",
    "0.5",
    "1.5",
    "2.5",
    "-2.25",
    "100.0",
    "123456789.0",
    "1e21",
    "-1e-7",
    "3.0e-5",
    "0.1",
    "\"\"",
    "\"a\"",
    "\"text\"",
    "\"ümläut\"",
    "\"tab\\tquote\\\"back`tick\"",
    "\"\\u200b\\u00a0\\U0001F600\"",
    "true",
    "false",
    "nil",
    "(list)",
    "(list 1 \"b\" nil 2.5)",
    "(list (list \"x\") true)",
    "(dict \"k\" 1 \"a\" \"b\" \"n\" nil)",
    "(toString 5)",
    ".Capabilities.KubeVersion",
    "(.Files.GetBytes \"files/a.txt\")",
];

/// One verb, with whatever may stand before it.
fn verb() -> impl Strategy<Value = String> {
    let flags = vec(select(&["+", "-", "#", " ", "0"][..]), 0..3);
    let number = || prop_oneof![4 => Just(""), 2 => select(&["0", "1", "3", "8", "20"][..]), 1 => Just("*")];
    let index = || prop_oneof![12 => Just(""), 1 => select(&["[1]", "[2]", "[3]", "[9]", "[0]", "[x]", "[]", "["][..])];
    let precision = prop_oneof![2 => Just(None), 1 => (index(), number()).prop_map(Some)];
    let letter = select(
        &[
            "v", "s", "d", "q", "x", "X", "f", "F", "e", "E", "g", "G", "t", "c", "U", "b", "o", "O", "T",
            "z", "w", "%", "é", "",
        ][..],
    );
    (flags, index(), number(), precision, index(), letter).prop_map(
        |(flags, before, width, precision, last, letter)| {
            let precision = precision.map(|(index, number)| format!(".{index}{number}")).unwrap_or_default();
            format!("%{}{before}{width}{precision}{last}{letter}", flags.concat())
        },
    )
}

/// A call of `printf`. Few operands are few that are left over.
fn call() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => verb(), 1 => select(&[" ", "a", "é|"][..]).prop_map(str::to_owned)];
    (vec(part, 1..4), vec(select(OPERANDS), 0..4))
        .prop_map(|(parts, operands)| format!("{{{{ printf {:?} {} }}}}", parts.concat(), operands.join(" ")))
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn random_formats_are_written_as_go_writes_them() {
    let seed = seed();
    say(&format!("formats: {FORMATS} by STOLOS_SEED={seed}"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let calls: Vec<String> =
        (0..FORMATS).map(|_| call().new_tree(&mut runner).expect("nothing is filtered").current()).collect();
    let mut wrong = Vec::new();
    let mut written = Vec::new();
    for call in &calls {
        match ours(&[call]) {
            Ok(texts) => written.push((call.as_str(), texts)),
            // What is not implemented is refused, and never written in another way.
            Err(error) if error.contains("not implemented") => {}
            Err(error) => wrong.push(format!("{call}: {error}")),
        }
    }
    let templates: Vec<&str> = written.iter().map(|(call, _)| *call).collect();
    let texts =
        helms(&helm::binary(), &scratch("chart-formats"), &templates).expect("helm writes all of them");
    for ((call, ours), helm) in written.iter().zip(texts) {
        if ours[0] != helm {
            wrong.push(format!("{call}\n  helm   {helm}\n  stolos {}", ours[0]));
        }
    }
    assert!(written.len() > FORMATS / 2, "most formats are written: {}", written.len());
    say(&format!("formats: {} were written, {} wrong", written.len(), wrong.len()));
    assert!(wrong.is_empty(), "by STOLOS_SEED={seed}:\n{}", wrong.join("\n"));
}

//! Random calls of functions and random templates give what they give in helm.
//!
//! `STOLOS_SEED=N` repeats a run, `STOLOS_DIFFERENTIAL=N` says how many calls a run has.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::Config;

use crate::chart_language::{helms, ours};
use crate::support::helm;
use crate::support::matrix::{runner, say, seed};
use crate::support::scratch::scratch;

/// Calls in one run.
const CALLS: usize = 1_000;

/// The lines of a file of tests/data/calls: arguments of functions as a template writes them, operands of `printf`,
/// pieces of regular expressions and texts for them.
fn lines(file: &str) -> Vec<String> {
    let path = helm::root().join("tests/data/calls").join(file).with_extension("txt");
    let text = std::fs::read_to_string(path).expect("a file of the suite");
    text.lines().map(str::to_owned).collect()
}

/// Functions, and how many arguments they take at least and at most. `keys` and `values` are not among them, which come
/// in no order in helm, nor `index`, which makes a byte of a text's letter there.
fn functions() -> Vec<(String, usize, usize)> {
    let function = |line: &String| {
        let words: Vec<&str> = line.split(' ').collect();
        let count = |at: usize| words[at].parse().expect("a number of arguments");
        (words[0].to_owned(), count(1), count(2))
    };
    lines("functions").iter().map(function).collect()
}

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
fn printf() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => verb(), 1 => select(&[" ", "a", "é|"][..]).prop_map(str::to_owned)];
    (vec(part, 1..4), vec(select(lines("operands")), 0..4))
        .prop_map(|(parts, operands)| format!("{{{{ printf {:?} {} }}}}", parts.concat(), operands.join(" ")))
}

/// A call of any function, and what comes out of it: its type, as JSON, and as a text.
fn call() -> impl Strategy<Value = String> {
    let arguments = lines("arguments");
    let calls = move |(name, least, most): (String, usize, usize)| {
        vec(select(arguments.clone()), least..=most).prop_map(move |arguments| {
            format!(
                "{{{{ $x := {name} {} }}}}{{{{ typeOf $x }}}} {{{{ toJson $x }}}} {{{{ $x }}}}",
                arguments.join(" ")
            )
        })
    };
    select(functions()).prop_flat_map(calls)
}

/// A call of a function that takes a regular expression.
fn matching() -> impl Strategy<Value = String> {
    (
        vec(select(lines("pieces")), 0..5),
        select(lines("texts")),
        0..6_usize,
        select(&["-1", "0", "1", "2"][..]),
    )
        .prop_map(|(pieces, text, function, most)| {
            let pattern = pieces.concat();
            let call = match function {
                0 => format!("regexMatch {pattern:?} {text}"),
                1 => format!("regexFind {pattern:?} {text}"),
                2 => format!("regexFindAll {pattern:?} {text} {most}"),
                3 => format!("mustRegexReplaceAll {pattern:?} {text} \"<$1${{n}}$0>\""),
                4 => format!("regexReplaceAllLiteral {pattern:?} {text} \"$0\""),
                _ => format!("mustRegexSplit {pattern:?} {text} {most}"),
            };
            format!("{{{{ toJson ({call}) }}}}")
        })
}

/// An expression: a value, a field of one, a call, a pipeline.
fn expression() -> impl Strategy<Value = String> {
    select(lines("expressions")).prop_recursive(2, 6, 2, |inner| {
        let of_one = &["not", "quote", "toJson", "default 1", "printf \"%v\"", "list", "empty", "kindOf"];
        let of_two = &["and", "or", "list", "dict \"k\"", "coalesce", "deepEqual"];
        prop_oneof![
            (select(&of_one[..]), inner.clone())
                .prop_map(|(function, inner)| format!("({inner} | {function})")),
            (select(&of_two[..]), inner.clone(), inner)
                .prop_map(|(function, one, other)| format!("({function} {one} {other})")),
        ]
    })
}

/// YAML that is read, and texts that are written as YAML. What only parsers of YAML think differently of, such as a tab
/// in front of a block or a `|` in the middle of a list, is written alone.
fn yaml() -> impl Strategy<Value = String> {
    let pieces = lines("yaml");
    let is_plain = |piece: &&String| {
        !piece.starts_with([':', '-']) && !piece.contains(|c| "[]{}`|>!&*%@\"',?\t".contains(c))
    };
    let plain: Vec<String> = pieces.iter().filter(is_plain).cloned().collect();
    let joined =
        |pieces: Vec<String>| move || vec(select(pieces.clone()), 0..6).prop_map(|pieces| pieces.concat());
    let (text, plain) = (joined(pieces), joined(plain));
    let frame = &[
        "k: @",
        "[@, @]",
        "- @",
        "{k: @, l: @}",
        "k:\n  @\nl: @",
        "@: 1",
        "k: |\n @\n @",
        "k: |-\n  @\n  @",
        "- |+\n  @\n\n  @\n\n",
        "k: >\n  @\n  @\n# @",
        "k: >-\n  @\n\n  @\n",
        "\"@\"",
    ];
    let reader = select(&["fromYaml", "fromYaml", "fromYamlArray"][..]);
    let read = (reader, select(&frame[..]), plain(), plain()).prop_map(|(reader, frame, one, other)| {
        let text = frame.replacen('@', &one, 1).replace('@', &other);
        format!("{{{{ {reader} {text:?} | toJson }}}}")
    });
    let written = (text(), text()).prop_map(|(one, other)| {
        format!("{{{{ dict \"k\" {one:?} {other:?} (list {other:?} (dict \"l\" {one:?})) | toYaml }}}}")
    });
    prop_oneof![read, written]
}

/// A comparison of versions.
fn comparison() -> impl Strategy<Value = String> {
    let versions = &[
        "0",
        "1",
        "1.2",
        "1.2.3",
        "v1.2.3",
        "1.33.0-gke.1+b.2",
        "1.2.3-rc.1",
        "1.2.3-0",
        "0.1",
        "0.0.3",
        "01.2",
        "2.0.0-alpha.10",
        "1.2.3.4",
        "1.2-",
        "99999999999999999999",
    ];
    let open = &["*", "x", "1.x", "1.2.X", "1.*.3", "", "1.2.3 "];
    let operators = &["", "", "=", "==", "!=", ">", ">=", "=>", "<", "<= ", "=<", "~", "~>", "^", "^ ", "!"];
    let joiners = &[" ", ", ", ",", " || ", " - ", "  "];
    let version = prop_oneof![3 => select(&versions[..]), 1 => select(&open[..])];
    let bound = (select(&operators[..]), version, select(&joiners[..]));
    (vec(bound, 1..4), select(&versions[..])).prop_map(|(bounds, version)| {
        let mut constraint = String::new();
        for (at, (operator, bound, joiner)) in bounds.iter().enumerate() {
            let joiner = if at == 0 { "" } else { joiner };
            constraint.push_str(&format!("{joiner}{operator}{bound}"));
        }
        format!("{{{{ semverCompare {constraint:?} {version:?} }}}}")
    })
}

/// What can be ranged over.
fn iterable() -> impl Strategy<Value = String> {
    let some = &[
        "$v.list",
        "$v.numbers",
        "$v.map",
        "$v.none",
        "$v.missing",
        "$v.people",
        "(until 3)",
        "3",
        "$v.null_value",
        "(dict)",
    ];
    prop_oneof![
        20 => select(&some[..]).prop_map(str::to_owned),
        1 => expression(),
    ]
}

/// A template: texts and actions, with and without the marks that trim what stands around them.
fn template() -> impl Strategy<Value = String> {
    let marks = || (select(&["{{", "{{", "{{- "][..]), select(&["}}", "}}", " -}}"][..]));
    let action =
        move |inner: String| marks().prop_map(move |(open, close)| format!("{open} {inner} {close}"));
    let plain = &[
        "text ",
        "\n  ",
        " \t",
        "é",
        "{ }}",
        "{{/* a comment */}}",
        "{{- /* and\nanother */ -}}",
        "{{ \"}}\" }}",
    ];
    let others = &[
        "template \"t\" .",
        "template \"t\"",
        "include \"t\" $v | indent 2",
        "$x",
        ". | toJson | tpl \"{{ . }}\"",
        ".",
    ];
    let leaf = prop_oneof![
        2 => select(&plain[..]).prop_map(str::to_owned),
        3 => expression().prop_flat_map(action),
        1 => expression().prop_map(|value| format!("$x := {value}")).prop_flat_map(action),
        1 => expression().prop_map(|value| format!("$y = {value}")).prop_flat_map(action),
        1 => select(&others[..]).prop_map(str::to_owned).prop_flat_map(action),
    ];
    let body = leaf.prop_recursive(4, 24, 4, move |inner| {
        let body = || vec(inner.clone(), 0..4).prop_map(|parts| parts.concat());
        let otherwise = || {
            prop_oneof![
                3 => Just(None),
                2 => body().prop_map(|body| Some((None, body))),
                2 => (expression(), body()).prop_map(|(value, body)| Some((Some(value), body))),
            ]
        };
        let branch =
            (select(&["if", "with"][..]), select(&["", "$x := "][..]), expression(), body(), otherwise());
        let branch =
            (branch, marks(), marks()).prop_map(|((word, variable, value, body, otherwise), start, end)| {
                let otherwise = match otherwise {
                    None => String::new(),
                    Some((Some(value), body)) => format!("{{{{- else {word} {value} -}}}}{body}"),
                    Some((None, body)) => format!("{{{{ else }}}}{body}"),
                };
                format!(
                    "{} {word} {variable}{value} {}{body}{otherwise}{} end {}",
                    start.0, start.1, end.0, end.1
                )
            });
        let variables = select(&["", "$x := ", "$i, $x := ", "$x = ", "$x, $y = "][..]);
        let leaves =
            select(&["", "", "{{ break }}", "{{- continue }}", "{{ if $x }}{{ break }}{{ end }}"][..]);
        let range = (variables, iterable(), body(), leaves, body(), body());
        let range = (range, marks(), marks()).prop_map(
            |((variables, over, body, leaves, rest, none), start, end)| {
                let body = format!("{body}{leaves}{rest}{{{{ else }}}}{none}");
                format!("{} range {variables}{over} {}{body}{} end {}", start.0, start.1, end.0, end.1)
            },
        );
        prop_oneof![branch, range]
    });
    vec(body, 1..5).prop_map(|parts| {
        let defined =
            "{{ define \"t\" }}<{{ $ | kindOf }}>{{ end }}{{ $v := .Values }}{{ $x := 1 }}{{ $y := 2 }}";
        format!("{defined}{}{{{{ $x | toJson }}}} {{{{ $y | toJson }}}}", parts.concat())
    })
}

/// Whether stolos says that it cannot do what it is asked for. What cannot be read is refused, where helm gives its
/// parser's words as a value.
fn is_declined(error: &str) -> bool {
    ["not implemented", "invalid JSON", "not finite", "middle of a character"]
        .iter()
        .any(|words| error.contains(words))
}

/// Whether helm gives the words of its YAML parser as a value.
fn is_no_yaml(text: &str) -> bool {
    ["error converting YAML to JSON", "error unmarshaling JSON", "json: cannot unmarshal"]
        .iter()
        .any(|words| text.contains(words))
}

/// Fails for calls that come out in another way than in helm.
fn check(what: &str, call: impl Strategy<Value = String>) {
    let calls = std::env::var("STOLOS_DIFFERENTIAL")
        .map_or(CALLS, |text| text.parse().expect("STOLOS_DIFFERENTIAL is a number"));
    let seed = seed();
    say(&format!("{what}: {calls} calls by STOLOS_SEED={seed}"));
    let mut runner = runner(Config::default(), seed);
    let calls: Vec<String> =
        (0..calls).map(|_| call.new_tree(&mut runner).expect("nothing is filtered").current()).collect();
    let folder = scratch(&format!("chart-calls-{}", what.replace(' ', "-")));
    let mut wrong = Vec::new();
    let mut written = Vec::new();
    let (mut declined, mut refused) = (0, 0);
    for call in &calls {
        match ours(&[call]) {
            Ok(mut texts) => written.push((call.as_str(), texts.remove(0))),
            Err(error) if is_declined(&error) => declined += 1,
            Err(error) => match helms(&helm::binary(), &folder, &[call]) {
                None => refused += 1,
                Some(texts) if is_no_yaml(&texts[0]) => refused += 1,
                Some(texts) => {
                    wrong.push(format!("{call}\n  helm   {}\n  stolos refuses: {error}", texts[0]))
                }
            },
        }
    }
    for ((call, ours), helm) in written.iter().zip(by_helm(&folder, &written)) {
        match helm {
            Some(helm) if *ours == helm => {}
            Some(helm) => wrong.push(format!("{call}\n  helm   {helm}\n  stolos {ours}")),
            None => wrong.push(format!("{call}\n  helm refuses\n  stolos {ours}")),
        }
    }
    say(&format!(
        "{what}: {} written, {refused} refused by both, {declined} not implemented, {} wrong",
        written.len(),
        wrong.len()
    ));
    assert!(written.len() > calls.len() / 4, "many are written");
    assert!(wrong.is_empty(), "by STOLOS_SEED={seed}:\n{}", wrong.join("\n"));
}

/// What helm writes for each call: all at once, and by halves where it refuses.
fn by_helm(folder: &Path, calls: &[(&str, String)]) -> Vec<Option<String>> {
    let templates: Vec<&str> = calls.iter().map(|(call, _)| *call).collect();
    match (helms(&helm::binary(), folder, &templates), calls) {
        (Some(texts), _) => texts.into_iter().map(Some).collect(),
        (None, []) => Vec::new(),
        (None, [_]) => vec![None],
        (None, calls) => {
            let (first, second) = calls.split_at(calls.len() / 2);
            let mut texts = by_helm(folder, first);
            texts.extend(by_helm(folder, second));
            texts
        }
    }
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn random_formats_are_written_as_go_writes_them() {
    check("printf", printf());
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn random_calls_give_what_they_give_in_helm() {
    check("functions", call());
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn random_regular_expressions_match_what_they_match_in_go() {
    check("regular expressions", matching());
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn random_templates_mean_what_they_mean_in_helm() {
    check("templates", template());
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn random_yaml_is_read_and_written_as_in_helm() {
    check("YAML", yaml());
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn random_versions_compare_as_in_helm() {
    check("versions", comparison());
}

//! Functions with random operands give what they give in helm, and `printf` writes what Go writes.
//!
//! `STOLOS_SEED=N` repeats a run, `STOLOS_DIFFERENTIAL=N` says how many calls a run has.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::chart_language::{helms, ours};
use crate::support::helm;
use crate::support::matrix::{say, seed};
use crate::support::scratch::scratch;

/// Calls in one run.
const CALLS: usize = 2_000;

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
fn printf() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => verb(), 1 => select(&[" ", "a", "é|"][..]).prop_map(str::to_owned)];
    (vec(part, 1..4), vec(select(OPERANDS), 0..4))
        .prop_map(|(parts, operands)| format!("{{{{ printf {:?} {} }}}}", parts.concat(), operands.join(" ")))
}

/// A function, and how many arguments it takes at least and at most. `keys` and `values` come in no order in helm, and
/// `index` of a text gives a byte there, which is a number here.
const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("abbrev", 2, 2),
    ("add", 0, 2),
    ("add1", 1, 1),
    ("adler32sum", 1, 1),
    ("all", 0, 2),
    ("any", 0, 2),
    ("append", 2, 2),
    ("atoi", 1, 1),
    ("b64dec", 1, 1),
    ("b64enc", 1, 1),
    ("base", 1, 1),
    ("biggest", 1, 3),
    ("camelcase", 1, 1),
    ("cat", 0, 2),
    ("ceil", 1, 1),
    ("chunk", 2, 2),
    ("clean", 1, 1),
    ("coalesce", 0, 2),
    ("compact", 1, 1),
    ("concat", 0, 2),
    ("contains", 2, 2),
    ("deepCopy", 1, 1),
    ("deepEqual", 2, 2),
    ("default", 1, 3),
    ("dict", 0, 2),
    ("dig", 3, 4),
    ("dir", 1, 1),
    ("div", 2, 2),
    ("empty", 1, 1),
    ("eq", 1, 3),
    ("ext", 1, 1),
    ("first", 1, 1),
    ("float64", 1, 1),
    ("floor", 1, 1),
    ("fromJson", 1, 1),
    ("fromJsonArray", 1, 1),
    ("fromYaml", 1, 1),
    ("fromYamlArray", 1, 1),
    ("ge", 2, 2),
    ("get", 2, 2),
    ("gt", 2, 2),
    ("has", 2, 2),
    ("hasKey", 2, 2),
    ("hasPrefix", 2, 2),
    ("hasSuffix", 2, 2),
    ("html", 1, 3),
    ("indent", 2, 2),
    ("initial", 1, 1),
    ("initials", 1, 1),
    ("int", 1, 1),
    ("int64", 1, 1),
    ("isAbs", 1, 1),
    ("join", 2, 2),
    ("kebabcase", 1, 1),
    ("kindIs", 2, 2),
    ("kindOf", 1, 1),
    ("last", 1, 1),
    ("le", 2, 2),
    ("len", 1, 1),
    ("list", 0, 2),
    ("lower", 1, 1),
    ("lt", 2, 2),
    ("max", 1, 3),
    ("maxf", 1, 3),
    ("merge", 1, 3),
    ("mergeOverwrite", 1, 3),
    ("min", 1, 3),
    ("minf", 1, 3),
    ("mod", 2, 2),
    ("mul", 1, 3),
    ("mustAppend", 2, 2),
    ("mustChunk", 2, 2),
    ("mustCompact", 1, 1),
    ("mustDeepCopy", 1, 1),
    ("mustFirst", 1, 1),
    ("mustFromJson", 1, 1),
    ("mustHas", 2, 2),
    ("mustInitial", 1, 1),
    ("mustLast", 1, 1),
    ("mustMerge", 1, 3),
    ("mustMergeOverwrite", 1, 3),
    ("mustPrepend", 2, 2),
    ("mustPush", 2, 2),
    ("mustRegexFind", 2, 2),
    ("mustRegexFindAll", 3, 3),
    ("mustRegexMatch", 2, 2),
    ("mustRegexReplaceAll", 3, 3),
    ("mustRegexReplaceAllLiteral", 3, 3),
    ("mustRegexSplit", 3, 3),
    ("mustRest", 1, 1),
    ("mustReverse", 1, 1),
    ("mustSlice", 1, 3),
    ("mustToJson", 1, 1),
    ("mustToPrettyJson", 1, 1),
    ("mustToRawJson", 1, 1),
    ("mustUniq", 1, 1),
    ("mustWithout", 1, 3),
    ("ne", 2, 2),
    ("nindent", 2, 2),
    ("nospace", 1, 1),
    ("not", 1, 1),
    ("omit", 1, 3),
    ("osBase", 1, 1),
    ("osClean", 1, 1),
    ("osDir", 1, 1),
    ("osExt", 1, 1),
    ("osIsAbs", 1, 1),
    ("pick", 1, 3),
    ("pluck", 1, 3),
    ("plural", 3, 3),
    ("prepend", 2, 2),
    ("print", 0, 2),
    ("println", 0, 2),
    ("push", 2, 2),
    ("quote", 0, 2),
    ("regexFind", 2, 2),
    ("regexFindAll", 3, 3),
    ("regexMatch", 2, 2),
    ("regexQuoteMeta", 1, 1),
    ("regexReplaceAll", 3, 3),
    ("regexReplaceAllLiteral", 3, 3),
    ("regexSplit", 3, 3),
    ("repeat", 2, 2),
    ("replace", 3, 3),
    ("required", 2, 2),
    ("rest", 1, 1),
    ("reverse", 1, 1),
    ("round", 2, 3),
    ("semverCompare", 2, 2),
    ("seq", 0, 2),
    ("set", 3, 3),
    ("sha256sum", 1, 1),
    ("sha512sum", 1, 1),
    ("slice", 1, 3),
    ("snakecase", 1, 1),
    ("sortAlpha", 1, 1),
    ("split", 2, 2),
    ("splitList", 2, 2),
    ("splitn", 3, 3),
    ("squote", 0, 2),
    ("sub", 2, 2),
    ("substr", 3, 3),
    ("swapcase", 1, 1),
    ("ternary", 3, 3),
    ("title", 1, 1),
    ("toDecimal", 1, 1),
    ("toJson", 1, 1),
    ("toPrettyJson", 1, 1),
    ("toRawJson", 1, 1),
    ("toString", 1, 1),
    ("toStrings", 1, 1),
    ("toYaml", 1, 1),
    ("trim", 1, 1),
    ("trimAll", 2, 2),
    ("trimPrefix", 2, 2),
    ("trimSuffix", 2, 2),
    ("trimall", 2, 2),
    ("trunc", 2, 2),
    ("tuple", 0, 2),
    ("typeIs", 2, 2),
    ("typeIsLike", 2, 2),
    ("typeOf", 1, 1),
    ("uniq", 1, 1),
    ("unset", 2, 2),
    ("until", 1, 1),
    ("untilStep", 3, 3),
    ("untitle", 1, 1),
    ("upper", 1, 1),
    ("urlquery", 1, 3),
    ("without", 1, 3),
    ("wrap", 2, 2),
    ("wrapWith", 3, 3),
];

/// Arguments, as a template writes them.
const ARGUMENTS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "-7",
    "42",
    "1000",
    "(int 3)",
    "(int64 2)",
    "(float64 \"0\")",
    "0.5",
    "-1.5",
    "2.5",
    "1e21",
    "true",
    "false",
    "nil",
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"text\"",
    "\"3\"",
    "\"-2.5\"",
    "\"0x1f\"",
    "\"017\"",
    "\"true\"",
    "\"1.2.3\"",
    "\"v1.2.3-rc.1\"",
    "\"^1.2\"",
    "\">=1.0 <2, !=1.5.0 || ~3\"",
    "\"string\"",
    "\"map\"",
    "\"ümläut Größe\"",
    "\"two words\"",
    "\" padded \"",
    "\"a,b,,c\"",
    "\",\"",
    "\"fooBar_baz-QuxHTTP\"",
    "\"line\\nline\\n\"",
    "\"/a/../b/./c.tar.gz\"",
    "\"<a href='x'>&amp;\"",
    "\"a+\"",
    "\"(t)(e)\"",
    "\"[a-z]*\"",
    "\"$1-${1}x\"",
    "\"(\"",
    "\"YQ==\"",
    "\"{a: 1, b: [x, null]}\"",
    "\"[1, 2.5, yes]\"",
    "\"{\\\"k\\\": [1, {}]}\"",
    "(list)",
    "(list 1 2 1)",
    "(list \"b\" \"a\" \"\" \"b\")",
    "(list 1.5 nil true \"x\")",
    "(list (list 1) (list))",
    "(list (dict \"a\" 1) (dict))",
    "(dict)",
    "(dict \"a\" 1 \"b\" \"x\")",
    "(dict \"a\" (dict \"b\" 2 \"c\" nil) \"d\" (list 1))",
    "(dict \"b\" false \"a\" nil)",
    "(deepCopy .Values.map)",
    ".Values.people",
    ".Values.lines",
    ".Chart.Name",
    ".Chart",
    ".Files",
    ".Capabilities.KubeVersion",
];

/// A call of any function, and what comes out of it: its type, as JSON, and as a text.
fn call() -> impl Strategy<Value = String> {
    let arguments = |(name, least, most): (&'static str, usize, usize)| {
        vec(select(ARGUMENTS), least..=most).prop_map(move |arguments| {
            format!(
                "{{{{ $x := {name} {} }}}}{{{{ typeOf $x }}}} {{{{ toJson $x }}}} {{{{ $x }}}}",
                arguments.join(" ")
            )
        })
    };
    select(FUNCTIONS).prop_flat_map(arguments)
}

/// Pieces of regular expressions, whole ones and others.
const PIECES: &[&str] = &[
    "a",
    "b",
    "x",
    "ü",
    "ß",
    " ",
    ".",
    "^",
    "$",
    "|",
    "(",
    ")",
    "(?:",
    "(?i)",
    "(?i:",
    "(?s)",
    "(?P<n>",
    "(?x)",
    "(?-)",
    "*",
    "+",
    "?",
    "*?",
    "{2}",
    "{1,}",
    "{0,2}?",
    "{,2}",
    "{",
    "}",
    "]",
    "[",
    "[ab]",
    "[^a-c]",
    "[]x]",
    "[^]]",
    "[a-]",
    "[-a]",
    "[a-c-x]",
    "[a&&b]",
    "[a~~b]",
    "[[:alpha:]_]",
    "[[a]",
    "[\\d.]",
    "[^\\W]",
    "[\\pL-]",
    "[\\]\\-]",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\b",
    "\\A",
    "\\z",
    "\\pL",
    "\\p{Lu}",
    "\\PN",
    "\\p{^Greek}",
    "\\Q.*\\E",
    "\\.",
    "\\-",
    "\\<",
    "\\x41",
    "\\x{fc}",
    "\\101",
    "\\1",
    "\\u0041",
    "\\n",
    "\\t",
    "#",
    "-",
    "&",
    "~",
    "/",
];
const TEXTS: &[&str] = &[
    "",
    "a",
    "ab ba",
    "xxaabbxx",
    "üßÜ aÄ",
    "A1_b-2.c",
    "a.*b",
    "a{,2}b]",
    "tab\\there\\nand a line",
    "&~#<a>",
    "१२ 12",
];

/// A call of a function that takes a regular expression.
fn matching() -> impl Strategy<Value = String> {
    (vec(select(PIECES), 0..5), select(TEXTS), 0..6_usize, select(&["-1", "0", "1", "2"][..])).prop_map(
        |(pieces, text, function, most)| {
            let pattern = pieces.concat();
            let call = match function {
                0 => format!("regexMatch {pattern:?} \"{text}\""),
                1 => format!("regexFind {pattern:?} \"{text}\""),
                2 => format!("regexFindAll {pattern:?} \"{text}\" {most}"),
                3 => format!("mustRegexReplaceAll {pattern:?} \"{text}\" \"<$1${{n}}$0>\""),
                4 => format!("regexReplaceAllLiteral {pattern:?} \"{text}\" \"$0\""),
                _ => format!("mustRegexSplit {pattern:?} \"{text}\" {most}"),
            };
            format!("{{{{ toJson ({call}) }}}}")
        },
    )
}

/// Whether stolos says that it cannot do what it is asked for. What cannot be read is refused, where helm gives its
/// parser's words as a value.
fn is_declined(error: &str) -> bool {
    ["not implemented", "invalid JSON", "not valid YAML", "not finite", "middle of a character"]
        .iter()
        .any(|words| error.contains(words))
}

/// Random calls that come out in another way than in helm.
fn check(what: &str, call: impl Strategy<Value = String>) {
    let calls = std::env::var("STOLOS_DIFFERENTIAL")
        .map_or(CALLS, |text| text.parse().expect("STOLOS_DIFFERENTIAL is a number"));
    let seed = seed();
    say(&format!("{what}: {calls} calls by STOLOS_SEED={seed}"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
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

//! What holds for every text and every topology, tried on many.

use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::{EVERY_KEY, parse_files};
use super::*;

/// A document's tree, to be written in several ways.
#[derive(Debug, Clone)]
enum Tree {
    /// A number, a boolean or a text in quotes: words that mean the same in YAML, JSON and TOML.
    Words(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

fn text(text: impl ToString) -> Tree {
    Tree::Words(format!("{:?}", text.to_string()))
}

fn words(words: impl ToString) -> Tree {
    Tree::Words(words.to_string())
}

fn map<const N: usize>(entries: [(&str, Tree); N]) -> Tree {
    Tree::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Keys in another order, decided by `seed`.
fn shuffled(tree: &Tree, seed: &mut u64) -> Tree {
    match tree {
        Tree::Words(words) => Tree::Words(words.clone()),
        Tree::List(items) => Tree::List(items.iter().map(|item| shuffled(item, seed)).collect()),
        Tree::Map(entries) => {
            let mut entries: Vec<_> =
                entries.iter().map(|(key, value)| (key.clone(), shuffled(value, seed))).collect();
            for last in (1..entries.len()).rev() {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                entries.swap(last, (*seed >> 33) as usize % (last + 1));
            }
            Tree::Map(entries)
        }
    }
}

fn joined<T>(items: &[T], write: impl Fn(&T) -> String) -> String {
    items.iter().map(write).collect::<Vec<_>>().join(", ")
}

fn flow_yaml(tree: &Tree) -> String {
    match tree {
        Tree::Words(words) => words.clone(),
        Tree::List(items) => format!("[{}]", joined(items, flow_yaml)),
        Tree::Map(entries) => {
            format!("{{{}}}", joined(entries, |(key, value)| format!("{key}: {}", flow_yaml(value))))
        }
    }
}

fn block_yaml(tree: &Tree, indent: usize) -> String {
    let pad = "  ".repeat(indent);
    match tree {
        Tree::Words(words) => format!(" {words}\n"),
        Tree::List(items) if items.is_empty() => " []\n".to_owned(),
        Tree::List(items) => {
            let items = items.iter().map(|item| format!("{pad}-{}", block_yaml(item, indent + 1)));
            format!("\n{}", items.collect::<String>())
        }
        Tree::Map(entries) if entries.is_empty() => " {}\n".to_owned(),
        Tree::Map(entries) => {
            let entries =
                entries.iter().map(|(key, value)| format!("{pad}{key}:{}", block_yaml(value, indent + 1)));
            format!("\n{}", entries.collect::<String>())
        }
    }
}

fn inline_toml(tree: &Tree) -> String {
    match tree {
        Tree::Words(words) => words.clone(),
        Tree::List(items) => format!("[{}]", joined(items, inline_toml)),
        Tree::Map(entries) => {
            format!("{{{}}}", joined(entries, |(key, value)| format!("{key:?} = {}", inline_toml(value))))
        }
    }
}

/// One table a level, to the depth at which headers are worth it.
fn headed_toml(tree: &Tree, path: &str, out: &mut String) {
    let Tree::Map(entries) = tree else { return };
    let deep = |value: &Tree| matches!(value, Tree::Map(_)) && path.matches('.').count() < 2;
    for (key, value) in entries.iter().filter(|(_, value)| !deep(value)) {
        out.push_str(&format!("{key:?} = {}\n", inline_toml(value)));
    }
    for (key, value) in entries.iter().filter(|(_, value)| deep(value)) {
        let path = format!("{path}{}{key:?}", if path.is_empty() { "" } else { "." });
        out.push_str(&format!("[{path}]\n"));
        headed_toml(value, &path, out);
    }
}

fn gateway() -> impl Strategy<Value = Tree> {
    (any::<u8>(), 1_u16..u16::MAX, 0_u32..9).prop_map(|(which, port, replicas)| {
        let all = [
            ("addresses", Tree::List(vec![text("203.0.113.7"), text("gw.example.com")])),
            ("ports", Tree::Map(vec![("15443".to_owned(), words(port)), ("15021".to_owned(), words(15021))])),
            (
                "service",
                map([("type", text("NodePort")), ("annotations", map([("a.example/b", text("true"))]))]),
            ),
            ("replicas", words(replicas)),
        ];
        picked(&all, which)
    })
}

/// The entries whose bit is set.
fn picked(all: &[(&str, Tree)], which: u8) -> Tree {
    let chosen = all.iter().enumerate().filter(|(bit, _)| which & (1 << bit) != 0);
    Tree::Map(chosen.map(|(_, (key, value))| ((*key).to_owned(), value.clone())).collect())
}

fn values() -> impl Strategy<Value = Tree> {
    (any::<u8>(), any::<i32>()).prop_map(|(which, number)| {
        let all = [
            ("number", words(number)),
            ("float", words("1.30")),
            (
                "deep",
                map([("list", Tree::List(vec![words(1), text("é"), words("true")])), ("empty", map([]))]),
            ),
        ];
        let istiod = picked(&all, which);
        map([("istiod", istiod), ("gateway", map([("which", words(which))]))])
    })
}

fn settings() -> impl Strategy<Value = Tree> {
    (gateway(), values(), any::<u8>(), any::<u8>()).prop_map(|(gateway, values, which, net)| {
        let all = [
            ("context", text(format!("ctx-{net}"))),
            ("apiServer", map([("url", text("https://api.example.com:6443")), ("ca", text("ca.pem"))])),
            ("pods", Tree::List(vec![text(format!("10.{net}.0.0/16")), text("fd00::/64")])),
            ("services", Tree::List(vec![])),
            ("controlPlane", map([("expose", text("none")), ("address", text("203.0.113.9"))])),
            ("eastWestGateway", if net % 3 == 0 { words(false) } else { gateway }),
            ("values", values),
        ];
        picked(&all, which)
    })
}

fn cluster() -> impl Strategy<Value = Tree> {
    (settings(), any::<bool>(), 0_usize..3).prop_map(|(settings, primary, network)| {
        let Tree::Map(mut entries) = settings else { unreachable!("settings are a map") };
        entries.push(("network".to_owned(), text(format!("network{network}"))));
        entries.push(("role".to_owned(), text(if primary { "primary" } else { "remote" })));
        if !primary {
            entries.push(("primaries".to_owned(), Tree::List(vec![text("c1"), text("c0")])));
        }
        Tree::Map(entries)
    })
}

fn a_topology() -> impl Strategy<Value = Tree> {
    (vec(cluster(), 1..6), settings(), values(), vec(gateway(), 3)).prop_map(
        |(clusters, defaults, values, gateways)| {
            let numbered = |prefix: &str, trees: Vec<Tree>| {
                Tree::Map(
                    trees.into_iter().enumerate().map(|(at, tree)| (format!("{prefix}{at}"), tree)).collect(),
                )
            };
            let networks = gateways.into_iter().map(|gateway| map([("eastWestGateway", gateway)])).collect();
            map([
                ("version", words(1)),
                ("mesh", map([("id", text("mesh1")), ("mtls", text("strict")), ("dns", text("off"))])),
                (
                    "istio",
                    map([("version", words("1.30")), ("charts", text("embedded")), ("values", values)]),
                ),
                ("trust", map([("root", map([("generate", map([("in", text("c0"))]))]))])),
                ("networks", numbered("network", networks)),
                ("defaults", defaults),
                ("clusters", numbered("c", clusters)),
                ("namespaces", map([("sample", map([("injection", text("enabled"))])), ("other", map([]))])),
                (
                    "rollout",
                    Tree::List(vec![Tree::List(vec![text("c1")]), Tree::List(vec![text("c0"), text("c2")])]),
                ),
            ])
        },
    )
}

fn read_as(name: &str, text: &str) -> Topology {
    let (_, parsed) = parse_files(&[(name, text)]);
    assert_eq!(parsed.diagnostics, [], "{text}");
    parsed.topology.expect("nothing is wrong")
}

/// An edit that a hand, or a broken tool, could make.
#[derive(Debug, Clone)]
struct Edit {
    at: prop::sample::Index,
    remove: usize,
    insert: String,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let insert = prop::sample::select(vec![
        "", "\n", "  ", "\t", "{", "}", "[", "]", ": ", ", ", "- ", "&a ", "*a", "!!str ", "\"", "'", "|\n",
        "null", "é", "\u{feff}", "---\n", "0x10", "-1", "1e400", "clusters", "<<", "? ", "#",
    ]);
    let edit = (any::<prop::sample::Index>(), 0_usize..12, insert).prop_map(|(at, remove, insert)| Edit {
        at,
        remove,
        insert: insert.to_owned(),
    });
    vec(edit, 1..6)
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for edit in edits {
        let at = edit.at.index(characters.len() + 1);
        let end = (at + edit.remove).min(characters.len());
        characters.splice(at..end, edit.insert.chars());
    }
    characters.into_iter().collect()
}

/// Reads a text as both formats: whatever it is, findings point into it.
fn survives(text: &str) {
    for name in ["t.yaml", "t.toml"] {
        let (_, parsed) = parse_files(&[(name, text)]);
        assert!(parsed.topology.is_some() || !parsed.diagnostics.is_empty(), "{text:?}");
        for finding in &parsed.diagnostics {
            for span in
                std::iter::once(finding.primary.span).chain(finding.secondary.iter().map(|label| label.span))
            {
                assert!(text.get(span.range()).is_some(), "{finding:?} in {text:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_order_of_keys_and_the_way_of_writing_decide_nothing(tree in a_topology(), mut seed in any::<u64>()) {
        let expected = read_as("t.yaml", &flow_yaml(&tree));
        let tree = shuffled(&tree, &mut seed);
        prop_assert_eq!(&read_as("t.yaml", &block_yaml(&tree, 0)), &expected);
        prop_assert_eq!(&read_as("t.yaml", &block_yaml(&tree, 0).replace('\n', "\r\n")), &expected);
        prop_assert_eq!(&read_as("t.yaml", &flow_yaml(&tree)), &expected);
        let mut toml = String::new();
        headed_toml(&tree, "", &mut toml);
        prop_assert_eq!(&read_as("t.toml", &toml), &expected);
    }

    #[test]
    fn no_edit_of_a_topology_makes_the_decoder_panic(edits in edits()) {
        survives(&edited(EVERY_KEY, &edits));
    }

    #[test]
    fn no_edit_of_a_toml_topology_makes_the_decoder_panic(tree in a_topology(), edits in edits()) {
        let mut toml = String::new();
        headed_toml(&tree, "", &mut toml);
        survives(&edited(&toml, &edits));
    }

    #[test]
    fn no_text_makes_the_decoder_panic(text in "\\PC{0,60}|[ -~\\n]{0,120}|(version|mesh|clusters|: |\\{|\\}|\\[|\\]|\\n| |1|'|\"|&a|\\*a|=|\\.){0,60}") {
        survives(&text);
    }
}

//! Charts with charts inside of them: which are taken, what they are told, and in which order they run.
//!
//! tests/data/subcharts/*.txt hold a chart each, file by file, the values that it is given, and what comes out of it
//! (`=== rendered`) or what we say of it (`=== refused`, where helm fails too). `STOLOS_GOLDEN=write` writes anew what
//! comes out. With helm at hand, it is asked again, and so it is for random trees.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError};
use serde_json::{Map, Value, json};
use stolos::chart::{Capabilities, Chart, ReleaseInfo, render};

use crate::chart_oracle::compare;
use crate::support::archives::tgz;
use crate::support::helm::{self, Setting};
use crate::support::matrix::{runner, say, seed};
use crate::support::scratch::scratch;

const KUBE_VERSION: &str = "1.33.0";
/// Random trees in one run; `STOLOS_DIFFERENTIAL` says another number.
const TREES: u32 = 150;
/// How often helm is asked about a tree of which both sides think differently: it goes through undeclared subcharts
/// in an order that is a matter of chance, and one that sees another's globals sees them or not.
const TRIES: usize = 8;

type Files = BTreeMap<String, Vec<u8>>;

struct Case {
    files: Files,
    values: String,
    /// `rendered` or `refused`, and below it what; empty in a case that is not finished.
    outcome: String,
}

fn cases() -> Vec<(PathBuf, Case)> {
    let entries = fs::read_dir(helm::root().join("tests/data/subcharts")).expect("a folder of cases");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), case(&fs::read_to_string(path).expect("a case")))).collect()
}

fn case(text: &str) -> Case {
    let (chart, outcome) = text.split_once("\n=== ").unwrap_or((text, ""));
    let mut files = Files::new();
    let mut values = String::new();
    for part in chart.split("\n--- ").skip(1) {
        let (path, content) = part.split_once('\n').unwrap_or((part, ""));
        match path {
            "VALUES" => values = content.to_owned(),
            path => drop(files.insert(path.to_owned(), format!("{content}\n").into_bytes())),
        }
    }
    Case { files: packed(files), values, outcome: outcome.to_owned() }
}

/// The same files, those below `x.tgz/` packed.
fn packed(files: Files) -> Files {
    let mut plain = Files::new();
    let mut archives: BTreeMap<String, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for (path, content) in files {
        match path.split_once(".tgz/") {
            Some((archive, inner)) => {
                archives.entry(format!("{archive}.tgz")).or_default().push((inner.to_owned(), content));
            }
            None => drop(plain.insert(path, content)),
        }
    }
    for (path, files) in archives {
        plain.insert(path, tgz(files));
    }
    plain
}

fn setting() -> Setting {
    Setting { release: "rel".to_owned(), namespace: "ns".to_owned(), kube_version: KUBE_VERSION }
}

/// What we make of a chart.
fn outcome(case: &Case) -> String {
    let capabilities = Capabilities::of_kubernetes(KUBE_VERSION).expect("a version");
    let values = helm::yaml(&case.values);
    let rendered = Chart::load(case.files.clone())
        .and_then(|chart| render(&chart, &values, &ReleaseInfo::new("rel", "ns"), &capabilities));
    match rendered {
        Ok(manifests) => {
            let shown = manifests.iter().map(|one| format!("# Source: {}\n{}\n", one.template, one.text));
            format!("rendered\n{}", shown.collect::<Vec<_>>().join("---\n"))
        }
        Err(error) => format!("refused\n{error}\n"),
    }
}

fn write_folder(folder: &Path, files: &Files) {
    fs::remove_dir_all(folder).ok();
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("scratch");
        fs::write(path, content).expect("scratch");
    }
}

#[test]
fn subcharts_mean_what_they_mean_in_helm() {
    let mut wrong = Vec::new();
    for (path, case) in cases() {
        let outcome = outcome(&case);
        if std::env::var_os("STOLOS_GOLDEN").is_some_and(|wish| wish == "write") {
            let text = fs::read_to_string(&path).expect("a case");
            let chart = text.split("\n=== ").next().unwrap_or_default().trim_end();
            fs::write(&path, format!("{chart}\n=== {outcome}")).expect("a case is written");
        } else if outcome != case.outcome {
            let diff = similar::TextDiff::from_lines(&case.outcome, &outcome);
            let diff = diff.unified_diff().header("the case", "what comes out").to_string();
            wrong.push(format!("{}\n{diff}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn helm_agrees_on_subcharts() {
    let helm = helm::binary();
    let mut wrong = Vec::new();
    for (path, case) in cases() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let scratch = scratch(&format!("chart-trees-{name}"));
        write_folder(&scratch, &case.files);
        let values = scratch.with_extension("yaml");
        fs::write(&values, &case.values).expect("scratch");
        let theirs = match helm::template(&helm, &scratch, &setting(), &values) {
            Ok(documents) => {
                let shown = documents.iter().map(|one| format!("# Source: {}\n{}\n", one.template, one.text));
                format!("rendered\n{}", shown.collect::<Vec<_>>().join("---\n"))
            }
            Err(error) => format!("refused\n{error}"),
        };
        let alike = match case.outcome.split_once('\n') {
            Some(("refused", _)) => theirs.starts_with("refused\n"),
            _ => theirs == case.outcome,
        };
        if !alike {
            wrong.push(format!("{name}: helm: {theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A chart of a random tree.
#[derive(Debug, Clone)]
struct Plan {
    library: bool,
    values: Value,
    /// None where it declares nothing.
    dependencies: Option<Vec<Wish>>,
    subcharts: Vec<(usize, Plan)>,
}

/// A dependency of a random tree.
#[derive(Debug, Clone)]
struct Wish {
    which: usize,
    version: usize,
    condition: usize,
    tag: usize,
    alias: usize,
    import: usize,
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const KEYS: [&str; 10] = ["a", "b", "c", "global", "tags", "x", "enabled", "exports", "n", "m"];
const VERSIONS: [&str; 5] = ["1.0.0", "*", "^1", ">=2", ""];
const CONDITIONS: [&str; 7] =
    ["", "a.enabled", "enabled", "b.enabled,a.enabled", "x", "global.x", "n.enabled"];
const TAGS: [&str; 3] = ["", "x", "enabled"];
const ALIASES: [&str; 3] = ["", "n", "m"];
const IMPORTS: [&str; 6] = [
    "[]",
    "[x]",
    "[{ child: global, parent: x }]",
    "[{ child: x, parent: . }]",
    "[{ child: exports.x, parent: global.x }, x]",
    "[{ child: a, parent: b.x }]",
];

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(json!("text")),
        (0..3_i32).prop_map(Value::from),
        Just(json!([1, null])),
    ];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        vec((prop::sample::select(&KEYS[..]), inner), 0..4).prop_map(|entries| {
            Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        })
    });
    vec((prop::sample::select(&KEYS[..]), tree), 0..5).prop_map(|entries| {
        let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
        Value::Object(entries.collect::<Map<String, Value>>())
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    let which = (0..NAMES.len(), 0..VERSIONS.len(), 0..CONDITIONS.len());
    let rest = (0..TAGS.len(), 0..ALIASES.len(), 0..IMPORTS.len());
    (which, rest).prop_map(|((which, version, condition), (tag, alias, import))| Wish {
        which,
        version,
        condition,
        tag,
        alias,
        import,
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let leaf = (prop::bool::weighted(0.1), values()).prop_map(|(library, values)| Plan {
        library,
        values,
        dependencies: None,
        subcharts: Vec::new(),
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let dependencies = prop::option::weighted(0.8, vec(wish(), 0..4));
        (values(), dependencies, vec((0..NAMES.len(), inner), 1..4)).prop_map(
            |(values, dependencies, subcharts)| Plan { library: false, values, dependencies, subcharts },
        )
    })
}

/// What every template of a tree shows.
const SHOW: &str = r#"{{- define "show" -}}
apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Template.Name | sha256sum | trunc 20 | printf "m%s" }} }
data:
  values: {{ toJson .Values | quote }}
  chart: {{ printf "%s %v %s %s" .Chart.Name .Chart.IsRoot .Chart.Type .Template.BasePath | quote }}
  who: {{ include "who" . | quote }}
  subcharts: {{ range $name, $scope := .Subcharts }}{{ $name }}={{ toJson $scope.Values | b64enc }} {{ end }}
  dependencies: "{{ range .Chart.Dependencies }}{{ .Name }} {{ .Alias }} {{ .Enabled }} {{ toJson .ImportValues | b64enc }};{{ end }}"
{{- end }}
"#;

fn files(plan: &Plan, name: &str, folder: &str, files: &mut Files) {
    let mut put = |path: &str, text: String| files.insert(format!("{folder}{path}"), text.into_bytes());
    let kind = if plan.library { "library" } else { "application" };
    let mut chart = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\ntype: {kind}\n");
    let known: Vec<usize> = plan.subcharts.iter().map(|(name, _)| *name).collect();
    if let Some(wishes) = &plan.dependencies {
        chart.push_str("dependencies:\n");
        let mut taken = Vec::new();
        for wish in wishes.iter().filter(|wish| known.contains(&wish.which)) {
            let called = if wish.alias == 0 { NAMES[wish.which] } else { ALIASES[wish.alias] };
            if taken.contains(&called) {
                continue;
            }
            taken.push(called);
            chart.push_str(&format!(
                "  - {{ name: {}, version: {:?}, condition: {:?}, tags: [{:?}], alias: {:?}, import-values: {} }}\n",
                NAMES[wish.which],
                VERSIONS[wish.version],
                CONDITIONS[wish.condition],
                TAGS[wish.tag],
                ALIASES[wish.alias],
                IMPORTS[wish.import],
            ));
        }
        if taken.is_empty() {
            chart.push_str("  []\n");
        }
    }
    put("Chart.yaml", chart);
    put("values.yaml", plan.values.to_string());
    put("templates/_who.tpl", format!("{{{{ define \"who\" }}}}{folder}{{{{ end }}}}"));
    put(
        "templates/show.yaml",
        "{{ include \"show\" . }}\n{{ $_ := set .Values \"seen\" .Chart.Name }}".to_owned(),
    );
    let mut there = Vec::new();
    for (name, plan) in &plan.subcharts {
        if !there.contains(name) {
            there.push(*name);
            self::files(plan, NAMES[*name], &format!("{folder}charts/{}/", NAMES[*name]), files);
        }
    }
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn random_trees_of_charts_render_as_helm_renders_them() {
    let helm = helm::binary();
    let trees = std::env::var("STOLOS_DIFFERENTIAL")
        .map_or(TREES, |text| text.parse().expect("STOLOS_DIFFERENTIAL is a number"));
    let seed = seed();
    say(&format!("trees: {trees} by STOLOS_SEED={seed}"));
    let scratch = scratch("chart-random-trees");
    let config =
        Config { cases: trees, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let mut runner = runner(config, seed);
    let given = scratch.with_extension("yaml");
    let rendered = std::cell::Cell::new(0_u32);
    let ended = runner.run(&(plan(), values()), |(plan, values)| {
        let mut all = Files::new();
        all.insert("templates/_show.tpl".to_owned(), SHOW.as_bytes().to_vec());
        files(&Plan { library: false, ..plan }, "root", "", &mut all);
        write_folder(&scratch, &all);
        fs::write(&given, values.to_string()).expect("scratch");
        let Ok(chart) = Chart::load(all) else {
            return match helm::template(&helm, &scratch, &setting(), &given) {
                Ok(_) => Err(TestCaseError::fail("only stolos refuses to read it")),
                Err(_) => Ok(()),
            };
        };
        rendered.set(rendered.get() + 1);
        let mut difference = None;
        for _ in 0..TRIES {
            difference = compare(&helm, &scratch, &chart, &setting(), &given);
            if difference.is_none() {
                break;
            }
        }
        difference.map_or(Ok(()), |difference| Err(TestCaseError::fail(difference)))
    });
    match ended {
        Ok(()) => say(&format!("trees: {} were read and rendered alike", rendered.get())),
        Err(TestError::Fail(difference, tree)) => panic!("{}: {tree:#?}\n{difference}", scratch.display()),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    assert!(rendered.get() > trees / 2, "most trees are read");
}

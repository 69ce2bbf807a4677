//! Istio's own charts with random values, rendered by us and by helm: never a difference.
//!
//! A value set is some mutations of the chart's own values, each of the type of what it replaces or of another one,
//! beside a profile, a platform and a revision. Both sides render it to the same text, or both refuse it. A set that
//! fails is shrunk to the mutations that it takes. `STOLOS_DIFFERENTIAL=N` says how many sets each chart of each
//! version gets (40), `STOLOS_SEED=N` repeats a run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestError};
use serde_json::{Map, Value, json};
use stolos::chart::Chart;

use crate::chart_oracle::compare;
use crate::support::helm::{self, Setting};
use crate::support::matrix::{runner, say, seed};
use crate::support::official::charts_in;
use crate::support::scratch::scratch;

/// How many sets each chart of each version gets.
const SETS: usize = 40;
/// How often a set that fails is tried with less in it.
const SHRINKS: u32 = 60;

const PROFILES: &[&str] = &[
    "ambient",
    "default",
    "demo",
    "empty",
    "minimal",
    "openshift",
    "preview",
    "remote",
    "stable",
    "none-such",
];
const PLATFORMS: &[&str] = &["gke", "k3d", "k3s", "microk8s", "minikube", "openshift", "eks"];
/// Texts that an emitter of YAML has to think about. A tag, an alias, a line break, a null and the like are not among
/// them: a template that writes them as they are makes bad YAML or a nameless object, which helm lets pass in part and
/// we refuse.
const TEXTS: &[&str] = &[
    "",
    "x",
    "true",
    "no",
    "1.5",
    "0x1f",
    " padded ",
    "'quoted'",
    "ümläut",
    "{{ .Release.Name }}",
    "a/very/long/text/that/go-yaml/folds at/eighty columns where/there is/a space/in it",
    "2026-11-27",
    "1_000",
    "1e3",
    "=",
];
const NUMBERS: &[f64] = &[0.0, 1.0, -1.0, 3.0, 80.0, 65536.0, 1_500_000.0, 0.5, 1e21, 2_147_483_648.0];

/// One change of a value set.
#[derive(Debug, Clone)]
struct Mutation {
    /// Which of the chart's own values.
    place: Index,
    /// What becomes of it.
    kind: u8,
    choice: Index,
}

/// What a set begins with.
#[derive(Debug, Clone)]
struct Frame {
    profile: Option<Index>,
    platform: Option<Index>,
    revision: bool,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    (any::<Index>(), 0_u8..10, any::<Index>()).prop_map(|(place, kind, choice)| Mutation {
        place,
        kind,
        choice,
    })
}

fn frame() -> impl Strategy<Value = Frame> {
    let maybe = || prop_oneof![3 => Just(None), 1 => any::<Index>().prop_map(Some)];
    (maybe(), maybe(), proptest::bool::weighted(0.2)).prop_map(|(profile, platform, revision)| Frame {
        profile,
        platform,
        revision,
    })
}

/// The paths of a chart's own values: of what stands in them, and of maps that hold nothing yet.
fn places(defaults: &Value) -> Vec<Vec<String>> {
    fn walk(value: &Value, path: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    path.push(key.clone());
                    walk(value, path, places);
                    path.pop();
                }
            }
            _ => places.push(path.clone()),
        }
    }
    // The official charts keep their defaults below this key, and take values beside it.
    let defaults = defaults.get("_internal_defaults_do_not_set").unwrap_or(defaults);
    let mut places = Vec::new();
    walk(defaults, &mut Vec::new(), &mut places);
    places
}

fn default_at<'v>(defaults: &'v Value, path: &[String]) -> &'v Value {
    let defaults = defaults.get("_internal_defaults_do_not_set").unwrap_or(defaults);
    path.iter().try_fold(defaults, |value, key| value.get(key)).unwrap_or(&Value::Null)
}

/// What a mutation makes of a value: most keep its type.
fn mutated(default: &Value, mutation: &Mutation) -> Value {
    let text = || json!(mutation.choice.get(TEXTS));
    let number = || {
        let number = *mutation.choice.get(NUMBERS);
        if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }
    };
    match (mutation.kind, default) {
        (0, _) => Value::Null,
        (1, _) => text(),
        (2, _) => number(),
        (_, Value::Bool(flag)) => json!(!flag),
        (_, Value::Number(_)) => number(),
        (_, Value::String(_)) => text(),
        (3..=5, Value::Array(_)) => json!([text()]),
        (_, Value::Array(_)) => json!([{"name": "x", "value": text()}]),
        (3..=5, Value::Object(_) | Value::Null) => json!({"a": text()}),
        (6..=7, Value::Object(_) | Value::Null) => json!({"a": {"b": number()}, "c": [text()]}),
        (_, Value::Object(_) | Value::Null) => json!({"enabled": true}),
    }
}

fn put(values: &mut Map<String, Value>, path: &[String], value: Value) {
    let (last, above) = path.split_last().expect("a path has a key");
    let mut map = values;
    for key in above {
        let entry = map.entry(key.clone()).or_insert_with(|| json!({}));
        if !entry.is_object() {
            *entry = json!({});
        }
        map = entry.as_object_mut().expect("it was made one");
    }
    map.insert(last.clone(), value);
}

fn values_of(defaults: &Value, places: &[Vec<String>], frame: &Frame, mutations: &[Mutation]) -> Value {
    let mut values = Map::new();
    for mutation in mutations {
        let path = mutation.place.get(places);
        put(&mut values, path, mutated(default_at(defaults, path), mutation));
    }
    let text = |words: &str| vec![words.to_owned()];
    if let Some(profile) = &frame.profile {
        put(&mut values, &text("profile"), json!(profile.get(PROFILES)));
    }
    if let Some(platform) = &frame.platform {
        let path = ["global".to_owned(), "platform".to_owned()];
        put(&mut values, &path, json!(platform.get(PLATFORMS)));
    }
    if frame.revision {
        put(&mut values, &text("revision"), json!("canary"));
    }
    Value::Object(values)
}

/// A set that both sides do not treat alike, and how; none where there was none.
fn failing(helm: &Path, folder: &Path, sets: usize, seed: u64) -> Option<String> {
    let chart: Chart = helm::chart(folder);
    let text = std::fs::read_to_string(folder.join("values.yaml")).expect("values.yaml");
    let defaults = helm::yaml(&text);
    let places = places(&defaults);
    let name: String = folder.display().to_string().replace('/', "-");
    let scratch = scratch(&format!("chart-differential{name}"));
    let file = scratch.join("values.json");
    let setting = Setting {
        release: format!("my-{}", chart.name()),
        namespace: "istio-system".to_owned(),
        kube_version: "1.33.0",
    };
    let config = Config {
        cases: u32::try_from(sets).expect("a number of sets"),
        max_shrink_iters: SHRINKS,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = runner(config, seed);
    let ended = runner.run(&(frame(), vec(mutation(), 0..7)), |(frame, mutations)| {
        let values = values_of(&defaults, &places, &frame, &mutations);
        // JSON is YAML.
        std::fs::write(&file, values.to_string()).expect("values are written");
        match compare(helm, folder, &chart, &setting, &file) {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(difference)),
        }
    });
    match ended {
        Ok(()) => None,
        Err(TestError::Fail(difference, (frame, mutations))) => {
            let values = values_of(&defaults, &places, &frame, &mutations);
            Some(format!("{}: {values}: {difference}", folder.display()))
        }
        Err(TestError::Abort(reason)) => Some(format!("{}: {reason}", folder.display())),
    }
}

#[test]
#[ignore = "takes helm and Istio's own charts: STOLOS_ISTIO_CHARTS"]
fn official_charts_render_random_values_as_helm_does() {
    let helm = helm::binary();
    let folder = std::env::var_os("STOLOS_ISTIO_CHARTS").expect("STOLOS_ISTIO_CHARTS names a folder");
    let sets = std::env::var("STOLOS_DIFFERENTIAL")
        .map_or(SETS, |text| text.parse().expect("STOLOS_DIFFERENTIAL is a number"));
    let wanted = ["base", "istiod", "gateway", "cni", "ztunnel"];
    let charts: Vec<PathBuf> = charts_in(Path::new(&folder))
        .into_iter()
        .filter(|folder| wanted.contains(&helm::chart(folder).name()))
        .collect();
    assert!(!charts.is_empty(), "no chart of Istio is in that folder");
    let seed = seed();
    say(&format!("differential: {sets} sets for each of {} charts, by STOLOS_SEED={seed}", charts.len()));
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, Into::into);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut wrong = Vec::new();
            while let Some(chart) = charts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = failing(&helm, chart, sets, seed);
                found.iter().for_each(|found| say(&format!("differential: WRONG: {found}")));
                wrong.extend(found);
            }
            wrong
        };
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("no worker panics")).collect()
    });
    let all = sets * charts.len();
    say(&format!(
        "differential: {all} sets in {} s, {} charts wrong",
        start.elapsed().as_secs(),
        wrong.len()
    ));
    assert!(wrong.is_empty(), "by STOLOS_SEED={seed}:\n{}", wrong.join("\n\n"));
}

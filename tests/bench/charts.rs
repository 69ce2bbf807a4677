//! Rendering charts in process against the helm process.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use stolos::chart::{Capabilities, Chart, ChartError, Manifest, ReleaseInfo, embedded, render};

use crate::official;
use crate::support::helm::{self, chart};
use crate::support::official::charts_in;
use crate::table::{Against, Chosen, Row, median, medians};

const KUBE_VERSION: &str = "1.33.0";

struct Case {
    name: String,
    chart: Arc<Chart>,
    folder: PathBuf,
    values: Value,
    /// How many times as fast as the helm process.
    times: f64,
    schema: Schema,
}

/// Whether a chart's schema is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Schema {
    Asked,
    /// It refuses all values, those of the chart itself included: gateway 1.24 has such a one.
    Unasked,
}

impl Schema {
    /// The chart, read anew.
    fn read(self, folder: &Path) -> Chart {
        match self {
            Self::Asked => chart(folder),
            Self::Unasked => chart(folder).without_schema(),
        }
    }

    fn flag(self) -> &'static [&'static str] {
        match self {
            Self::Asked => &[],
            Self::Unasked => &["--skip-schema-validation"],
        }
    }
}

fn rendered(chart: &Chart, values: &Value) -> Result<Vec<Manifest>, ChartError> {
    let capabilities = Capabilities::of_kubernetes(KUBE_VERSION).expect("a version");
    render(chart, black_box(values), &ReleaseInfo::new("bench", "istio-system"), &capabilities)
}

pub(crate) fn rows(chosen: &Chosen) -> Vec<Row> {
    let cases = embedded_cases().into_iter().chain(official_cases());
    let mut rows: Vec<Row> =
        cases.filter(|case| chosen.has(&case.name)).flat_map(|case| rows_of(&case)).collect();
    let official = "chart: official";
    if chosen.has(official) && official::folder().is_none() {
        rows.push(official::left_out(official));
    }
    rows
}

fn embedded_cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chart/embedded");
    let case = |name: &str, chart: Arc<Chart>, values: Value, times| Case {
        name: format!("chart: embedded {name}"),
        folder: folder.join(chart.name()),
        chart,
        values,
        times,
        schema: Schema::Asked,
    };
    vec![
        case("base", embedded::base(), json!({}), 5.0),
        case("istiod", embedded::istiod(), json!({}), 20.0),
        case("istiod, remote profile", embedded::istiod(), remote(), 20.0),
        case("gateway", embedded::gateway(), east_west(), 20.0),
    ]
}

fn remote() -> Value {
    json!({ "profile": "remote", "global": { "remotePilotAddress": "203.0.113.7" } })
}

fn east_west() -> Value {
    json!({ "name": "istio-eastwestgateway", "networkGateway": "network1" })
}

/// Istio's own charts, where a folder of them is at hand.
fn official_cases() -> Vec<Case> {
    let Some(root) = official::folder() else { return Vec::new() };
    let mut cases = Vec::new();
    for folder in charts_in(&root) {
        let chart = chart(&folder);
        let (values, times) = match chart.name() {
            "base" => (json!({}), 5.0),
            "istiod" => (json!({}), 20.0),
            "gateway" => (east_west(), 20.0),
            "cni" | "ztunnel" => (json!({}), 20.0),
            _ => continue,
        };
        // The folder that the versions lie in, or one of them.
        let below = folder.strip_prefix(&root).unwrap_or(&folder);
        let version = below.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let version = version.filter(|part| part.starts_with("1.")).unwrap_or_default();
        let name = format!("chart: official {} {version}", chart.name());
        let schema = if rendered(&chart, &values).is_ok() { Schema::Asked } else { Schema::Unasked };
        cases.push(Case { name, chart: Arc::new(schema.read(&folder)), folder, values, times, schema });
    }
    cases
}

/// The first rendering of a process, files read and templates parsed, as helm has to do it every time;
/// and one of the many that follow in a compile of many clusters.
fn rows_of(case: &Case) -> [Row; 2] {
    let rendered =
        |chart: &Chart| drop(black_box(rendered(chart, &case.values).expect("the values are taken")));
    let once = || rendered(&case.schema.read(&case.folder));
    let (first, against) = match helm::find() {
        Some(helm) => {
            let values = values_file(case);
            let (first, takes) = medians(5, once, || run_helm(&helm, case, &values));
            (first, Against::Other { name: "helm", takes, times: case.times })
        }
        None => (median(10, once), Against::Nothing("no helm to compare with")),
    };
    let next = median(50, || rendered(&case.chart));
    [
        Row { name: case.name.clone(), ours: first, against },
        Row { name: format!("{}, once more", case.name), ours: next, against: Against::Nothing("") },
    ]
}

fn values_file(case: &Case) -> PathBuf {
    let values = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/bench-values.json");
    std::fs::create_dir_all(values.parent().expect("a folder")).expect("a folder for values");
    std::fs::write(&values, case.values.to_string()).expect("values are written");
    values
}

fn run_helm(helm: &Path, case: &Case, values: &Path) {
    let output = Command::new(helm)
        .args(["template", "bench"])
        .arg(&case.folder)
        .args(["--namespace", "istio-system", "--kube-version", KUBE_VERSION, "--values"])
        .arg(values)
        .args(case.schema.flag())
        .output()
        .expect("helm starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

//! Our rendering of charts against helm's, document by document.

use std::path::{Path, PathBuf};

use stolos::chart::{Capabilities, Chart, ChartError, Manifest, ReleaseInfo, render};

use crate::support::helm::{self, Document, Setting};
use crate::support::official;

fn ours(chart: &Chart, setting: &Setting, values: &Path) -> Result<Vec<Manifest>, ChartError> {
    let text = std::fs::read_to_string(values).expect("values");
    let capabilities = Capabilities::of_kubernetes(setting.kube_version).expect("a version");
    let release = ReleaseInfo::new(setting.release.as_str(), setting.namespace.as_str());
    render(chart, &helm::yaml(&text), &release, &capabilities)
}

/// What differs between both sides; none where nothing does.
fn difference(ours: &[Manifest], helms: &[Document]) -> Option<String> {
    for (our, helm) in ours.iter().zip(helms) {
        if our.template != helm.template || our.text != helm.text {
            let diff = similar::TextDiff::from_lines(&helm.text, &our.text);
            let diff = diff.unified_diff().header("helm", "stolos").to_string();
            return Some(format!("{} against {}\n{diff}", our.template, helm.template));
        }
        let object = serde_json::Value::Object(our.object.as_map().clone());
        if object != helm::yaml(&helm.text) {
            return Some(format!("{}: equal texts, different objects", our.template));
        }
    }
    (ours.len() != helms.len()).then(|| format!("{} documents against {} of helm", ours.len(), helms.len()))
}

/// Both sides of one case; what is wrong, if anything.
fn compare(helm: &Path, folder: &Path, chart: &Chart, setting: &Setting, values: &Path) -> Option<String> {
    let theirs = helm::template(helm, folder, setting, values);
    match (ours(chart, setting, values), theirs) {
        (Ok(ours), Ok(theirs)) => difference(&ours, &theirs),
        (Err(_), Err(_)) => None,
        (Ok(_), Err(error)) => Some(format!("only helm refuses: {error}")),
        (Err(error), Ok(_)) => Some(format!("only stolos refuses: {error}")),
    }
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of values");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// The namespace that tests/charts/README.md promises.
fn setting_of(chart: &str, values: &Path) -> Setting {
    let values = helm::yaml(&std::fs::read_to_string(values).expect("values"));
    let namespace = values.pointer("/global/istioNamespace").and_then(|namespace| namespace.as_str());
    Setting {
        release: format!("istio-{chart}"),
        namespace: namespace.unwrap_or("istio-system").to_owned(),
        kube_version: "1.33.0",
    }
}

const CHARTS: [&str; 3] = ["base", "istiod", "gateway"];

fn embedded(chart: &str) -> PathBuf {
    helm::root().join("src/chart/embedded").join(chart)
}

#[test]
fn embedded_charts_render_as_helm_renders_them() {
    let cases: Vec<(&str, PathBuf)> = CHARTS
        .into_iter()
        .flat_map(|chart| {
            let values = yaml_files(&helm::root().join("tests/charts").join(chart));
            values.into_iter().map(move |values| (chart, values))
        })
        .collect();
    let Some(helm) = helm::binary() else {
        return helm::left_out(cases.len(), "values of the embedded charts", "no helm");
    };
    assert!(cases.len() >= 30, "{} value sets", cases.len());
    let mut wrong = Vec::new();
    for (name, values) in cases {
        let folder = embedded(name);
        let chart = helm::chart(&folder);
        let setting = setting_of(name, &values);
        let theirs = helm::template(&helm, &folder, &setting, &values);
        let found = match (ours(&chart, &setting, &values), theirs) {
            (Ok(ours), Ok(theirs)) => difference(&ours, &theirs),
            (ours, theirs) => Some(format!("stolos: {:?}, helm: {:?}", ours.err(), theirs.err())),
        };
        wrong.extend(found.map(|found| format!("{}: {found}", values.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn embedded_charts_refuse_in_both() {
    let mut wrong = Vec::new();
    let helm = helm::binary();
    let mut cases = 0;
    for name in CHARTS {
        let refused = helm::root().join("tests/charts").join(name).join("refused");
        if !refused.is_dir() {
            continue;
        }
        let folder = embedded(name);
        let chart = helm::chart(&folder);
        for values in yaml_files(&refused) {
            cases += 1;
            let setting = setting_of(name, &values);
            let text = std::fs::read_to_string(&values).expect("values");
            let says = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a first line");
            match ours(&chart, &setting, &values) {
                Ok(_) => wrong.push(format!("{}: stolos takes it", values.display())),
                Err(error) if !error.fault.to_string().contains(says) => {
                    wrong.push(format!("{}: stolos says {error}", values.display()));
                }
                Err(_) => {}
            }
            if let Some(helm) = &helm
                && helm::template(helm, &folder, &setting, &values).is_ok()
            {
                wrong.push(format!("{}: helm takes it", values.display()));
            }
        }
    }
    if helm.is_none() {
        helm::left_out(cases, "helm's side of values that are refused", "no helm");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn helm_lint_passes_embedded_charts() {
    let Some(helm) = helm::binary() else {
        return helm::left_out(CHARTS.len(), "helm lint of the embedded charts", "no helm");
    };
    for name in CHARTS {
        let output = std::process::Command::new(&helm)
            .args(["lint", "--strict"])
            .arg(embedded(name))
            .output()
            .expect("helm starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// Istio's own charts, of whatever versions the folder has, byte for byte.
#[test]
fn official_charts_render_as_helm_renders_them() {
    let cases = official::CASES.len();
    let (helm, folder) = match (helm::binary(), std::env::var_os("STOLOS_ISTIO_CHARTS")) {
        (Some(helm), Some(folder)) => (helm, PathBuf::from(folder)),
        (_, None) => {
            return helm::left_out(cases, "Istio's charts", "no STOLOS_ISTIO_CHARTS");
        }
        (None, Some(_)) => return helm::left_out(cases, "Istio's charts", "no helm"),
    };
    let scratch = helm::root().join("target/tmp/chart-oracle");
    std::fs::create_dir_all(&scratch).expect("a folder for values");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for folder in official::charts_in(&folder) {
        let chart = helm::chart(&folder);
        for (at, case) in official::CASES.iter().enumerate().filter(|(_, case)| case.chart == chart.name()) {
            let values = scratch.join(format!("{at}.yaml"));
            std::fs::write(&values, case.values).expect("values are written");
            let setting = Setting {
                release: format!("my-{}", case.chart),
                namespace: "istio-system".to_owned(),
                kube_version: case.kube_version,
            };
            let found = compare(&helm, &folder, &chart, &setting, &values);
            wrong.extend(found.map(|found| format!("{}: {}: {found}", folder.display(), case.values)));
            compared += 1;
        }
    }
    assert!(compared > 0, "no chart of Istio is in that folder");
    assert!(wrong.is_empty(), "{} of {compared}\n{}", wrong.len(), wrong.join("\n"));
}

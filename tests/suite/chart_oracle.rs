//! Our rendering of charts against helm's, document by document.

use std::path::{Path, PathBuf};

use stolos::chart::{Capabilities, Chart, ChartError, Manifest, ReleaseInfo, render};

use crate::support::helm::{self, Document, Setting};
use crate::support::official;
use crate::support::scratch::scratch;

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
pub(crate) fn compare(
    helm: &Path,
    folder: &Path,
    chart: &Chart,
    setting: &Setting,
    values: &Path,
) -> Option<String> {
    let theirs = helm::template(helm, folder, setting, values);
    match (ours(chart, setting, values), theirs) {
        (Ok(ours), Ok(theirs)) => difference(&ours, &theirs),
        (Err(_), Err(_)) => None,
        (Ok(_), Err(error)) => Some(format!("only helm refuses: {error}")),
        (Err(_), Ok(theirs)) if theirs.iter().any(is_nameless) || has_twins(&theirs) => None,
        (Err(error), Ok(_)) => Some(format!("only stolos refuses: {error}")),
    }
}

/// Whether no API server would take a document, since its name is none or no text: helm prints it, and we refuse it.
fn is_nameless(document: &Document) -> bool {
    !helm::yaml(&document.text).pointer("/metadata/name").is_some_and(serde_json::Value::is_string)
}

/// Whether one object is there twice: helm prints both, and we refuse them. Istio's istiod 1.25 and 1.26 has two Services
/// of one name where `remotePilotAddress` is given to a primary.
fn has_twins(documents: &[Document]) -> bool {
    let name = |document: &Document| {
        let object = helm::yaml(&document.text);
        ["/apiVersion", "/kind", "/metadata/namespace", "/metadata/name"]
            .map(|path| object.pointer(path).cloned())
    };
    let names: Vec<_> = documents.iter().map(name).collect();
    names.iter().enumerate().any(|(at, name)| names[..at].contains(name))
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
#[ignore = "takes helm: tests/tools/build-helm"]
fn embedded_charts_render_as_helm_renders_them() {
    let cases: Vec<(&str, PathBuf)> = CHARTS
        .into_iter()
        .flat_map(|chart| {
            let values = yaml_files(&helm::root().join("tests/charts").join(chart));
            values.into_iter().map(move |values| (chart, values))
        })
        .collect();
    let helm = helm::binary();
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

/// Every value set that a chart must refuse, with what must be said of it: its first line.
fn refused_values() -> Vec<(&'static str, PathBuf, String)> {
    let mut found = Vec::new();
    for name in CHARTS {
        let refused = helm::root().join("tests/charts").join(name).join("refused");
        if !refused.is_dir() {
            continue;
        }
        for values in yaml_files(&refused) {
            let text = std::fs::read_to_string(&values).expect("values");
            let says = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a first line");
            found.push((name, values, says.to_owned()));
        }
    }
    found
}

#[test]
fn embedded_charts_refuse_what_they_do_not_honour() {
    let mut wrong = Vec::new();
    for (name, values, says) in refused_values() {
        let chart = helm::chart(&embedded(name));
        match ours(&chart, &setting_of(name, &values), &values) {
            Ok(_) => wrong.push(format!("{}: stolos takes it", values.display())),
            Err(error) if !error.fault.to_string().contains(&says) => {
                wrong.push(format!("{}: stolos says {error}", values.display()));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn helm_refuses_the_same_of_embedded_charts() {
    let helm = helm::binary();
    let taken = refused_values().into_iter().filter(|(name, values, _)| {
        helm::template(&helm, &embedded(name), &setting_of(name, values), values).is_ok()
    });
    let wrong: Vec<String> =
        taken.map(|(_, values, _)| format!("{}: helm takes it", values.display())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn helm_lint_passes_embedded_charts() {
    let helm = helm::binary();
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
#[ignore = "takes helm and Istio's own charts: STOLOS_ISTIO_CHARTS"]
fn official_charts_render_as_helm_renders_them() {
    let helm = helm::binary();
    let folder = std::env::var_os("STOLOS_ISTIO_CHARTS").expect("STOLOS_ISTIO_CHARTS names a folder");
    let folder = PathBuf::from(folder);
    let scratch = scratch("chart-oracle");
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

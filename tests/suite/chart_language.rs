//! The template language and its functions, case by case, against Go's answers.
//!
//! tests/data/templates/*.txt hold a template a line (`⏎` is a line break) and below it what Go writes
//! (`=>`) or what we say of it (`!!`, where helm fails too). With helm at hand, it is asked again.

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use stolos::chart::{Capabilities, Chart, ReleaseInfo, render};

use crate::support::helm;
use crate::support::scratch::scratch;

struct Case {
    place: String,
    template: String,
    outcome: Result<String, String>,
}

fn data() -> PathBuf {
    helm::root().join("tests/data/templates")
}

fn cases(file: &str) -> Vec<Case> {
    let text = std::fs::read_to_string(data().join(file)).expect("a file of cases");
    let mut cases = Vec::new();
    let mut template = None;
    for (line, words) in
        (1..).zip(text.lines()).filter(|(_, words)| !words.is_empty() && !words.starts_with("# "))
    {
        let plain = |words: &str| words.replace('⏎', "\n");
        let outcome = if let Some(words) = words.strip_prefix("=> ").or_else(|| words.strip_prefix("=>")) {
            Ok(plain(words))
        } else if let Some(words) = words.strip_prefix("!! ") {
            Err(plain(words))
        } else {
            template = Some(plain(words));
            continue;
        };
        let template = template.take().expect("a template stands above every outcome");
        cases.push(Case { place: format!("{file}:{line}"), template, outcome });
    }
    assert!(template.is_none(), "{file}: the last template has no outcome");
    cases
}

/// A chart that writes every template's text into one ConfigMap.
fn files(templates: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cases\ndata:\n".to_owned();
    let mut files = Vec::new();
    for (at, template) in templates.iter().enumerate() {
        map.push_str(&format!("  c{at}: \"{{{{ include \"cases/templates/_{at}.tpl\" . | b64enc }}}}\"\n"));
        files.push((format!("templates/_{at}.tpl"), (*template).to_owned()));
    }
    let values = std::fs::read_to_string(data().join("values.yaml")).expect("values");
    files.extend([
        (
            "Chart.yaml".to_owned(),
            "apiVersion: v2\nname: cases\nversion: 1.2.3\nappVersion: \"4.5\"\n".to_owned(),
        ),
        ("values.yaml".to_owned(), values),
        ("files/a.txt".to_owned(), "one\ntwo\n".to_owned()),
        ("files/b.yaml".to_owned(), "k: v\n".to_owned()),
        ("templates/cases.yaml".to_owned(), map),
    ]);
    files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect()
}

fn texts(map: &serde_json::Value, count: usize) -> Vec<String> {
    (0..count)
        .map(|at| {
            let encoded = map["data"][format!("c{at}")].as_str().expect("a case's text");
            let bytes = BASE64_STANDARD.decode(encoded).expect("base64");
            String::from_utf8_lossy(&bytes).into_owned()
        })
        .collect()
}

pub(crate) fn ours(templates: &[&str]) -> Result<Vec<String>, String> {
    let words = |error: stolos::chart::ChartError| error.to_string();
    let chart = Chart::load(files(templates)).map_err(words)?;
    let capabilities = Capabilities::of_kubernetes("1.33.0").expect("a version");
    let release = ReleaseInfo::new("rel", "ns");
    let manifests = render(&chart, &serde_json::Value::Null, &release, &capabilities).map_err(words)?;
    let map = serde_json::Value::Object(manifests[0].object.as_map().clone());
    Ok(texts(&map, templates.len()))
}

pub(crate) fn helms(helm: &Path, folder: &Path, templates: &[&str]) -> Option<Vec<String>> {
    std::fs::remove_dir_all(folder).ok();
    for (path, content) in files(templates) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of the chart");
        std::fs::write(path, content).expect("a file of the chart");
    }
    let output = std::process::Command::new(helm)
        .args(["template", "rel"])
        .arg(folder)
        .args(["--namespace", "ns", "--kube-version", "1.33.0"])
        .output()
        .expect("helm starts");
    output.status.success().then(|| {
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        texts(&helm::yaml(&text), templates.len())
    })
}

fn shown(outcome: &Result<String, String>) -> String {
    match outcome {
        Ok(text) => format!("=> {}", text.replace('\n', "⏎")),
        Err(error) => format!("!! {}", error.replace('\n', "⏎")),
    }
}

fn check(file: &str) {
    let cases = cases(file);
    let mut wrong = Vec::new();
    for case in &cases {
        let outcome = ours(&[&case.template]).map(|mut texts| texts.remove(0));
        if outcome != case.outcome {
            let (is, wants) = (shown(&outcome), shown(&case.outcome));
            wrong.push(format!("{}: {}\n   {is}\n   wanted\n   {wants}", case.place, case.template));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check_with_helm(file: &str) {
    let cases = cases(file);
    let helm = helm::binary();
    let folder = scratch(&format!("chart-language-{file}"));
    let mut wrong = Vec::new();
    let written: Vec<&Case> = cases.iter().filter(|case| case.outcome.is_ok()).collect();
    let templates: Vec<&str> = written.iter().map(|case| case.template.as_str()).collect();
    // Each alone would be as many processes; definitions have names of their own in every case.
    let texts = helms(&helm, &folder, &templates).expect("helm writes what Go writes");
    for (case, text) in written.iter().zip(texts) {
        if case.outcome.as_ref() != Ok(&text) {
            wrong.push(format!("{}: helm writes {}", case.place, shown(&Ok(text))));
        }
    }
    for case in cases.iter().filter(|case| case.outcome.is_err()) {
        if let Some(texts) = helms(&helm, &folder, &[&case.template]) {
            wrong.push(format!("{}: helm writes {texts:?}", case.place));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn language_means_what_it_means_in_go() {
    check("language.txt");
}

#[test]
fn functions_give_what_they_give_in_helm() {
    check("functions.txt");
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn helm_agrees_on_the_language() {
    check_with_helm("language.txt");
}

#[test]
#[ignore = "takes helm: tests/tools/build-helm"]
fn helm_agrees_on_the_functions() {
    check_with_helm("functions.txt");
}

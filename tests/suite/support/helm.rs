//! The `helm` process, the oracle of the chart tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use stolos::chart::Chart;
use stolos::document::SourceId;
use stolos::document::yaml::{Limits, Schema, parse_one};

/// The release that both sides render.
pub(crate) struct Setting {
    pub(crate) release: String,
    pub(crate) namespace: String,
    pub(crate) kube_version: &'static str,
}

/// One document of `helm template`.
#[derive(Debug, PartialEq)]
pub(crate) struct Document {
    pub(crate) template: String,
    pub(crate) text: String,
}

/// The oracle: `STOLOS_HELM`, or what tests/tools/build-helm built.
pub(crate) fn find() -> Option<PathBuf> {
    let built = || {
        let path = root().join("target/tools/helm");
        path.is_file().then_some(path)
    };
    std::env::var_os("STOLOS_HELM").map(PathBuf::from).or_else(built)
}

/// The same for a test that was asked for.
pub(crate) fn binary() -> PathBuf {
    find().expect("there is no helm: tests/tools/build-helm builds it")
}

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `helm template`; the error is what it said.
pub(crate) fn template(
    helm: &Path,
    chart: &Path,
    setting: &Setting,
    values: &Path,
) -> Result<Vec<Document>, String> {
    let output = Command::new(helm)
        .arg("template")
        .arg(&setting.release)
        .arg(chart)
        .args(["--namespace", &setting.namespace, "--kube-version", setting.kube_version, "--include-crds"])
        .arg("--values")
        .arg(values)
        .output()
        .expect("helm starts");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(documents(&String::from_utf8(output.stdout).expect("helm writes UTF-8")))
}

/// Documents that say something and are no hooks.
fn documents(stdout: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    for part in format!("\n{stdout}").split("\n---\n# Source: ").skip(1) {
        let (template, text) = part.split_once('\n').expect("a document stands under its source");
        let text = text.trim().to_owned();
        let json = yaml(&text);
        let is_hook = json.pointer("/metadata/annotations/helm.sh~1hook").is_some();
        if !json.is_null() && !is_hook {
            documents.push(Document { template: template.to_owned(), text });
        }
    }
    documents
}

/// A text as go-yaml reads it.
pub(crate) fn yaml(text: &str) -> serde_json::Value {
    let node = parse_one(SourceId(0), text, Schema::Go, Limits::MANIFESTS)
        .into_result()
        .unwrap_or_else(|fault| panic!("{fault:?} in\n{text}"));
    node.map_or(serde_json::Value::Null, |node| node.to_json())
}

/// A chart of the file system.
pub(crate) fn chart(folder: &Path) -> Chart {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder of the chart") {
            let entry = entry.expect("an entry");
            let path = entry.path();
            if entry.file_type().expect("a kind of file").is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below the chart");
                let name = name.to_str().expect("a name in UTF-8").to_owned();
                files.push((name, std::fs::read(&path).expect("a readable file")));
            }
        }
    }
    Chart::load(files).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

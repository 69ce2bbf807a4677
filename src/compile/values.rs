//! The values of releases as files: for whoever installs them in our place.
//!
//! `DIR/<cluster>/<chart>.yaml`, one for each release, exactly what Stolos would give it, but for what is a matter
//! of its own apply. A comment says what the file is for and how helm takes it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fill::holes_of;
use super::{CompiledFile, Desired, Hole, ROOT_DIGEST, Release};
use crate::diagnostic::listed;
use crate::document::emit::to_yaml;
use crate::topology::{ChartName, ClusterName, VersionRule};

/// Where Istio publishes its charts (`manifests/charts/README.md`, 1.30.3).
const REPOSITORY: &str = "https://istio-release.storage.googleapis.com/charts";

/// Every file of the folder, sorted by path: a list of releases, and the values of each.
pub fn values_files(desired: &Desired) -> Vec<CompiledFile> {
    let mut list = String::new();
    let mut files = Vec::new();
    for unit in &desired.units {
        let Some(release) = &unit.content.release else { continue };
        let file = file(desired, &unit.unit.cluster, release);
        list.push_str(&format!("{} {} {}\n", unit.unit, release.name, file.path));
        files.push(file);
    }
    files.push(CompiledFile { path: "values.txt".to_owned(), text: list.into() });
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn file(desired: &Desired, cluster: &ClusterName, release: &Release) -> CompiledFile {
    let path = release.values_file(cluster);
    let Release { chart, name, namespace, .. } = release;
    let (chart, version) = (chart.as_str(), desired.mesh.version);
    let context = shell_word(&desired.clusters[cluster].context);
    let schema = match release.chart {
        ChartName::Gateway if VersionRule::GatewaySchemaRefusesAll.holds(version) => {
            " --skip-schema-validation"
        }
        ChartName::Base | ChartName::Cni | ChartName::Istiod | ChartName::Gateway => "",
    };
    let mut text = format!(
        "# Release {name} in namespace {namespace} of {cluster}: chart {chart} {version}.\n\
         # Written by `stolos compile --values`: to change something, change the topology.\n\
         # helm upgrade --install {name} {chart} --repo {REPOSITORY} --version {version} \
         --kube-context {context} -n {namespace} -f {path}{schema}\n"
    );
    let values = release.exported();
    let holes: Vec<String> = release.open_holes().iter().map(Hole::marker).collect();
    if !holes.is_empty() {
        text.push_str(&format!(
            "# Known only once the mesh runs, to be put in by hand: {}\n",
            listed(holes.iter().map(String::as_str))
        ));
    }
    text.push_str(&to_yaml(&Value::Object(values)));
    CompiledFile { path, text: text.into() }
}

impl Release {
    /// The file of its values. A cluster has one release of a chart at most.
    pub(super) fn values_file(&self, cluster: &ClusterName) -> String {
        format!("{cluster}/{}.yaml", self.chart.as_str())
    }

    /// Its values without what Stolos puts there for its own applies: the digest by which istiod's pods start
    /// anew with another root.
    fn exported(&self) -> Map<String, Value> {
        let mut values = Map::clone(&self.values);
        without(&mut values, &["pilot", "podAnnotations", ROOT_DIGEST]);
        values
    }

    /// The holes that its values have as a file.
    pub fn open_holes(&self) -> BTreeSet<Hole> {
        holes_of(self.exported().values())
    }
}

/// Takes a value out of a map, and every map on the way to it that holds nothing else.
fn without(map: &mut Map<String, Value>, path: &[&str]) {
    match path {
        [] => {}
        [only] => {
            map.remove(*only);
        }
        [first, rest @ ..] => {
            let Some(Value::Object(inner)) = map.get_mut(*first) else { return };
            let was_there = inner.len();
            without(inner, rest);
            if inner.is_empty() && was_there > 0 {
                map.remove(*first);
            }
        }
    }
}

/// A text as one word of a shell.
pub(super) fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("'{}'", text.replace('\'', r"'\''"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_taken_out_leaves_no_empty_maps_and_touches_nothing_else() {
        let taken = |value: Value| {
            let Value::Object(mut map) = value else { panic!("a map") };
            without(&mut map, &["pilot", "podAnnotations", "a"]);
            Value::Object(map)
        };
        assert_eq!(taken(json!({"pilot": {"podAnnotations": {"a": 1}}})), json!({}));
        assert_eq!(
            taken(json!({"pilot": {"podAnnotations": {"a": 1, "b": 2}, "env": {}}})),
            json!({"pilot": {"podAnnotations": {"b": 2}, "env": {}}})
        );
        assert_eq!(taken(json!({"pilot": {"podAnnotations": {}}})), json!({"pilot": {"podAnnotations": {}}}));
        assert_eq!(taken(json!({"pilot": 1})), json!({"pilot": 1}));
    }

    #[test]
    fn a_shell_takes_a_word_as_it_is_meant() {
        assert_eq!(shell_word("arn:aws:eks:eu-west-1:1:cluster/a"), "arn:aws:eks:eu-west-1:1:cluster/a");
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_word(""), "''");
    }
}

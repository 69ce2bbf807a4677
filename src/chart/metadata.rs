//! `Chart.yaml`: what a chart says of itself.

use crate::document::number::go_general;
use crate::document::{Entry, Kind, Node};

use super::error::ChartError;
use super::load::{at_file, not_a_chart, yaml_map};
use super::value::{Host, List, Map, Text, Value, host, texts};

/// A chart's `Chart.yaml`, as plain data.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) version: String,
    /// The versions of Kubernetes that it is for.
    pub(super) kube_version: String,
    texts: Vec<(&'static str, String)>,
    lists: Vec<(&'static str, Vec<String>)>,
    annotations: Vec<(String, String)>,
    maintainers: Vec<[String; 3]>,
    deprecated: bool,
}

/// Go's name of a field, and its name in the file.
const TEXTS: &[(&str, &str)] = &[
    ("APIVersion", "apiVersion"),
    ("Name", "name"),
    ("Version", "version"),
    ("AppVersion", "appVersion"),
    ("Description", "description"),
    ("Home", "home"),
    ("Icon", "icon"),
    ("KubeVersion", "kubeVersion"),
    ("Type", "type"),
    ("Condition", "condition"),
    ("Tags", "tags"),
];
const LISTS: &[(&str, &str)] = &[("Keywords", "keywords"), ("Sources", "sources")];
const FILE: &str = "Chart.yaml";

impl Metadata {
    pub(super) fn read(text: &str) -> Result<Self, ChartError> {
        let node = yaml_map("a chart", FILE, text)?;
        let entries = match node {
            Some(Node { kind: Kind::Map(entries), .. }) => entries,
            Some(_) | None => Vec::new(),
        };
        let refused = |what: String| at_file("a chart", FILE, not_a_chart(what));
        let find = |key: &str| entries.iter().rev().find(|entry| entry.key.value == key);
        let text = |key: &str| match find(key) {
            None => Ok(String::new()),
            Some(entry) => scalar(&entry.value).ok_or_else(|| refused(format!("`{key}` is not a text"))),
        };
        let name = text("name")?;
        if name.is_empty() || name.contains('/') {
            return Err(refused("`name` is missing or is no name".to_owned()));
        }
        if text("type")?.eq_ignore_ascii_case("library") {
            return Err(refused("a library chart renders nothing by itself".to_owned()));
        }
        if find("dependencies")
            .is_some_and(|entry| !matches!(&entry.value.kind, Kind::List(l) if l.is_empty()))
        {
            return Err(refused(
                "a chart with subcharts (`dependencies`) cannot be rendered here".to_owned(),
            ));
        }
        let api_version = text("apiVersion")?;
        if !matches!(api_version.as_str(), "" | "v1" | "v2") {
            return Err(refused(format!("`apiVersion` is {api_version:?}; v1 and v2 are known")));
        }
        let mut texts = Vec::new();
        for (go, key) in TEXTS {
            texts.push((*go, text(key)?));
        }
        let mut lists = Vec::new();
        for (go, key) in LISTS {
            let items = match find(key).map(|entry| &entry.value.kind) {
                None | Some(Kind::Null) => Some(Vec::new()),
                Some(Kind::List(items)) => items.iter().map(scalar).collect(),
                Some(_) => None,
            };
            lists.push((*go, items.ok_or_else(|| refused(format!("`{key}` is not a list of texts")))?));
        }
        let annotations = match find("annotations").map(|entry| &entry.value.kind) {
            None | Some(Kind::Null) => Some(Vec::new()),
            Some(Kind::Map(entries)) => entries.iter().map(named_scalar).collect(),
            Some(_) => None,
        };
        let maintainers = match find("maintainers").map(|entry| &entry.value.kind) {
            None | Some(Kind::Null) => Some(Vec::new()),
            Some(Kind::List(items)) => items.iter().map(maintainer).collect(),
            Some(_) => None,
        };
        Ok(Self {
            version: text("version")?,
            kube_version: text("kubeVersion")?,
            texts,
            lists,
            annotations: annotations
                .ok_or_else(|| refused("`annotations` is not a map of texts".to_owned()))?,
            maintainers: maintainers
                .ok_or_else(|| refused("`maintainers` is not a list of people".to_owned()))?,
            deprecated: find("deprecated").is_some_and(|entry| entry.value.kind == Kind::Bool(true)),
            name,
        })
    }

    /// `.Chart`.
    pub(super) fn to_value(&self) -> Value {
        let text_fields = self.texts.iter().map(|(go, text)| (*go, Value::text(text.as_str())));
        let list_fields = self.lists.iter().map(|(go, items)| (*go, texts(items.iter().map(String::as_str))));
        let annotations = self
            .annotations
            .iter()
            .map(|(key, text)| (Text::from(key.as_str()), Value::text(text.as_str())))
            .collect();
        let maintainers: List = self.maintainers.iter().map(maintainer_value).collect();
        let others = [
            ("Annotations", Value::Map(Map::of_texts(annotations))),
            ("Maintainers", Value::List(maintainers)),
            ("Dependencies", Value::List(List::default())),
            ("Deprecated", Value::Bool(self.deprecated)),
            ("IsRoot", Value::Bool(true)),
        ];
        host(Host::Struct {
            type_name: "struct { chart.Metadata; IsRoot bool }",
            fields: text_fields.chain(list_fields).chain(others).collect(),
        })
    }
}

fn maintainer_value([name, email, url]: &[String; 3]) -> Value {
    host(Host::Struct {
        type_name: "chart.Maintainer",
        fields: [("Name", name), ("Email", email), ("URL", url)]
            .map(|(go, text)| (go, Value::text(text.as_str())))
            .into(),
    })
}

/// A scalar where Go has a string: a number is written in Go's words.
fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Null => Some(String::new()),
        Kind::Text(text) => Some(text.clone()),
        Kind::Bool(truth) => Some(truth.to_string()),
        Kind::Number(words) => Some(match (words.parse::<i64>(), words.parse::<f64>()) {
            (Ok(whole), _) => whole.to_string(),
            (Err(_), Ok(float)) => go_general(float),
            (Err(_), Err(_)) => words.clone(),
        }),
        Kind::List(_) | Kind::Map(_) => None,
    }
}

fn named_scalar(entry: &Entry) -> Option<(String, String)> {
    Some((entry.key.value.clone(), scalar(&entry.value)?))
}

fn maintainer(node: &Node) -> Option<[String; 3]> {
    let Kind::Map(entries) = &node.kind else { return None };
    let text = |key: &str| match entries.iter().find(|entry| entry.key.value == key) {
        Some(entry) => scalar(&entry.value),
        None => Some(String::new()),
    };
    Some([text("name")?, text("email")?, text("url")?])
}

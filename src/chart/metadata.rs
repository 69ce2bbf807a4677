//! `Chart.yaml`: what a chart says of itself.

use crate::document::number::go_general;
use crate::document::{Entry, Kind, Node};

use super::dependency::Dependency;
use super::error::ChartError;
use super::function::is_version;
use super::part::{Home, not_a_chart};
use super::value::{Element, Host, List, Map, Text, Value, host, is_printable, texts};

/// A chart's `Chart.yaml`, as plain data.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) kind: ChartKind,
    /// The versions of Kubernetes that it is for.
    pub(super) kube_version: String,
    /// Whether `apiVersion` is `v1`, whose dependencies may stand in a file of their own.
    pub(super) generation: Generation,
    /// The subcharts that it takes; none where it says nothing of them, and then all in its folder are taken.
    pub(super) dependencies: Option<Vec<Dependency>>,
    texts: Vec<(&'static str, String)>,
    lists: Vec<(&'static str, Option<Vec<String>>)>,
    annotations: Option<Vec<(String, String)>>,
    maintainers: Option<Vec<[String; 3]>>,
    deprecated: bool,
}

/// What a chart is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChartKind {
    /// It is installed.
    Application,
    /// It lends its named templates to others, and renders nothing.
    Library,
}

/// `apiVersion` of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// `v1`, or nothing.
    V1,
    /// `v2`.
    V2,
}

/// Whether a chart is the one that is installed or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    Root,
    Subchart,
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
/// What helm takes as it is; of all other texts it makes one printable line (`sanitizeString`, pkg/chart/metadata.go, 3.22).
const AS_WRITTEN: &[&str] = &["apiVersion", "version", "type"];
const FILE: &str = "Chart.yaml";
/// Where charts of the first generation have their dependencies.
pub(super) const REQUIREMENTS: &str = "requirements.yaml";

impl Metadata {
    /// Reads `Chart.yaml`, and the `dependencies` of a `requirements.yaml` beside it.
    pub(super) fn read(home: &Home, text: &str, requirements: Option<&str>) -> Result<Self, ChartError> {
        let entries = entries_of(home, FILE, text)?;
        let refused = |what: String| home.fault(FILE, not_a_chart(what));
        let find = |key: &str| entries.iter().rev().find(|entry| entry.key.value == key);
        let text = |key: &str| match find(key) {
            None => Ok(String::new()),
            Some(entry) => {
                let text = scalar(&entry.value).ok_or_else(|| refused(format!("`{key}` is not a text")))?;
                Ok(if AS_WRITTEN.contains(&key) { text } else { sanitized(&text) })
            }
        };
        let name = text("name")?;
        if matches!(name.as_str(), "" | "." | "..") || name.contains('/') {
            return Err(refused("`name` is missing or is no name".to_owned()));
        }
        let version = text("version")?;
        if !is_version(&version) {
            return Err(refused(format!("`version` is missing or is no version: {version:?}")));
        }
        let kind = match text("type")?.as_str() {
            "" | "application" => ChartKind::Application,
            "library" => ChartKind::Library,
            other => return Err(refused(format!("`type` is {other:?}; application and library are known"))),
        };
        let generation = match text("apiVersion")?.as_str() {
            "" | "v1" => Generation::V1,
            "v2" => Generation::V2,
            other => return Err(refused(format!("`apiVersion` is {other:?}; v1 and v2 are known"))),
        };
        let dependencies = |entries: &[Entry], file: &str| {
            let entry = entries.iter().rev().find(|entry| entry.key.value == "dependencies");
            entry.map_or(Ok(None), |entry| Dependency::read_all(home, file, &entry.value))
        };
        let apart = match requirements {
            None => None,
            Some(text) => dependencies(&entries_of(home, REQUIREMENTS, text)?, REQUIREMENTS)?,
        };
        let dependencies = match apart {
            None => dependencies(&entries, FILE)?,
            apart => apart,
        };
        let mut texts = Vec::new();
        for (go, key) in TEXTS {
            texts.push((*go, text(key)?));
        }
        let mut lists = Vec::new();
        for (go, key) in LISTS {
            let items = match find(key).map(|entry| &entry.value.kind) {
                None | Some(Kind::Null) => Some(None),
                Some(Kind::List(items)) => {
                    let lines = items.iter().map(|item| scalar(item).map(|text| sanitized(&text)));
                    lines.collect::<Option<_>>().map(Some)
                }
                Some(_) => None,
            };
            lists.push((*go, items.ok_or_else(|| refused(format!("`{key}` is not a list of texts")))?));
        }
        let annotations = match find("annotations").map(|entry| &entry.value.kind) {
            None | Some(Kind::Null) => Some(None),
            Some(Kind::Map(entries)) => entries.iter().map(named_scalar).collect::<Option<_>>().map(Some),
            Some(_) => None,
        };
        let maintainers = match find("maintainers").map(|entry| &entry.value.kind) {
            None | Some(Kind::Null) => Some(None),
            Some(Kind::List(items)) => items.iter().map(maintainer).collect::<Option<_>>().map(Some),
            Some(_) => None,
        };
        Ok(Self {
            version,
            kind,
            generation,
            dependencies,
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

    /// `.Chart` of a chart that is called like this where it is used, with the dependencies that it has there.
    pub(super) fn to_value(&self, name: &Text, dependencies: List, rank: Rank) -> Value {
        let text_fields = self.texts.iter().map(|(go, text)| match *go {
            "Name" => (*go, Value::Text(Text::clone(name))),
            go => (go, Value::text(text.as_str())),
        });
        let list = |items: &Option<Vec<String>>| match items {
            None => Value::List(List::nil(Element::Text)),
            Some(items) => texts(items.iter().map(String::as_str)),
        };
        let list_fields = self.lists.iter().map(|(go, items)| (*go, list(items)));
        let entry = |(key, text): &(String, String)| (Text::from(key.as_str()), Value::text(text.as_str()));
        let annotations = match &self.annotations {
            None => Map::nil_of_texts(),
            Some(entries) => Map::of_texts(entries.iter().map(entry).collect()),
        };
        let maintainers = match &self.maintainers {
            None => List::nil(Element::Any),
            Some(people) => people.iter().map(maintainer_value).collect(),
        };
        let others = [
            ("Annotations", Value::Map(annotations)),
            ("Maintainers", Value::List(maintainers)),
            ("Dependencies", Value::List(dependencies)),
            ("Deprecated", Value::Bool(self.deprecated)),
            ("IsRoot", Value::Bool(rank == Rank::Root)),
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

fn entries_of(home: &Home, file: &str, text: &str) -> Result<Vec<Entry>, ChartError> {
    match home.yaml_map(file, text)? {
        Some(Node { kind: Kind::Map(entries), .. }) => Ok(entries),
        Some(_) | None => Ok(Vec::new()),
    }
}

/// One printable line of a text.
pub(super) fn sanitized(text: &str) -> String {
    let kept = |c: char| match c {
        c if c.is_whitespace() => Some(' '),
        c => is_printable(c).then_some(c),
    };
    text.chars().filter_map(kept).collect()
}

/// A scalar where Go has a string: a number is written in Go's words.
pub(super) fn scalar(node: &Node) -> Option<String> {
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
    let line = |key: &str| text(key).map(|text| sanitized(&text));
    Some([line("name")?, line("email")?, line("url")?])
}

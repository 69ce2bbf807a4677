//! `dependencies` of a chart: which of its subcharts it takes, when, and under which names.

use crate::document::{Entry, Kind, Node};

use super::error::ChartError;
use super::metadata::{sanitized, scalar};
use super::part::{Home, not_a_chart};
use super::tree::Imports;
use super::value::{Element, Host, List, Map, Text, Value, host, texts};

/// A dependency as a chart declares it.
#[derive(Debug, Clone)]
pub(super) struct Dependency {
    /// The subchart's own name.
    pub(super) name: String,
    /// The versions of it that do.
    pub(super) version: String,
    repository: String,
    /// Paths of values with commas between: the first that is a boolean decides.
    pub(super) condition: String,
    /// Names of booleans in the values' `tags`.
    pub(super) tags: Option<Vec<String>>,
    /// What the subchart is called here; empty for its own name.
    pub(super) alias: String,
    /// Values of the subchart that become the chart's own.
    pub(super) imports: Vec<Import>,
    enabled: bool,
}

/// A table of a subchart's values, and where it goes in those of its parent.
#[derive(Debug, Clone)]
pub(super) struct Import {
    /// A path in the subchart's values.
    pub(super) child: String,
    /// A path in the parent's, or `.` for all of them.
    pub(super) parent: String,
}

/// Levels of a path of `import-values`: each becomes a map inside of a map.
const MOST_LEVELS: usize = 32;

impl Dependency {
    /// Reads the list; none where there is nothing in the place of one.
    pub(super) fn read_all(home: &Home, file: &str, node: &Node) -> Result<Option<Vec<Self>>, ChartError> {
        let refused = |what: String| home.fault(file, not_a_chart(what));
        let items = match &node.kind {
            Kind::Null => return Ok(None),
            Kind::List(items) => items,
            Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
                return Err(refused("`dependencies` is not a list".to_owned()));
            }
        };
        let all = items.iter().map(|item| Self::read(item).map_err(refused));
        let all: Vec<Self> = all.collect::<Result<_, _>>()?;
        for (at, dependency) in all.iter().enumerate() {
            if all[..at].iter().any(|before| before.called() == dependency.called()) {
                let called = dependency.called();
                return Err(refused(format!("more than one dependency has the name or alias `{called}`")));
            }
        }
        Ok(Some(all))
    }

    fn read(node: &Node) -> Result<Self, String> {
        let Kind::Map(entries) = &node.kind else {
            return Err("a dependency is not a map".to_owned());
        };
        let find = |key: &str| entries.iter().rev().find(|entry| entry.key.value == key);
        let written = |key: &str| match find(key) {
            None => Ok(String::new()),
            Some(entry) => {
                scalar(&entry.value).ok_or_else(|| format!("`{key}` of a dependency is not a text"))
            }
        };
        let line = |key: &str| written(key).map(|text| sanitized(&text));
        let alias = written("alias")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !alias.bytes().all(plain) {
            return Err(format!("alias {alias:?} has other characters than letters, digits, `-` and `_`"));
        }
        let items = |key: &str| match find(key).map(|entry| &entry.value.kind) {
            None | Some(Kind::Null) => Ok(None),
            Some(Kind::List(items)) => Ok(Some(items.as_slice())),
            Some(_) => Err(format!("`{key}` of a dependency is not a list")),
        };
        let line_of = |node: &Node| {
            scalar(node).ok_or("`tags` of a dependency are not texts").map(|tag| sanitized(&tag))
        };
        let tags = items("tags")?.map(|tags| tags.iter().map(line_of).collect::<Result<_, _>>());
        let imports = items("import-values")?.unwrap_or_default().iter();
        let imports = imports.filter_map(|item| Import::read(item).transpose());
        Ok(Self {
            name: line("name")?,
            version: line("version")?,
            repository: line("repository")?,
            condition: line("condition")?,
            tags: tags.transpose()?,
            alias,
            imports: imports.collect::<Result<_, _>>()?,
            enabled: find("enabled").is_some_and(|entry| entry.value.kind == Kind::Bool(true)),
        })
    }

    /// What the subchart is called in the chart.
    pub(super) fn called(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }

    /// An entry of `.Chart.Dependencies`, under the name that it has by now.
    pub(super) fn to_value(&self, name: &str, switch: Option<Switch>, imports: Imports) -> Value {
        let enabled = switch.map_or(self.enabled, |switch| switch == Switch::On);
        let text = |text: &str| Value::text(text);
        let tags = self.tags.as_ref();
        let import = |import: &Import| {
            let entries = [("child", &import.child), ("parent", &import.parent)];
            Value::Map(Map::of_texts(
                entries
                    .into_iter()
                    .map(|(key, path)| (Text::from(key), Value::text(path.as_str())))
                    .collect(),
            ))
        };
        // Helm writes down anew what it imported: nothing is nil there.
        let imports = match (imports, self.imports.as_slice()) {
            (Imports::Lost, _) | (_, []) => List::nil(Element::Any),
            (Imports::Waiting | Imports::Taken, imports) => imports.iter().map(import).collect(),
        };
        host(Host::Struct {
            type_name: "chart.Dependency",
            fields: vec![
                ("Name", text(name)),
                ("Version", text(&self.version)),
                ("Repository", text(&self.repository)),
                ("Condition", text(&self.condition)),
                (
                    "Tags",
                    tags.map_or(Value::List(List::nil(Element::Text)), |tags| {
                        texts(tags.iter().map(String::as_str))
                    }),
                ),
                ("Enabled", Value::Bool(enabled)),
                ("ImportValues", Value::List(imports)),
                ("Alias", text(&self.alias)),
            ],
        })
    }
}

/// Whether values take a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    On,
    Off,
}

impl Import {
    /// One of `import-values`; none for what helm passes over: neither a text nor a map.
    fn read(node: &Node) -> Result<Option<Self>, String> {
        let import = match &node.kind {
            Kind::Text(name) => Self { child: format!("exports.{name}"), parent: ".".to_owned() },
            Kind::Map(entries) => {
                Self { child: path_of(entries, "child")?, parent: path_of(entries, "parent")? }
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) => return Ok(None),
        };
        if import.parent.split('.').count() > MOST_LEVELS {
            return Err(format!("a path of `import-values` has more than {MOST_LEVELS} parts"));
        }
        Ok(Some(import))
    }
}

fn path_of(entries: &[Entry], key: &str) -> Result<String, String> {
    let entry = entries.iter().rev().find(|entry| entry.key.value == key);
    match entry.map(|entry| &entry.value) {
        // What Go prints of it.
        None | Some(Node { kind: Kind::Null, .. }) => Ok("<nil>".to_owned()),
        Some(node) => scalar(node).ok_or_else(|| format!("`{key}` of `import-values` is not a path")),
    }
}

//! Files to a chart: metadata, defaults, templates, and the files that templates read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::document::{Kind, Node};

use super::error::{ChartError, Fault, Limit, Place};
use super::function::read_yaml;
use super::ignore::Ignored;
use super::machine::{Templates, place};
use super::memo::Memo;
use super::metadata::Metadata;
use super::meter::MOST_FILE;
use super::schema::Schema;
use super::template::{Compiled, Source, Template, compile};
use super::value::{FileTable, Text};

/// A chart: its files, read and its templates parsed, once.
#[derive(Debug)]
pub struct Chart {
    pub(super) metadata: Metadata,
    digest: String,
    pub(super) defaults: Map<String, Json>,
    pub(super) schema: Option<Schema>,
    pub(super) files: Arc<FileTable>,
    /// By name: those of files and those that `define` made.
    pub(super) templates: Templates,
    /// What is rendered, in Helm's order; partials are not.
    pub(super) rendered: Vec<Arc<Template>>,
    pub(super) memo: Arc<Memo>,
}

impl Chart {
    /// Reads a chart from its files: path in the chart (`templates/service.yaml`) and content.
    ///
    /// A chart with subcharts and a library chart are refused by name, and so is
    /// a template that calls a function which is not implemented.
    pub fn load(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, ChartError> {
        let files: BTreeMap<String, Vec<u8>> = files.into_iter().collect();
        let metadata = Metadata::read(text_file(&files, "a chart", "Chart.yaml")?)?;
        let chart = metadata.name.as_str();
        let digest = digest_of(&files);
        if let Some((path, _)) = files.iter().find(|(_, content)| content.len() > MOST_FILE) {
            return Err(at_file(chart, path, Fault::Limit(Limit::File(MOST_FILE))));
        }
        let ignored = match files.get(".helmignore") {
            Some(_) => Ignored::read(chart, text_file(&files, chart, ".helmignore")?)?,
            None => Ignored::default(),
        };
        let files: BTreeMap<String, Vec<u8>> =
            files.into_iter().filter(|(path, _)| !ignored.matches(path)).collect();
        if let Some(path) = files.keys().find(|path| path.starts_with("charts/")) {
            return Err(at_file(chart, path, not_a_chart("a chart with subcharts cannot be rendered here")));
        }
        let defaults = match files.get("values.yaml") {
            Some(_) => values_of(chart, text_file(&files, chart, "values.yaml")?)?,
            None => Map::new(),
        };
        let schema = match files.get("values.schema.json") {
            Some(_) => Some(Schema::read(chart, text_file(&files, chart, "values.schema.json")?)?),
            None => None,
        };
        let (templates, rendered) = templates_of(chart, &files)?;
        let files = files
            .iter()
            .filter(|(path, _)| !is_part_of_the_chart(path))
            .map(|(path, content)| (Text::from(path.as_str()), Arc::from(content.as_slice())))
            .collect();
        Ok(Self {
            digest,
            defaults,
            schema,
            files: Arc::new(files),
            templates,
            rendered,
            metadata,
            memo: Arc::default(),
        })
    }

    /// The chart's name: `istiod`.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The same chart, whose schema is not asked.
    #[must_use]
    pub fn without_schema(self) -> Self {
        Self { schema: None, ..self }
    }

    /// The version that it says it has: `1.30.3`.
    pub fn version(&self) -> &str {
        &self.metadata.version
    }

    /// SHA-256 over its files, in hexadecimal: equal charts render equally.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// What Helm keeps to itself; every other file is in `.Files`.
fn is_part_of_the_chart(path: &str) -> bool {
    matches!(path, "Chart.yaml" | "Chart.lock" | "values.yaml" | "values.schema.json")
        || path.starts_with("templates/")
}

fn digest_of(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for (path, content) in files {
        for part in [path.as_bytes(), content] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    digest_text(hash)
}

/// A digest in hexadecimal.
pub(super) fn digest_text(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn not_a_chart(what: impl Into<String>) -> Fault {
    Fault::NotAChart(what.into())
}

pub(super) fn at_file(chart: &str, path: &str, fault: Fault) -> ChartError {
    ChartError::at(chart, Place { file: path.to_owned(), line: 0, column: 0 }, fault)
}

fn text_file<'f>(
    files: &'f BTreeMap<String, Vec<u8>>,
    chart: &str,
    path: &str,
) -> Result<&'f str, ChartError> {
    let Some(content) = files.get(path) else {
        return Err(ChartError::of_chart(chart, not_a_chart(format!("it has no {path}"))));
    };
    let text = std::str::from_utf8(content)
        .map_err(|_| at_file(chart, path, not_a_chart("the file is not UTF-8")))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// A file of the chart that must be one YAML map.
pub(super) fn yaml_map(chart: &str, path: &str, text: &str) -> Result<Option<Node>, ChartError> {
    let broken = |what: String| at_file(chart, path, Fault::Yaml(what));
    match read_yaml(text).map_err(broken)? {
        None | Some(Node { kind: Kind::Null, .. }) => Ok(None),
        Some(node @ Node { kind: Kind::Map(_), .. }) => Ok(Some(node)),
        Some(node) => Err(broken(format!("the file holds {}, not a map", node.kind.name()))),
    }
}

fn values_of(chart: &str, text: &str) -> Result<Map<String, Json>, ChartError> {
    Ok(match yaml_map(chart, "values.yaml", text)?.map(|node| node.to_json()) {
        Some(Json::Object(map)) => map,
        Some(_) | None => Map::new(),
    })
}

/// Deeper folders first, and within them backwards by name: so Helm parses and renders.
fn helm_order(path: &str) -> (std::cmp::Reverse<usize>, std::cmp::Reverse<&str>) {
    (std::cmp::Reverse(path.matches('/').count()), std::cmp::Reverse(path))
}

fn templates_of(
    chart: &str,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<(Templates, Vec<Arc<Template>>), ChartError> {
    let mut paths: Vec<&str> =
        files.keys().map(String::as_str).filter(|path| path.starts_with("templates/")).collect();
    paths.sort_unstable_by_key(|path| helm_order(path));
    let mut templates: Templates = HashMap::new();
    let mut mains = Vec::new();
    for path in paths {
        let text = text_file(files, chart, path)?;
        let source = Arc::new(Source { file: path.into(), text: text.into() });
        let name = Text::from(format!("{chart}/{path}"));
        let compiled = compile(name, Arc::clone(&source))
            .map_err(|refused| ChartError::at(chart, place(&source, refused.at), refused.fault))?;
        let Compiled { main, defined } = compiled;
        // Of two with one name the later stands, unless there is nothing in it.
        for template in defined {
            if !(template.is_empty && templates.contains_key(&template.name)) {
                templates.insert(Text::clone(&template.name), Arc::new(template));
            }
        }
        let main = Arc::new(main);
        templates.insert(Text::clone(&main.name), Arc::clone(&main));
        let is_partial = path.rsplit('/').next().is_some_and(|name| name.starts_with('_'));
        if !is_partial {
            mains.push(main);
        }
    }
    Ok((templates, mains))
}

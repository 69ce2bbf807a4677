//! One chart of a tree: its own files, read, and the charts in its `charts` folder.
//!
//! Paths and their contents enter; what leaves holds no text that is still to be
//! parsed. What belongs to a chart is helm's to say (`LoadFiles`,
//! pkg/chart/loader/load.go, 3.22).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use memchr::memmem;
use serde_json::{Map, Value as Json};

use crate::cores::on_all_cores;
use crate::document::{Kind, Node};

use super::archive::{Files, Room, files_within};
use super::error::{ChartError, Fault, Place};
use super::function::read_yaml;
use super::machine::place;
use super::metadata::{ChartKind, Generation, Metadata, REQUIREMENTS};
use super::schema::Schema;
use super::template::{Compiled, Source, Template, compile};
use super::value::{FileTable, Text};

/// The file of a chart's own values.
const VALUES: &str = "values.yaml";

/// Charts inside of charts.
const MOST_LEVELS: usize = 16;

/// A chart's own files, and its subcharts.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) metadata: Metadata,
    pub(super) defaults: Map<String, Json>,
    /// How many values its defaults are.
    pub(super) weight: u64,
    pub(super) schema: Option<Schema>,
    pub(super) files: Arc<FileTable>,
    pub(super) templates: Vec<Parsed>,
    /// What its `crds` folder holds, in helm's order.
    pub(super) definitions: Vec<Definition>,
    /// What its `charts` folder holds, by name of folder or archive.
    pub(super) parts: Vec<Part>,
    /// Whether anything of it, or of its subcharts, names what a cluster can do.
    pub(super) interest: Interest,
}

/// Whether a rendering can depend on what a cluster can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    /// A text names `.Capabilities`, or `Chart.yaml` says for which versions of Kubernetes it is.
    Capabilities,
    None,
}

/// The name that a template has to write, wherever it comes from, to ask what a cluster can do.
pub(super) const CAPABILITIES: &str = "Capabilities";

/// A template of a chart.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Its path in its chart: `templates/service.yaml`.
    pub(super) path: String,
    /// An error is no matter while nobody takes the chart.
    pub(super) made: Result<Made, ChartError>,
}

/// What became of a template's text.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) main: Arc<Template>,
    /// Those that `define` made in it.
    pub(super) defined: Vec<Arc<Template>>,
}

/// A file of definitions, which is installed as it is.
#[derive(Debug)]
pub(super) struct Definition {
    /// Its path in its chart: `crds/crd.yaml`.
    pub(super) path: String,
    /// Its path in the whole.
    pub(super) file: Text,
    pub(super) text: String,
}

/// Where a chart's files lie in the whole: for the places of errors.
#[derive(Debug, Clone)]
pub(super) struct Home {
    chart: String,
    /// Empty, or `charts/redis/`.
    folder: String,
}

impl Home {
    /// The whole itself.
    pub(super) fn of(chart: impl Into<String>) -> Self {
        Self { chart: chart.into(), folder: String::new() }
    }

    fn below(&self, name: &str) -> Self {
        Self { chart: self.chart.clone(), folder: format!("{}charts/{name}/", self.folder) }
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.folder)
    }

    /// A fault of a file.
    pub(super) fn fault(&self, path: &str, fault: Fault) -> ChartError {
        let place = Place { file: self.path(path), line: 0, column: 0 };
        ChartError::at(self.chart.clone(), place, fault)
    }

    fn not_there(&self, path: &str) -> ChartError {
        let what = match self.folder.strip_suffix('/') {
            None => format!("it has no {path}"),
            Some(folder) => format!("{folder} has no {path}, and what is in `charts` has to be charts"),
        };
        ChartError::of_chart(self.chart.clone(), not_a_chart(what))
    }

    /// A file that must be one YAML map.
    pub(super) fn yaml_map(&self, path: &str, text: &str) -> Result<Option<Node>, ChartError> {
        let broken = |what: String| self.fault(path, Fault::Yaml(what));
        match read_yaml(text).map_err(broken)? {
            None | Some(Node { kind: Kind::Null, .. }) => Ok(None),
            Some(node @ Node { kind: Kind::Map(_), .. }) => Ok(Some(node)),
            Some(node) => Err(broken(format!("the file holds {}, not a map", node.kind.name()))),
        }
    }

    /// `Chart.yaml` among files, and what `requirements.yaml` adds to it.
    pub(super) fn metadata(&self, files: &Files) -> Result<Metadata, ChartError> {
        let text = self.text(files, "Chart.yaml")?.ok_or_else(|| self.not_there("Chart.yaml"))?;
        Metadata::read(self, text, self.text(files, REQUIREMENTS)?)
    }

    /// A file that has to be text.
    pub(super) fn text<'f>(&self, files: &'f Files, path: &str) -> Result<Option<&'f str>, ChartError> {
        let Some(content) = files.get(path) else { return Ok(None) };
        let text = std::str::from_utf8(without_mark(content))
            .map_err(|_| self.fault(path, not_a_chart("the file is not UTF-8")))?;
        Ok(Some(text))
    }
}

/// A file without the mark that some editors set in front of UTF-8.
fn without_mark(content: &[u8]) -> &[u8] {
    content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content)
}

pub(super) fn not_a_chart(what: impl Into<String>) -> Fault {
    Fault::NotAChart(what.into())
}

impl Part {
    /// Reads a chart from its files; what its own archives unpack to must fit into `room`.
    pub(super) fn read(
        home: &Home,
        metadata: Metadata,
        files: &Files,
        room: &mut Room,
    ) -> Result<Self, ChartError> {
        Self::at_level(home, metadata, files, room, 0)
    }

    fn at_level(
        home: &Home,
        metadata: Metadata,
        files: &Files,
        room: &mut Room,
        level: usize,
    ) -> Result<Self, ChartError> {
        let Texts { defaults, templates } = Texts::read(home, metadata.kind, files)?;
        let schema = match home.text(files, "values.schema.json")? {
            Some(text) => Some(Schema::read(home, text)?),
            None => None,
        };
        let parts = subcharts(home, files, room, level)?;
        // Any file may be a text for `tpl`, whatever it is called.
        let names = |content: &Vec<u8>| memmem::find(content, CAPABILITIES.as_bytes()).is_some();
        let asks = !metadata.kube_version.is_empty()
            || files.values().any(names)
            || parts.iter().any(|part| part.interest == Interest::Capabilities);
        let shown = files.iter().filter(|(path, _)| is_for_templates(path, metadata.generation));
        Ok(Self {
            weight: defaults.values().map(weight).sum(),
            defaults,
            schema,
            files: Arc::new(
                shown
                    .map(|(path, content)| (Text::from(path.as_str()), Arc::from(without_mark(content))))
                    .collect(),
            ),
            templates,
            definitions: definitions_of(home, files)?,
            parts,
            interest: if asks { Interest::Capabilities } else { Interest::None },
            metadata,
        })
    }
}

impl Part {
    /// The names of subcharts that it declares and that are nowhere in it.
    pub(super) fn missing(&self) -> Vec<&str> {
        let declared = self.metadata.dependencies.iter().flatten().map(|declared| declared.name.as_str());
        declared.filter(|name| !self.parts.iter().any(|part| part.metadata.name == *name)).collect()
    }
}

fn weight(value: &Json) -> u64 {
    let inner: u64 = match value {
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
        Json::Array(items) => items.iter().map(weight).sum(),
        Json::Object(map) => map.values().map(weight).sum(),
    };
    1 + inner
}

/// Whether a file is in `.Files`; helm keeps the others to itself.
fn is_for_templates(path: &str, generation: Generation) -> bool {
    match path {
        "Chart.yaml" | "Chart.lock" | VALUES | "values.schema.json" => false,
        REQUIREMENTS | "requirements.lock" => generation == Generation::V1,
        path => !path.starts_with("templates/") && (!path.starts_with("charts/") || is_provenance(path)),
    }
}

/// Whether it is a signature of an archive.
fn is_provenance(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "prov")
}

/// What takes most of the time to read: its values and templates.
#[derive(Default)]
struct Texts {
    defaults: Map<String, Json>,
    templates: Vec<Parsed>,
}

impl Texts {
    /// Reads them on all cores.
    fn read(home: &Home, kind: ChartKind, files: &Files) -> Result<Self, ChartError> {
        enum Read {
            Defaults(Map<String, Json>),
            Template(Parsed),
        }
        let is_read = |path: &&String| {
            let is_template = || kind == ChartKind::Application || is_partial(path);
            *path == VALUES || path.starts_with("templates/") && is_template()
        };
        let mut paths: Vec<&String> = files.keys().filter(is_read).collect();
        // The longest first, so that none is left over for one core at the end.
        paths.sort_by_key(|path| Reverse(files[*path].len()));
        let read = on_all_cores(&paths, |path| {
            let text = home.text(files, path)?.unwrap_or_default();
            match path.as_str() {
                VALUES => defaults_in(home, text).map(Read::Defaults),
                path => Ok(Read::Template(template_in(home, path, text))),
            }
        });
        let mut texts = Self::default();
        for read in read {
            match read? {
                Read::Defaults(defaults) => texts.defaults = defaults,
                Read::Template(template) => texts.templates.push(template),
            }
        }
        texts.templates.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        Ok(texts)
    }
}

fn defaults_in(home: &Home, text: &str) -> Result<Map<String, Json>, ChartError> {
    Ok(match home.yaml_map(VALUES, text)?.map(|node| node.to_json()) {
        Some(Json::Object(map)) => map,
        Some(_) | None => Map::new(),
    })
}

fn template_in(home: &Home, path: &str, text: &str) -> Parsed {
    let source = Arc::new(Source { file: home.path(path).into(), text: text.into() });
    let made = compile(Text::clone(&source.file), Arc::clone(&source))
        .map(|Compiled { main, defined }| Made {
            main: Arc::new(main),
            defined: defined.into_iter().map(Arc::new).collect(),
        })
        .map_err(|refused| ChartError::at(home.chart.clone(), place(&source, refused.at), refused.fault));
    Parsed { path: path.to_owned(), made }
}

/// Whether a template is there for others alone.
pub(super) fn is_partial(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with('_'))
}

fn definitions_of(home: &Home, files: &Files) -> Result<Vec<Definition>, ChartError> {
    let is_manifest = |path: &str| {
        let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| {
            ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
        })
    };
    let mut paths: Vec<&String> =
        files.keys().filter(|path| path.starts_with("crds/") && is_manifest(path)).collect();
    // As a folder is walked: name by name, and not letter by letter of the whole path.
    paths.sort_unstable_by_key(|path| path.split('/').collect::<Vec<_>>());
    let mut definitions = Vec::new();
    for path in paths {
        let text = home.text(files, path)?.unwrap_or_default().to_owned();
        definitions.push(Definition { path: path.clone(), file: home.path(path).into(), text });
    }
    Ok(definitions)
}

fn subcharts(home: &Home, files: &Files, room: &mut Room, level: usize) -> Result<Vec<Part>, ChartError> {
    let mut by_name: BTreeMap<&str, Vec<(&str, &[u8])>> = BTreeMap::new();
    for (path, content) in files {
        let Some(inner) = path.strip_prefix("charts/").filter(|_| !is_provenance(path)) else { continue };
        let (name, rest) = inner.split_once('/').unwrap_or((inner, ""));
        if !name.starts_with(['_', '.']) {
            by_name.entry(name).or_default().push((rest, content));
        }
    }
    let mut parts = Vec::new();
    for (name, contents) in by_name {
        let home = home.below(name);
        if level == MOST_LEVELS {
            let what = format!("charts lie in charts more than {MOST_LEVELS} levels deep");
            return Err(home.fault("Chart.yaml", not_a_chart(what)));
        }
        let files = match contents.as_slice() {
            [("", archive)] if name.ends_with(".tgz") => unpacked(&home, archive, room)?,
            contents => contents
                .iter()
                .filter(|(path, _)| !path.is_empty())
                .map(|(path, content)| ((*path).to_owned(), content.to_vec()))
                .collect(),
        };
        let metadata = home.metadata(&files)?;
        parts.push(Part::at_level(&home, metadata, &files, room, level + 1)?);
    }
    Ok(parts)
}

/// The files of a packed chart, which is one folder.
fn unpacked(home: &Home, archive: &[u8], room: &mut Room) -> Result<Files, ChartError> {
    let refused = |what: String| {
        let path = home.folder.trim_end_matches('/').to_owned();
        let place = Place { file: path, line: 0, column: 0 };
        ChartError::at(home.chart.clone(), place, Fault::Archive(what))
    };
    let mut files = Files::new();
    for (path, content) in files_within(archive, room).map_err(refused)? {
        match path.split_once('/') {
            Some((_, inner)) => files.insert(inner.to_owned(), content),
            None => return Err(refused(format!("`{path}` lies in no folder, and a packed chart is one"))),
        };
    }
    Ok(files)
}

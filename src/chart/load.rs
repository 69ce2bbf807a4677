//! Files to a chart: what is read once, for all renderings.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::archive::{Files, Room};
use super::error::{ChartError, Fault, Limit};
use super::ignore::Ignored;
use super::memo::Memo;
use super::metadata::ChartKind;
use super::meter::MOST_FILE;
use super::part::{CAPABILITIES, Home, Interest, Part, not_a_chart};

/// A chart: its files, read and its templates parsed, once.
#[derive(Debug)]
pub struct Chart {
    /// It, and the charts inside of it.
    pub(super) part: Part,
    files: Files,
    pub(super) schemas: Schemas,
    pub(super) memo: Arc<Memo>,
}

/// Whether schemas of values are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schemas {
    Asked,
    Unasked,
}

impl Chart {
    /// Reads a chart from its files: path in the chart (`templates/service.yaml`) and content.
    ///
    /// Subcharts are read with it, from folders and archives in `charts`. A library chart is refused,
    /// and so are a chart that lacks a subchart which it declares, and one whose template calls a
    /// function which is not implemented.
    pub fn load(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, ChartError> {
        let files: Files = files.into_iter().collect();
        let metadata = Home::of("a chart").metadata(&files)?;
        let home = Home::of(metadata.name.as_str());
        if let Some((path, _)) = files.iter().find(|(_, content)| content.len() > MOST_FILE) {
            return Err(home.fault(path, Fault::Limit(Limit::File(MOST_FILE))));
        }
        let ignored = match home.text(&files, ".helmignore")? {
            Some(text) => Ignored::read(&metadata.name, text)?,
            None => Ignored::default(),
        };
        let files: Files = files.into_iter().filter(|(path, _)| !ignored.matches(path)).collect();
        if metadata.kind == ChartKind::Library {
            let what = "a library chart renders nothing by itself".to_owned();
            return Err(home.fault("Chart.yaml", not_a_chart(what)));
        }
        let part = Part::read(&home, metadata, &files, &mut Room::default())?;
        if let Some(error) = part.templates.iter().find_map(|template| template.made.as_ref().err()) {
            return Err(error.clone());
        }
        let missing = part.missing();
        if !missing.is_empty() {
            let what = format!("`dependencies` names charts that `charts` lacks: {}", missing.join(", "));
            return Err(home.fault("Chart.yaml", not_a_chart(what)));
        }
        Ok(Self { part, files, schemas: Schemas::Asked, memo: Arc::default() })
    }

    /// The chart's name: `istiod`.
    pub fn name(&self) -> &str {
        &self.part.metadata.name
    }

    /// The same chart, whose schemas are not asked.
    #[must_use]
    pub fn without_schema(self) -> Self {
        Self { schemas: Schemas::Unasked, ..self }
    }

    /// The version that it says it has: `1.30.3`.
    pub fn version(&self) -> &str {
        &self.part.metadata.version
    }

    /// Whether what it renders with these values can depend on [`Capabilities`](super::Capabilities).
    ///
    /// Where it cannot, nobody has to be asked for them.
    pub fn asks_for_capabilities(&self, values: &Map<String, Json>) -> bool {
        self.part.interest == Interest::Capabilities || values.values().any(names_them)
    }

    /// SHA-256 over its files, in hexadecimal, those left out that `.helmignore` names: equal charts
    /// render equally. Computed at each call.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (path, content) in &self.files {
            for part in [path.as_bytes(), content] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        HEXLOWER.encode(&hash.finalize())
    }
}

/// Whether values, which a template may run, name what a cluster can do.
fn names_them(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains(CAPABILITIES),
        Json::Array(items) => items.iter().any(names_them),
        Json::Object(map) => map.iter().any(|(key, value)| key.contains(CAPABILITIES) || names_them(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

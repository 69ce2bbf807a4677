//! Helm charts, rendered in process.
//!
//! A [`Chart`] (files, parsed once) and values enter; manifests leave, in
//! Helm's order of installation. The result depends on chart, values, release
//! and capabilities alone: no clock, no randomness, no network, no cluster.
//! What `helm template` 3.22 writes for the same input is what leaves here; a
//! function or construct that is not implemented is an error by name, never an
//! empty text.

pub mod embedded;

mod capabilities;
mod codes;
mod error;
mod input;

pub use codes::CODES;
pub use error::{Call, ChartError, Fault, Limit, Place};
pub use input::{Capabilities, KubeVersion, Operation, ReleaseInfo};

use crate::object::Object;

/// A chart: its files, read and its templates parsed, once.
#[derive(Debug)]
pub struct Chart {
    name: String,
    digest: String,
}

/// One rendered document.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The template that wrote it: `istiod/templates/deployment.yaml`.
    pub template: String,
    /// Its text, without the separator.
    pub text: String,
    /// What the text says.
    pub object: Object,
}

impl Chart {
    /// Reads a chart from its files: path in the chart and content.
    pub fn load(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, ChartError> {
        let _ = files.into_iter().count();
        Err(ChartError::of_chart("a chart", Fault::NotAChart("the renderer has not landed yet".into())))
    }

    /// The chart's name: `istiod`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 over its files, in hexadecimal: equal charts render equally.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Renders a chart: `values` on top of the chart's own, as Helm merges them.
pub fn render(
    chart: &Chart,
    values: &serde_json::Value,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
) -> Result<Vec<Manifest>, ChartError> {
    let _ = (values, release, capabilities);
    Err(ChartError::of_chart(chart.name(), Fault::NotAChart("the renderer has not landed yet".into())))
}

//! Helm charts, rendered in process.
//!
//! A [`Chart`] (files, parsed once) and values enter; manifests leave, in
//! Helm's order of installation. The result depends on chart, values, release
//! and capabilities alone: no clock, no randomness, no network, no cluster.
//! What `helm template` 3.22 writes for the same input is what leaves here; a
//! function or construct that is not implemented is an error by name, never an
//! empty text.
//!
//! In order: [`archive`] unpacks and [`ChartSet::find`] picks the charts of
//! one Istio; [`Chart::load`] reads files and compiles templates, subcharts
//! included (`part`); [`render`] takes the subcharts that the values want
//! (`tree`), merges values (`values`), runs templates (`machine`, with `value`
//! and `function`) and reads their output again (`manifest`).

pub mod embedded;

pub mod archive;
mod capabilities;
mod codes;
mod dependency;
mod error;
mod function;
mod ignore;
mod input;
mod load;
pub mod lock;
mod machine;
mod manifest;
mod memo;
mod metadata;
mod meter;
mod part;
mod render;
mod schema;
mod set;
mod template;
mod tree;
mod value;
mod values;

pub use archive::Files;
pub use codes::{ARCHIVE as CHART_ARCHIVE, CODES};
pub use error::{Call, ChartError, Fault, Limit, Place};
pub use input::{Capabilities, KubeVersion, Operation, ReleaseInfo};
pub use load::Chart;
pub use manifest::Manifest;
pub use render::render;
pub use set::{ChartSet, NodeAgent};

#[cfg(test)]
mod tests;

//! A chart, values and a release in; manifests out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{ChartError, Fault};
use super::function::satisfies;
use super::input::{Capabilities, Operation, ReleaseInfo};
use super::load::Chart;
use super::machine::{Machine, Trouble};
use super::manifest::{Manifest, Written, manifests};
use super::value::{Host, Map, Text, Value, host, texts};
use super::values::{coalesced, to_json};

/// Renders a chart: `values` on top of the chart's own, as Helm merges them.
///
/// Manifests stand in Helm's order of installation, hooks and notes left out.
/// The same input gives the same bytes.
pub fn render(
    chart: &Chart,
    values: &serde_json::Value,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
) -> Result<Vec<Manifest>, ChartError> {
    let written = write(chart, values, release, capabilities)?;
    manifests(chart.name(), written, &chart.memo)
}

/// The text of every template, by path; notes too.
fn write(
    chart: &Chart,
    values: &serde_json::Value,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
) -> Result<BTreeMap<Text, Written>, ChartError> {
    let refused = |fault: Fault| ChartError::of_chart(chart.name(), fault);
    let wanted = &chart.metadata.kube_version;
    let version = &capabilities.kube_version.version;
    if !wanted.is_empty() && !satisfies(wanted, version).unwrap_or(false) {
        let what =
            format!("it requires kubeVersion: {wanted} which is incompatible with Kubernetes {version}");
        return Err(refused(Fault::Refuses(what)));
    }
    let none = serde_json::Map::new();
    let given = match values {
        serde_json::Value::Null => &none,
        serde_json::Value::Object(given) => given,
        _ => return Err(refused(Fault::Values(vec!["the values are not a map".to_owned()]))),
    };
    let values = Value::Map(coalesced(&chart.defaults, given));
    if let Some(schema) = &chart.schema {
        schema.check(&to_json(&values)).map_err(|faults| refused(Fault::Values(faults)))?;
    }
    let root = root(chart, values, release, capabilities);
    let data = Value::Map(root.clone());
    let mut machine = Machine::new(&chart.templates, Arc::clone(&chart.memo));
    let mut written = BTreeMap::new();
    for template in &chart.rendered {
        root.borrow_mut().insert("Template".into(), template_info(chart, &template.name));
        let text = machine.render(template, &data).map_err(|trouble| error(chart.name(), *trouble))?;
        let text = if text.contains("<no value>") { text.replace("<no value>", "") } else { text };
        let source = Arc::clone(&template.source.file);
        written.insert(Arc::clone(&template.name), Written { text, source });
    }
    // A template may have made the map hold itself, which would never be freed.
    root.borrow_mut().clear();
    Ok(written)
}

fn error(chart: &str, trouble: Trouble) -> ChartError {
    let Trouble { fault, place, mut calls } = trouble;
    calls.reverse();
    ChartError { chart: chart.to_owned(), place, calls, fault }
}

/// What `.` and `$` are in every template of the chart.
fn root(chart: &Chart, values: Value, release: &ReleaseInfo, capabilities: &Capabilities) -> Map {
    let is = |operation| Value::Bool(release.operation == operation);
    let release = map([
        ("Name", Value::text(release.name.as_str())),
        ("Namespace", Value::text(release.namespace.as_str())),
        ("IsInstall", is(Operation::Install)),
        ("IsUpgrade", is(Operation::Upgrade)),
        ("Revision", Value::Int(i64::from(release.revision))),
        ("Service", Value::text("Helm")),
    ]);
    map([
        ("Values", values),
        ("Chart", chart.metadata.to_value()),
        ("Release", Value::Map(release)),
        ("Capabilities", capabilities_value(capabilities)),
        ("Files", host(Host::Files(Arc::clone(&chart.files)))),
        ("Subcharts", Value::Map(Map::default())),
    ])
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Map {
    entries.into_iter().map(|(key, value)| (Text::from(key), value)).collect()
}

fn capabilities_value(capabilities: &Capabilities) -> Value {
    let Capabilities { kube_version, api_versions } = capabilities;
    let known = texts(api_versions.iter().map(String::as_str));
    let kube_version = Host::KubeVersion {
        version: kube_version.version.as_str().into(),
        major: kube_version.major.as_str().into(),
        minor: kube_version.minor.as_str().into(),
    };
    let helm_version = Host::Struct {
        type_name: "version.BuildInfo",
        // The release whose templates are rendered here; the rest is of no binary that exists.
        fields: vec![("Version", Value::text("v3.22"))],
    };
    host(Host::Struct {
        type_name: "*chartutil.Capabilities",
        fields: vec![
            ("KubeVersion", host(kube_version)),
            ("APIVersions", host(Host::ApiVersions(known.as_list().cloned().unwrap_or_default()))),
            ("HelmVersion", host(helm_version)),
        ],
    })
}

fn template_info(chart: &Chart, name: &Text) -> Value {
    Value::Map(map([
        ("Name", Value::Text(Arc::clone(name))),
        ("BasePath", Value::text(format!("{}/templates", chart.name()))),
    ]))
}

//! A chart, values and a release in; manifests out.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use super::error::{ChartError, Fault};
use super::function::satisfies;
use super::input::{Capabilities, Operation, ReleaseInfo};
use super::load::{Chart, Schemas};
use super::machine::{Machine, Templates, Trouble, without_no_value};
use super::manifest::{Manifest, Manifests, Written};
use super::metadata::Rank;
use super::meter::Meter;
use super::part::{Made, Parsed, is_partial};
use super::template::Template;
use super::tree::{NodeId, Tree};
use super::value::{Host, Map, Text, Value, from_json, host, texts};
use super::values::{Nulls, coalesced, table_at, to_json};

/// Renders a chart: `values` on top of the chart's own, as Helm merges them.
///
/// What the `crds` folders hold comes first, as it is; then manifests in Helm's order of
/// installation, hooks and notes left out. The same input gives the same bytes.
pub fn render(
    chart: &Chart,
    values: &serde_json::Value,
    release: &ReleaseInfo,
    capabilities: &Capabilities,
) -> Result<Vec<Manifest>, ChartError> {
    let refused = |fault: Fault| ChartError::of_chart(chart.name(), fault);
    let wanted = &chart.part.metadata.kube_version;
    let version = &capabilities.kube_version.version;
    if !wanted.is_empty() && !satisfies(wanted, version).unwrap_or(false) {
        let what =
            format!("it requires kubeVersion: {wanted} which is incompatible with Kubernetes {version}");
        return Err(refused(Fault::Refuses(what)));
    }
    let given = match from_json(values) {
        Value::Nil => Map::default(),
        Value::Map(given) => given,
        _ => return Err(refused(Fault::Values(vec!["the values are not a map".to_owned()]))),
    };
    let meter = Meter::new(Arc::clone(&chart.memo));
    let mut tree = Tree::of(&chart.part).map_err(refused)?;
    tree.resolve(&given, &meter).map_err(refused)?;
    let values = coalesced(&tree, Tree::ROOT, &given, Nulls::Delete, &meter).map_err(refused)?;
    if chart.schemas == Schemas::Asked {
        let faults = faults_of(&tree, Tree::ROOT, &values, "");
        if !faults.is_empty() {
            return Err(refused(Fault::Values(faults)));
        }
    }
    let scope = Scope { release: release_value(release), capabilities: capabilities_value(capabilities) };
    let mut found = BTreeMap::new();
    scope.fill(&tree, Tree::ROOT, values, &mut found);
    let written = write(chart, &found, meter)?;
    let mut manifests = Manifests::new(chart.name(), &chart.memo);
    manifests.take_definitions(&tree)?;
    manifests.take_written(written)?;
    Ok(manifests.all)
}

/// What the schemas of a chart and its subcharts have against its values, which stand at a path of the whole.
fn faults_of(tree: &Tree<'_>, node: NodeId, values: &Map, path: &str) -> Vec<String> {
    let schema = tree.part(node).schema.as_ref();
    let mut faults =
        schema.map_or_else(Vec::new, |schema| schema.faults(&to_json(&Value::Map(values.clone())), path));
    for child in tree.children(node) {
        let name = tree.name(*child);
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        if let Some(Value::Map(inner)) = values.get(name) {
            faults.extend(faults_of(tree, *child, &inner, &path));
        }
    }
    faults
}

/// A template as it stands in the whole, and what `.` and `$` are in it.
struct Found<'t> {
    template: &'t Parsed,
    chart: Text,
    scope: Map,
}

/// What all charts of a tree are told alike.
struct Scope {
    release: Value,
    capabilities: Value,
}

impl Scope {
    /// Makes a chart's scope and those of its subcharts, and finds the templates of all by their full names.
    fn fill<'c>(
        &self,
        tree: &Tree<'c>,
        node: NodeId,
        values: Map,
        found: &mut BTreeMap<Text, Found<'c>>,
    ) -> Map {
        let (part, name) = (tree.part(node), tree.name(node));
        let rank = if node == Tree::ROOT { Rank::Root } else { Rank::Subchart };
        let subcharts = Map::default();
        let scope = map([
            ("Values", Value::Map(values.clone())),
            ("Chart", part.metadata.to_value(name, tree.dependencies(node), rank)),
            ("Release", self.release.clone()),
            ("Capabilities", self.capabilities.clone()),
            ("Files", host(Host::Files(Arc::clone(&part.files)))),
            ("Subcharts", Value::Map(subcharts.clone())),
        ]);
        for child in tree.children(node) {
            // A name with a dot is taken for a path here, and leads nowhere.
            let inner = table_at(&values, tree.name(*child)).unwrap_or_default();
            let inner = self.fill(tree, *child, inner, found);
            subcharts.insert(Text::clone(tree.name(*child)), Value::Map(inner));
        }
        let chart = Text::from(tree.full_path(node));
        for template in &part.templates {
            let full = format!("{chart}/{}", template.path);
            let (chart, scope) = (Text::clone(&chart), scope.clone());
            found.insert(full.into(), Found { template, chart, scope });
        }
        scope
    }
}

/// Deeper folders first, and within them backwards by name: so Helm parses and renders.
fn helm_order(path: &str) -> (std::cmp::Reverse<usize>, std::cmp::Reverse<&str>) {
    (std::cmp::Reverse(path.matches('/').count()), std::cmp::Reverse(path))
}

/// The text of every template, by its full name; notes too.
fn write(
    chart: &Chart,
    found: &BTreeMap<Text, Found<'_>>,
    meter: Meter,
) -> Result<BTreeMap<Text, Written>, ChartError> {
    let mut names: Vec<&Text> = found.keys().collect();
    names.sort_unstable_by_key(|name| helm_order(name));
    let mut templates: Templates = HashMap::new();
    let mut mains: Vec<(&Text, &Found<'_>, &Template)> = Vec::new();
    for name in names {
        let of_name = &found[name];
        let Parsed { path, made } = of_name.template;
        let Made { main, defined } = made.as_ref().map_err(Clone::clone)?;
        // Of two with one name the later stands, unless there is nothing in it.
        for template in defined {
            if !(template.is_empty && templates.contains_key(&template.name)) {
                templates.insert(Text::clone(&template.name), Arc::clone(template));
            }
        }
        templates.insert(Text::clone(name), Arc::clone(main));
        if !is_partial(path) {
            mains.push((name, of_name, main));
        }
    }
    let mut machine = Machine::new(&templates, meter);
    let mut written = BTreeMap::new();
    for (name, Found { chart: home, scope, .. }, template) in mains {
        scope.insert("Template".into(), template_info(home, name));
        let data = Value::Map(scope.clone());
        let text = machine.render(template, &data).map_err(|trouble| error(chart.name(), *trouble))?;
        let text = without_no_value(text);
        let source = Arc::clone(&template.source.file);
        written.insert(Arc::clone(name), Written { text, source });
    }
    // A template may have made a map hold itself, which would never be freed.
    for Found { scope, .. } in found.values() {
        scope.borrow_mut().clear();
    }
    Ok(written)
}

fn error(chart: &str, trouble: Trouble) -> ChartError {
    let Trouble { fault, place, mut calls } = trouble;
    calls.reverse();
    ChartError { chart: chart.to_owned(), place, calls, fault }
}

fn release_value(release: &ReleaseInfo) -> Value {
    let is = |operation| Value::Bool(release.operation == operation);
    Value::Map(map([
        ("Name", Value::text(release.name.as_str())),
        ("Namespace", Value::text(release.namespace.as_str())),
        ("IsInstall", is(Operation::Install)),
        ("IsUpgrade", is(Operation::Upgrade)),
        ("Revision", Value::Int(i64::from(release.revision))),
        ("Service", Value::text("Helm")),
    ]))
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

fn template_info(chart: &Text, name: &Text) -> Value {
    Value::Map(map([
        ("Name", Value::Text(Arc::clone(name))),
        ("BasePath", Value::text(format!("{chart}/templates"))),
    ]))
}

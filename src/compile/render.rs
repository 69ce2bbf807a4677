//! A unit's objects: its release rendered, its own objects added, known values filled in.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Map, Value as Json};

use super::applyset::{PART_OF, applyset_id};
use super::fill::{each_text, fill_tree, holes_of};
use super::{CompileError, DesiredUnit, Hole, Installer, MeshFacts, Release, Values};
use crate::chart::{self, Chart, ChartError, ChartSet, ReleaseInfo};
use crate::document::emit::to_yaml;
use crate::object::Object;
use crate::topology::ChartName;

/// The renders of one compilation, by chart, release and values: clusters that ask
/// for the same share one.
#[derive(Clone, Default)]
pub struct Renders(Arc<Mutex<HashMap<String, Arc<Render>>>>);

/// One release rendered with one set of values, its objects labelled.
#[derive(Debug)]
struct Render {
    objects: Vec<Object>,
    /// The objects as a file shows them, written once.
    text: OnceLock<Arc<str>>,
}

impl fmt::Debug for Renders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renders")
    }
}

/// A cache decides nothing: all are equal.
impl PartialEq for Renders {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl DesiredUnit {
    /// The holes of its release and objects.
    pub fn holes(&self) -> BTreeSet<Hole> {
        let release = self.content.release.iter().flat_map(|release| release.values.values());
        holes_of(release.chain(self.content.objects.iter().flat_map(|object| object.as_map().values())))
    }

    /// Its objects in apply order: known values stand in the place of markers, the other
    /// markers stay, and every object carries the label of the mesh's apply set.
    ///
    /// Secrets that Stolos writes hold `stringData`.
    pub fn objects(&self, mesh: &MeshFacts, values: &Values) -> Result<Vec<Object>, CompileError> {
        let rendered = self.rendered(mesh, values)?;
        let mut objects = rendered.map_or_else(Vec::new, |render| render.objects.clone());
        objects.extend(self.own_objects(mesh, values));
        Ok(objects)
    }

    /// The release that Stolos installs: none where others do.
    fn own_release(&self, mesh: &MeshFacts) -> Option<&Release> {
        match mesh.installer {
            Installer::Stolos => self.content.release.as_ref(),
            Installer::Others => None,
        }
    }

    /// Whether it is nothing but a release that others install: then there is nothing to write, and its
    /// condition is all there is to it.
    pub fn is_theirs(&self, mesh: &MeshFacts) -> bool {
        self.content.release.is_some() && self.own_release(mesh).is_none() && self.content.objects.is_empty()
    }

    /// Its objects as a file shows them: YAML documents, open holes as their markers.
    pub(super) fn text(&self, mesh: &MeshFacts) -> Result<Arc<str>, CompileError> {
        let values = Values::default();
        let own = documents(&self.own_objects(mesh, &values));
        let Some(render) = self.rendered(mesh, &values)? else { return Ok(own.into()) };
        let rendered = render.text.get_or_init(|| documents(&render.objects).into());
        Ok(match (rendered.is_empty(), own.is_empty()) {
            (_, true) => Arc::clone(rendered),
            (true, false) => own.into(),
            (false, false) => format!("{rendered}---\n{own}").into(),
        })
    }

    fn rendered(&self, mesh: &MeshFacts, values: &Values) -> Result<Option<Arc<Render>>, CompileError> {
        let Some(release) = self.own_release(mesh) else { return Ok(None) };
        let failed = |source| CompileError::Chart { unit: self.unit.clone(), source: Box::new(source) };
        release.render(mesh, values).map(Some).map_err(failed)
    }

    /// The objects that no chart renders.
    fn own_objects(&self, mesh: &MeshFacts, values: &Values) -> Vec<Object> {
        let id = applyset_id(mesh);
        let public = values.public();
        let mut objects = self.content.objects.clone();
        for object in &mut objects {
            // A secret goes into Secrets, whatever stands elsewhere.
            let values = if object.kind() == "Secret" { values } else { &public };
            object.as_map_mut().values_mut().for_each(|value| fill_tree(value, values));
            object.set_label(PART_OF, &id);
        }
        objects
    }
}

/// Objects as YAML documents.
fn documents(objects: &[Object]) -> String {
    let texts: Vec<String> = objects.iter().map(|object| to_yaml(object.as_value())).collect();
    texts.join("---\n")
}

impl Release {
    /// Whether what it renders can depend on the cluster's Kubernetes.
    pub(super) fn asks(&self) -> bool {
        self.chart.of(&self.charts).is_ok_and(|chart| chart.asks_for_capabilities(&self.values))
    }

    /// The release's objects. A hole whose value is unknown goes through the templates as a
    /// stand-in of its kind, since they branch on it, and comes out as its marker again.
    fn render(&self, mesh: &MeshFacts, known: &Values) -> Result<Arc<Render>, ChartError> {
        let mut values = Json::Object(Map::clone(&self.values));
        fill_tree(&mut values, &known.public());
        let version = if self.asks() { self.capabilities.kube_version.version.as_str() } else { "any" };
        let key = format!("{:?} {} {} {version} {values}", self.chart, self.name, self.namespace);
        if let Some(render) = self.renders.lock().get(&key) {
            return Ok(Arc::clone(render));
        }
        let stand_ins = stand_ins(&mut values);
        let info = ReleaseInfo::new(&self.name, &self.namespace);
        let manifests = chart::render(self.chart.of(&self.charts)?, &values, &info, &self.capabilities)?;
        let id = applyset_id(mesh);
        let objects = manifests.into_iter().map(|manifest| {
            let mut object = manifest.object;
            for (stand_in, hole) in &stand_ins {
                each_text_of(&mut object, |text| {
                    if text.contains(stand_in.as_str()) {
                        *text = text.replace(stand_in.as_str(), &hole.marker());
                    }
                });
            }
            object.set_label(PART_OF, &id);
            object
        });
        let render = Arc::new(Render { objects: objects.collect(), text: OnceLock::new() });
        self.renders.lock().insert(key, Arc::clone(&render));
        Ok(render)
    }
}

impl Renders {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Render>>> {
        // A poisoned cache holds whole renders or none.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn each_text_of(object: &mut Object, mut visit: impl FnMut(&mut String)) {
    object.as_map_mut().values_mut().for_each(|value| each_text(value, &mut visit));
}

impl ChartName {
    /// The chart of this name.
    fn of(self, charts: &ChartSet) -> Result<&Chart, ChartError> {
        match self {
            Self::Base => Ok(charts.base()),
            Self::Istiod => Ok(charts.istiod()),
            Self::Cni => charts.cni(),
            Self::Gateway => Ok(charts.gateway()),
        }
    }
}

/// Puts stand-ins in the place of the open markers of chart values, and says which is which.
///
/// What stands in chart values is an address, or a text on which no template branches: each gets an address of TEST-NET-1
/// (RFC 5737) that no text of the values contains. They have equal length: none is the start of another.
fn stand_ins(values: &mut Json) -> Vec<(String, Hole)> {
    let holes = holes_of([&*values]);
    if holes.is_empty() {
        return Vec::new();
    }
    let text = values.to_string();
    let mut free =
        (100..=255).map(|last| format!("192.0.2.{last}")).filter(|address| !text.contains(address));
    let pairs: Vec<_> = holes.into_iter().filter_map(|hole| Some((free.next()?, hole))).collect();
    let mut known = Values::default();
    for (stand_in, hole) in &pairs {
        known.insert(hole.clone(), stand_in.clone());
    }
    fill_tree(values, &known);
    pairs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compile::{Content, Done, RootFacts};
    use crate::topology::IstioVersion;

    #[test]
    fn a_secret_value_goes_into_secrets_alone() {
        let text = "${west/trust.ca-key} ${west/trust.ca-cert}";
        let object = |kind: &str, field: &str| {
            let object =
                json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, field: {"a": text}});
            Object::from_value(object).expect("an object")
        };
        let unit = DesiredUnit {
            unit: "west/trust".parse().expect("a unit"),
            stage: 1,
            after: Vec::new(),
            content: Content {
                release: None,
                objects: vec![object("Secret", "stringData"), object("ConfigMap", "data")],
            },
            done: Done::Exists,
        };
        let mesh = MeshFacts {
            id: "mesh1".to_owned(),
            namespace: "istio-system".to_owned(),
            trust_domain: "cluster.local".to_owned(),
            version: IstioVersion::NEWEST,
            installer: Installer::Stolos,
            charts: "embedded charts".to_owned(),
            networks: 1,
            root: RootFacts::Istiod,
        };
        let mut values = Values::default();
        values.insert("west/trust.ca-key".parse().expect("a hole"), "the key");
        values.insert("west/trust.ca-cert".parse().expect("a hole"), "the certificate");
        let objects = unit.objects(&mesh, &values).expect("there is no chart to fail");
        assert_eq!(objects[0].text(&["stringData", "a"]), Some("the key the certificate"));
        assert_eq!(objects[1].text(&["data", "a"]), Some("${west/trust.ca-key} the certificate"));
    }
}

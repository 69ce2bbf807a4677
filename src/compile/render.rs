//! A unit's objects: its release rendered, its own objects added, known values filled in.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::{Map, Value as Json};

use super::applyset::{PART_OF, applyset_id};
use super::fill::{each_text, fill_tree, holes_of};
use super::{CompileError, DesiredUnit, Hole, MeshFacts, Release, Values};
use crate::chart::{self, Capabilities, Chart, ChartError, ReleaseInfo};
use crate::object::Object;
use crate::topology::ChartName;

/// What `.Capabilities` says to the embedded charts, which do not branch on it.
static CAPABILITIES: LazyLock<Capabilities> =
    LazyLock::new(|| Capabilities::of_kubernetes("1.33.0").expect("a version of Kubernetes"));

/// The renders of one compilation, by chart, release and values: clusters that ask
/// for the same share one.
#[derive(Clone, Default)]
pub struct Renders(Arc<Mutex<HashMap<String, Arc<Vec<Object>>>>>);

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
        let mut objects = Vec::new();
        if let Some(release) = &self.content.release {
            let rendered = release.objects(values).map_err(|source| CompileError::Chart {
                unit: self.unit.clone(),
                source: Box::new(source),
            })?;
            objects.extend(rendered.iter().cloned());
        }
        objects.extend(self.content.objects.iter().cloned().map(|mut object| {
            object.as_map_mut().values_mut().for_each(|value| fill_tree(value, values));
            object
        }));
        let id = applyset_id(mesh);
        for object in &mut objects {
            object.set_label(PART_OF, &id);
        }
        Ok(objects)
    }
}

impl Release {
    /// The release's objects. A hole whose value is unknown goes through the templates as a
    /// stand-in of its kind, since they branch on it, and comes out as its marker again.
    fn objects(&self, known: &Values) -> Result<Arc<Vec<Object>>, ChartError> {
        let mut values = Json::Object(Map::clone(&self.values));
        fill_tree(&mut values, known);
        let key = format!("{:?} {} {} {values}", self.chart, self.name, self.namespace);
        if let Some(objects) = self.renders.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(objects));
        }
        let stand_ins = stand_ins(&mut values);
        let info = ReleaseInfo::new(&self.name, &self.namespace);
        let manifests = chart::render(self.chart.embedded(), &values, &info, &CAPABILITIES)?;
        let mut objects: Vec<Object> = manifests.into_iter().map(|manifest| manifest.object).collect();
        for (stand_in, hole) in &stand_ins {
            let marker = hole.marker();
            let mut mark = |text: &mut String| {
                if text.contains(stand_in.as_str()) {
                    *text = text.replace(stand_in.as_str(), &marker);
                }
            };
            for object in &mut objects {
                object.as_map_mut().values_mut().for_each(|value| each_text(value, &mut mark));
            }
        }
        let objects = Arc::new(objects);
        self.renders.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&objects));
        Ok(objects)
    }
}

impl ChartName {
    /// The chart of this name in the binary.
    fn embedded(self) -> &'static Chart {
        match self {
            Self::Base => chart::embedded::base(),
            Self::Istiod => chart::embedded::istiod(),
            Self::Gateway => chart::embedded::gateway(),
        }
    }
}

/// Puts stand-ins in the place of the open markers of chart values, and says which is which.
///
/// Every hole that can stand in chart values is an address, so each gets one of TEST-NET-1
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

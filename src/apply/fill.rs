//! The objects of a step with every value in its place, checked against what the plan showed.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::ApplyError;
use crate::compile::{DesiredUnit, Hole, MeshFacts, Values, markers_in};
use crate::object::{Object, ObjectRef};
use crate::plan::{Action, Step, address_fault, divergence, settled};

/// The objects of a step that are live, that stay, and whose desired form has open holes.
pub(super) fn to_look_at(step: &Step) -> Vec<ObjectRef> {
    let open = step.writes().filter(|change| matches!(change.action, Action::Adopt | Action::Update));
    open.filter(|change| change.desired.as_ref().is_some_and(|desired| !holes_of(desired).is_empty()))
        .map(|change| change.object.clone())
        .collect()
}

/// What is sent for each change of a step that asks for an object.
///
/// A change without markers is sent as the plan has it. For the others the unit is rendered with
/// the values, and may differ from what the plan showed by its markers alone. `live` are the
/// objects of [`to_look_at`].
pub(super) fn objects(
    mesh: &MeshFacts,
    step: &Step,
    values: &Values,
    live: &BTreeMap<ObjectRef, Object>,
) -> Result<BTreeMap<ObjectRef, Object>, ApplyError> {
    let mut objects = BTreeMap::new();
    let mut open = Vec::new();
    for change in step.writes() {
        match &change.desired {
            Some(desired) if holes_of(desired).is_empty() => {
                objects.insert(change.object.clone(), desired.clone());
            }
            Some(desired) => open.push((&change.object, desired)),
            None => {}
        }
    }
    let Some(unit) = step.desired.as_ref().filter(|_| !open.is_empty()) else { return Ok(objects) };
    if let Some(failure) = address_fault(unit, values) {
        return Err(ApplyError::Address(Box::new(failure)));
    }
    let mut filled = filled(unit, mesh, values)?;
    let apart = |object: &ObjectRef, why: String| ApplyError::Diverged {
        unit: step.unit.clone(),
        object: Box::new(object.clone()),
        why,
    };
    let planned = |name: &ObjectRef| step.changes.iter().any(|change| change.object == *name);
    if let Some(object) = filled.keys().find(|name| !planned(name)) {
        return Err(apart(object, "it was not in the plan".to_owned()));
    }
    for (name, desired) in open {
        let Some(object) = filled.remove(name) else {
            return Err(apart(name, "it is no longer asked for".to_owned()));
        };
        let holes = holes_of(&object);
        if !holes.is_empty() {
            return Err(ApplyError::ValueMissing { unit: step.unit.clone(), holes });
        }
        let object = settled(&object, live.get(name));
        let differs = divergence(desired, &object);
        if !differs.is_empty() {
            return Err(apart(name, format!("{} differ", differs.join(", "))));
        }
        objects.insert(name.clone(), object);
    }
    Ok(objects)
}

fn filled(
    unit: &DesiredUnit,
    mesh: &MeshFacts,
    values: &Values,
) -> Result<BTreeMap<ObjectRef, Object>, ApplyError> {
    let objects = unit.objects(mesh, values).map_err(|error| ApplyError::Compile(Box::new(error)))?;
    Ok(objects.into_iter().map(|object| (object.reference(), object)).collect())
}

/// The holes whose markers stand in an object.
fn holes_of(object: &Object) -> Vec<Hole> {
    fn walk(value: &Json, holes: &mut Vec<Hole>) {
        match value {
            Json::String(text) => holes.extend(markers_in(text)),
            Json::Array(items) => items.iter().for_each(|item| walk(item, holes)),
            Json::Object(map) => map.values().for_each(|value| walk(value, holes)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
    let mut holes = Vec::new();
    object.as_map().values().for_each(|value| walk(value, &mut holes));
    holes.dedup();
    holes
}

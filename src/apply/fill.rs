//! The objects of a step with every value in its place, checked against what the plan showed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value as Json;

use super::{ApplyError, diverged};
use crate::compile::{DesiredUnit, Hole, MeshFacts, Output, Values, markers_in};
use crate::graph::UnitKind;
use crate::object::{Object, ObjectRef};
use crate::plan::Step;

/// What is sent for each change of a step that asks for an object.
///
/// A change without markers is sent as the plan has it. For the others the unit is rendered with
/// `values`, and may differ from its rendering with `planned`, the values that the plan knew, by
/// markers alone.
pub(super) fn objects(
    mesh: &MeshFacts,
    step: &Step,
    planned: &Values,
    values: &Values,
) -> Result<BTreeMap<ObjectRef, Object>, ApplyError> {
    let mut objects = BTreeMap::new();
    let mut open = Vec::new();
    for change in step.writes() {
        match &change.desired {
            Some(desired) if holes_of(desired).is_empty() => {
                objects.insert(change.object.clone(), desired.clone());
            }
            Some(_) => open.push(&change.object),
            None => {}
        }
    }
    let Some(unit) = step.desired.as_ref().filter(|_| !open.is_empty()) else { return Ok(objects) };
    addresses_only(unit, values)?;
    let by_name = |values: &Values| -> Result<BTreeMap<ObjectRef, Object>, ApplyError> {
        let objects = unit.objects(mesh, values).map_err(ApplyError::Compile)?;
        Ok(objects.into_iter().map(|object| (object.reference(), object)).collect())
    };
    let shown = by_name(planned)?;
    let mut filled = by_name(values)?;
    let apart = |object: &ObjectRef, why: &str| ApplyError::Diverged {
        unit: step.unit.clone(),
        object: object.clone(),
        why: why.to_owned(),
    };
    if let Some(object) = filled.keys().find(|object| !shown.contains_key(object)) {
        return Err(apart(object, "it was not in the plan"));
    }
    for (name, object) in &shown {
        let Some(now) = filled.get(name) else { return Err(apart(name, "it is no longer asked for")) };
        if let Some(why) = diverged::difference(object, now) {
            return Err(apart(name, &why));
        }
    }
    for name in open {
        let Some(object) = filled.remove(name) else { return Err(apart(name, "it is no longer asked for")) };
        let holes = holes_of(&object);
        if !holes.is_empty() {
            return Err(ApplyError::ValueMissing { unit: step.unit.clone(), holes });
        }
        objects.insert(name.clone(), encoded(object));
    }
    Ok(objects)
}

/// A remote's Service leads to addresses; a hostname there would break the API server's way to the webhook.
fn addresses_only(unit: &DesiredUnit, values: &Values) -> Result<(), ApplyError> {
    if unit.unit.kind != UnitKind::ControlPlane {
        return Ok(());
    }
    for hole in unit.holes() {
        let Hole::Observed { output: Output::Address, .. } = &hole else { continue };
        let Some(value) = values.get(&hole) else { continue };
        if value.expose().parse::<IpAddr>().is_err() {
            let hostname = value.expose().to_owned();
            return Err(ApplyError::Hostname { unit: unit.unit.clone(), hostname });
        }
    }
    Ok(())
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

/// A Secret's texts in base64, as the API takes them.
fn encoded(mut object: Object) -> Object {
    use base64::Engine;
    if object.kind() != "Secret" {
        return object;
    }
    if let Some(Json::Object(texts)) = object.as_map_mut().remove("stringData") {
        let data = object.as_map_mut().entry("data").or_insert_with(|| Json::Object(serde_json::Map::new()));
        for (key, text) in texts {
            let text = text.as_str().unwrap_or_default();
            data[key.as_str()] = base64::engine::general_purpose::STANDARD.encode(text).into();
        }
    }
    object
}

//! A unit's objects, as far as their holes are known, with the digests by which they are remembered.

use std::collections::BTreeMap;

use super::digest;
use crate::compile::{DesiredUnit, MeshFacts, Values};
use crate::cores::on_all_cores;
use crate::diagnostic::Failure;
use crate::object::{Object, ObjectRef};

/// A unit's objects.
pub(super) struct RenderedUnit {
    /// In apply order, known values in the place of markers.
    pub(super) objects: Vec<Object>,
    digests: BTreeMap<ObjectRef, String>,
}

impl RenderedUnit {
    /// Renders a unit.
    pub(super) fn of(unit: &DesiredUnit, mesh: &MeshFacts, values: &Values) -> Result<Self, Failure> {
        let failure = |error: crate::compile::CompileError| error.failure();
        // With every hole open: what the topology asks for, whatever the clusters answer today.
        let open = unit.objects(mesh, &Values::default()).map_err(failure)?;
        let digests =
            on_all_cores(&open, |object| (object.reference(), digest(object))).into_iter().collect();
        let objects = match unit.holes().is_empty() {
            true => open,
            false => unit.objects(mesh, values).map_err(failure)?,
        };
        Ok(Self { objects, digests })
    }

    /// The digest of one of its objects.
    ///
    /// A template that branches on a value may give an object that it gives for no other: then
    /// the object speaks for itself.
    pub(super) fn digest(&self, object: &Object) -> String {
        self.digests.get(&object.reference()).cloned().unwrap_or_else(|| digest(object))
    }

    /// What names its objects, in apply order.
    pub(super) fn references(&self) -> Vec<ObjectRef> {
        self.objects.iter().map(Object::reference).collect()
    }
}

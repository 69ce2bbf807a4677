//! What a write must hold to: preconditions, identity and types, and what a server says where it does not.

use super::request::UnknownFields;
use super::write::Request;
use crate::object::{Object, ObjectRef};
use crate::sandbox::admission::{self, TypeFault};
use crate::sandbox::api_error::{ApiError, FieldFault, Reason};
use crate::sandbox::merge::ApplyFault;
use crate::sandbox::resource::ResourceInfo;

/// The UID and the version that a write names must be those of the live object.
pub(super) fn check_preconditions(
    resource: &ResourceInfo,
    new: &Object,
    live: &Object,
) -> Result<(), ApiError> {
    if let (Some(wanted), Some(uid)) = (new.uid(), live.uid())
        && wanted != uid
    {
        let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}");
        return Err(ApiError::conflict(resource, live.name(), &why));
    }
    check_version(resource, new, live)
}

fn check_version(resource: &ResourceInfo, new: &Object, live: &Object) -> Result<(), ApiError> {
    let wanted = new.text(&["metadata", "resourceVersion"]).unwrap_or_default();
    if !matches!(wanted, "" | "0") && live.text(&["metadata", "resourceVersion"]) != Some(wanted) {
        return Err(ApiError::modified(resource, live.name()));
    }
    Ok(())
}

/// A patch changes neither which object it is nor where.
pub(super) fn check_identity(
    resource: &ResourceInfo,
    reference: &ObjectRef,
    live: &Object,
    patched: &Object,
) -> Result<(), ApiError> {
    let sent = patched.reference();
    if sent.name != reference.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            sent.name, reference.name
        )));
    }
    if sent.namespace != reference.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if sent != *reference {
        return Err(ApiError::new(Reason::Invalid, "a patch cannot change the kind of an object"));
    }
    check_uid(resource, patched, live)
}

/// What a patch says of the identity and the end of its object must be so; first, which state it means.
pub(super) fn check_uid(resource: &ResourceInfo, patched: &Object, live: &Object) -> Result<(), ApiError> {
    check_version(resource, patched, live)?;
    for field in ["uid", "deletionTimestamp"] {
        let path = ["metadata", field];
        if let Some(wanted) = patched.get(&path).filter(|wanted| !wanted.is_null())
            && live.get(&path) != Some(wanted)
        {
            let name = format!("metadata.{field}");
            let fault = FieldFault::invalid(name, wanted.clone(), "field is immutable");
            return Err(ApiError::invalid(resource, live.name(), &[fault]));
        }
    }
    Ok(())
}

/// What a server says of an apply that failed.
pub(super) fn apply_fault(resource: &ResourceInfo, reference: &ObjectRef, fault: ApplyFault) -> ApiError {
    match fault {
        ApplyFault::Conflicts(conflicts) => ApiError::apply_conflict(&conflicts),
        ApplyFault::Merge(fault) => untypable(resource, reference, &fault.to_string()),
    }
}

/// What a server says of an applied object that is not of its type.
fn untypable(resource: &ResourceInfo, reference: &ObjectRef, fault: &str) -> ApiError {
    let place = reference.namespace.as_deref().unwrap_or_default();
    let (name, group, version, kind) = (&reference.name, &resource.group, &resource.storage, &resource.kind);
    let message = format!(
        "failed to create typed patch object ({place}/{name}; {group}/{version}, Kind={kind}): {fault}"
    );
    ApiError::new(Reason::Unknown, message)
}

/// Refuses an applied object that is not of its type.
pub(super) fn check_applied_types(resource: &ResourceInfo, applied: &Object) -> Result<(), ApiError> {
    let faults = match admission::unknown_fields(resource, applied.as_map()) {
        Ok(unknown) => {
            let words =
                unknown.iter().map(|path| format!("{}: field not declared in schema", path.server_text()));
            words.collect::<Vec<_>>().join("\n")
        }
        Err(TypeFault { field, detail }) => format!("{field}: {detail}"),
    };
    if faults.is_empty() { Ok(()) } else { Err(untypable(resource, &applied.reference(), &faults)) }
}

/// Refuses what is not of its type; unknown fields as the client asks.
pub(super) fn check_types(request: &Request<'_>, object: &mut Object) -> Result<(), ApiError> {
    let resource = &request.resource;
    match admission::unknown_fields(resource, object.as_map()) {
        Ok(unknown) => match (unknown.as_slice(), request.options.unknown) {
            ([], _) => {}
            (_, UnknownFields::Drop) => admission::drop_fields(object.as_map_mut(), &unknown),
            (_, UnknownFields::Refuse) => {
                let words: Vec<String> =
                    unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect();
                let (kind, version) = (&resource.kind, &resource.storage);
                return Err(ApiError::bad_request(format!(
                    "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {}",
                    words.join(", ")
                )));
            }
        },
        Err(TypeFault { field, detail }) => {
            let (kind, version) = (&resource.kind, &resource.storage);
            return Err(ApiError::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: {field}: {detail}"
            )));
        }
    }
    Ok(())
}

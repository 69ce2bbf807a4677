//! The apply set of a mesh in a cluster: the label by which its objects are found again.
//!
//! KEP-3659, "ApplySet": the parent is ConfigMap `stolos-<mesh id>` in the mesh namespace.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::MeshFacts;

/// The label on every member, with the set's ID as its value (KEP-3659).
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";

/// The name of the parent: `stolos-mesh1`.
pub fn parent_name(mesh: &MeshFacts) -> String {
    format!("stolos-{}", mesh.id)
}

/// The set's ID: `applyset-<base64url(sha256(name.namespace.kind.group))>-v1`.
pub fn applyset_id(mesh: &MeshFacts) -> String {
    let parent = format!("{}.{}.ConfigMap.", parent_name(mesh), mesh.namespace);
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(Sha256::digest(parent.as_bytes())))
}

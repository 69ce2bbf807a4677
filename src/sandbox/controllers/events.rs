//! Warning Events, as the component that met the trouble writes them.

use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::controlled::time_of;
use super::world::Member;
use crate::object::Object;

/// Writes one Warning about an object; the same one is written once.
pub(super) fn warn(member: &Member, about: &Object, component: &str, reason: &str, message: &str) {
    let namespace = about.namespace().unwrap_or("default");
    let seed = format!("{}\n{}\n{reason}\n{message}", about.kind(), about.uid().unwrap_or_default());
    let digest = HEXLOWER.encode(&Sha256::digest(seed)[..8]);
    let name = format!("{}.{digest}", about.name());
    if member.cluster.find("", "Event", Some(namespace), &name).is_some() {
        return;
    }
    let time = time_of(&*member.cluster);
    let event = Object::from_value(json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {
            "apiVersion": about.api_version(), "kind": about.kind(), "name": about.name(),
            "namespace": namespace, "uid": about.uid(),
            "resourceVersion": about.text(&["metadata", "resourceVersion"]),
        },
        "type": "Warning", "reason": reason, "message": message, "count": 1,
        "firstTimestamp": time, "lastTimestamp": time,
        "source": {"component": component}, "reportingComponent": component,
    }));
    let event = event.expect("an event is written whole above");
    let _ = member.cluster.create(event, component);
}

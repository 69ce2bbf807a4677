//! A desired object as it is sent: encoded, and without what controllers own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::ownership::Ownership;
use crate::compile::markers_in;
use crate::object::{FieldPath, Object, PathElement};

/// A field that a controller writes over whatever was applied.
struct ControllerField {
    kind: &'static str,
    /// Below an item of `webhooks`.
    below_webhook: &'static [&'static str],
}

/// What istiod writes into webhook configurations: its authority into each, and `Fail` into the
/// validating one once it has seen a bad object refused (`pkg/webhooks/validation/controller`, 1.30.3).
///
/// They are applied once, so that an object begins well, and never taken back.
const CONTROLLER_FIELDS: &[ControllerField] = &[
    ControllerField { kind: "MutatingWebhookConfiguration", below_webhook: &["clientConfig", "caBundle"] },
    ControllerField { kind: "ValidatingWebhookConfiguration", below_webhook: &["clientConfig", "caBundle"] },
    ControllerField { kind: "ValidatingWebhookConfiguration", below_webhook: &["failurePolicy"] },
];

/// Whether a controller writes a field over whatever was applied.
pub(super) fn belongs_to_controller(kind: &str, path: &FieldPath) -> bool {
    let [PathElement::Field(webhooks), PathElement::Key(_), below @ ..] = path.0.as_slice() else {
        return false;
    };
    let of_kind = CONTROLLER_FIELDS.iter().filter(|field| field.kind == kind);
    let is_below = |field: &ControllerField| {
        let names = field.below_webhook.iter().map(|name| PathElement::field(*name));
        below.iter().take(field.below_webhook.len()).cloned().eq(names)
    };
    webhooks == "webhooks" && of_kind.into_iter().any(is_below)
}

/// A desired object as it is sent to a cluster where `live` is: a Secret's texts in base64, and
/// without the fields that a controller has taken.
///
/// A text with an open marker stays as it is, since it cannot be sent yet.
pub fn settled(desired: &Object, live: Option<&Object>) -> Object {
    let mut object = desired.clone();
    if object.kind() == "Secret" {
        encode(&mut object);
    }
    if let Some(live) = live {
        leave_to_controllers(&mut object, live);
    }
    object
}

/// Moves `stringData` into `data`, as a server does.
fn encode(secret: &mut Object) {
    let Some(Value::Object(texts)) = secret.as_map_mut().remove("stringData") else { return };
    let data = secret.as_map_mut().entry("data").or_insert_with(|| Value::Object(Map::new()));
    if !data.is_object() {
        *data = Value::Object(Map::new());
    }
    for (key, value) in texts {
        let value = match value {
            Value::String(text) if markers_in(&text).is_empty() => Value::String(STANDARD.encode(text)),
            other => other,
        };
        data[key.as_str()] = value;
    }
}

/// Takes out what somebody else has set since.
fn leave_to_controllers(desired: &mut Object, live: &Object) {
    let kind = desired.kind().to_owned();
    let ownership = Ownership::of(live);
    for field in CONTROLLER_FIELDS.iter().filter(|field| field.kind == kind) {
        let webhooks = desired.as_map_mut().get_mut("webhooks").and_then(Value::as_array_mut);
        for webhook in webhooks.into_iter().flatten() {
            let Some(name) = webhook.get("name").cloned() else { continue };
            let mut path = FieldPath(vec![
                PathElement::field("webhooks"),
                PathElement::Key(vec![("name".to_owned(), name)]),
            ]);
            path.0.extend(field.below_webhook.iter().map(|name| PathElement::field(*name)));
            let is_taken = path.lookup_in(live).is_some() && !ownership.is_ours(&path);
            if is_taken {
                remove(webhook, field.below_webhook);
            }
        }
    }
}

fn remove(value: &mut Value, path: &[&str]) {
    let Some((last, before)) = path.split_last() else { return };
    let parent = before.iter().try_fold(value, |value, name| value.get_mut(*name));
    if let Some(Value::Object(map)) = parent {
        map.remove(*last);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[test]
    fn a_secret_is_sent_as_data_and_its_markers_wait() {
        let secret = object(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "stringData": {"known": "x", "open": "${c1/trust.ca-key}"},
        }));
        assert_eq!(
            settled(&secret, None).into_value()["data"],
            json!({"known": "eA==", "open": "${c1/trust.ca-key}"})
        );
    }

    #[test]
    fn what_istiod_took_is_left_to_it() {
        let webhook = |policy: Value, managed: Value| {
            let mut value = json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "v", "managedFields": managed},
                "webhooks": [{"name": "a", "clientConfig": {"service": {"name": "istiod"}}}],
            });
            value["webhooks"][0]["failurePolicy"] = policy;
            object(value)
        };
        let entry = |manager: &str, operation: &str| {
            json!([{
                "manager": manager, "operation": operation, "apiVersion": "admissionregistration.k8s.io/v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:webhooks": {"k:{\"name\":\"a\"}": {"f:failurePolicy": {}}}},
            }])
        };
        let desired = webhook(json!("Ignore"), json!([]));
        let policy = |live: &Object| {
            settled(&desired, Some(live)).into_value()["webhooks"][0]["failurePolicy"].clone()
        };
        assert_eq!(policy(&webhook(json!("Fail"), entry("pilot-discovery", "Update"))), json!(null));
        assert_eq!(policy(&webhook(json!("Ignore"), entry("stolos", "Apply"))), json!("Ignore"));
    }
}

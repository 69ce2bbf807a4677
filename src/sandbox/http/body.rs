//! What a client sends.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use serde_json::Value;

use crate::document::SourceId;
use crate::document::yaml::{self, Limits, Schema};
use crate::object::Object;
use crate::sandbox::api_error::{ApiError, Reason};
use crate::sandbox::resource::ResourceInfo;
use crate::sandbox::store::ClusterStore;

/// The most bytes that a server takes.
const MOST_BYTES: usize = 3 * 1024 * 1024;

/// Reads a whole body.
pub(crate) async fn read(body: Incoming) -> Result<Vec<u8>, ApiError> {
    match Limited::new(body, MOST_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            let message = format!("Request entity too large: limit is {MOST_BYTES}");
            Err(ApiError::new(Reason::RequestEntityTooLarge, message))
        }
        Err(error) => Err(ApiError::bad_request(format!("the body could not be read: {error}"))),
    }
}

/// The media type of a body, without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let value =
        headers.get(hyper::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// A body that is JSON, or YAML where the client says so.
pub(crate) fn value(bytes: &[u8], media_type: &str) -> Result<Value, ApiError> {
    match media_type {
        "" | "application/json" => json(bytes),
        "application/yaml" => yaml_value(bytes),
        other => Err(unsupported(other, &["application/json", "application/yaml"])),
    }
}

/// JSON.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("the body is no JSON: {error}")))
}

/// YAML, of which JSON is a part; it is tried first, being what clients send.
pub(crate) fn yaml_value(bytes: &[u8]) -> Result<Value, ApiError> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ApiError::bad_request("the body is not UTF-8"))?;
    match yaml::parse_one(SourceId(0), text, Schema::Go, Limits::MANIFESTS).into_result() {
        Ok(Some(node)) => Ok(node.to_json()),
        Ok(None) => Ok(Value::Null),
        Err(fault) => Err(ApiError::bad_request(format!("error decoding YAML: {}", fault.primary.text))),
    }
}

/// 415.
pub(crate) fn unsupported(media_type: &str, supported: &[&str]) -> ApiError {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {} (it was {media_type:?})",
        supported.join(", ")
    );
    ApiError::new(Reason::UnsupportedMediaType, message)
}

/// The object that a body is, put where the path says and checked against it.
pub(crate) fn object(
    store: &ClusterStore,
    mut value: Value,
    resource: &ResourceInfo,
    version: &str,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Result<Object, ApiError> {
    if value.is_null() {
        value = Value::Object(serde_json::Map::new());
    }
    let Value::Object(map) = &mut value else {
        return Err(ApiError::bad_request("the body is no object"));
    };
    let api_version = resource.api_version(version);
    for (key, wanted) in [("kind", resource.kind.as_str()), ("apiVersion", api_version.as_str())] {
        match map.get(key).and_then(Value::as_str) {
            Some(sent) if sent == wanted => {}
            // Clients that know the type may leave out what the path says.
            None => drop(map.insert(key.to_owned(), wanted.into())),
            Some(sent) => {
                return Err(ApiError::bad_request(format!(
                    "the {key} of the object ({sent}) does not match the expected {key} ({wanted})"
                )));
            }
        }
    }
    let metadata = map.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
    let Value::Object(metadata) = metadata else {
        return Err(ApiError::bad_request("metadata is no map"));
    };
    metadata.retain(|_, value| !value.is_null());
    match (metadata.get("namespace").and_then(Value::as_str).filter(|text| !text.is_empty()), namespace) {
        (Some(sent), Some(wanted)) if sent != wanted => {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        (_, Some(wanted)) => drop(metadata.insert("namespace".into(), wanted.into())),
        // What has no namespace loses one that it is given.
        (_, None) => drop(metadata.remove("namespace")),
    }
    let sent =
        metadata.get("name").and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let prefix = metadata.get("generateName").and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = match (sent, name) {
        (Some(sent), Some(wanted)) if sent != wanted => {
            return Err(ApiError::bad_request(format!(
                "the name of the object ({sent}) does not match the name on the URL ({wanted})"
            )));
        }
        (_, Some(wanted)) => wanted.to_owned(),
        (Some(sent), None) => sent,
        (None, None) => match prefix {
            Some(prefix) => store.generated_name(prefix),
            None => {
                let fault = crate::sandbox::api_error::FieldFault::required(
                    "metadata.name",
                    "name or generateName is required",
                );
                return Err(ApiError::invalid(resource, "", &[fault]));
            }
        },
    };
    metadata.insert("name".into(), name.into());
    Object::from_value(value)
        .map_err(|fault| ApiError::bad_request(format!("the body is no object: {fault}")))
}

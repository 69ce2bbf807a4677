//! What an API server says when it refuses: `Status` objects.
//!
//! Codes, reasons and messages are those of `apimachinery/pkg/api/errors`, so
//! that clients that look at them behave as they do with a real server.

use std::fmt;

use serde_json::{Map, Value, json};

use super::resource::ResourceInfo;

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The machine's word for it.
    pub reason: Reason,
    /// The sentence for people.
    pub message: String,
    /// What it is about.
    pub details: Option<Box<Details>>,
}

/// What a refusal is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// The object.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its plural; for invalid objects and conflicts of creation the kind.
    pub kind: String,
    /// Its UID, where it matters.
    pub uid: String,
    /// The single faults.
    pub causes: Vec<Cause>,
}

/// One fault of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldManagerConflict`.
    pub reason: &'static str,
    /// The sentence.
    pub message: String,
    /// The field.
    pub field: String,
}

/// The reasons of `metav1.StatusReason` that the sandbox gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// 400.
    BadRequest,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 406.
    NotAcceptable,
    /// 409, creation.
    AlreadyExists,
    /// 409, a write against another state or another manager.
    Conflict,
    /// 410.
    Expired,
    /// 413.
    RequestEntityTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 422.
    Invalid,
    /// 504.
    Timeout,
    /// 500.
    InternalError,
    /// 500, for what a server has no word for.
    Unknown,
}

impl Reason {
    /// The HTTP code.
    pub fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Expired => 410,
            Self::RequestEntityTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::Timeout => 504,
            Self::InternalError | Self::Unknown => 500,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One fault of an object's content, as `field.Error` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// `spec.selector`.
    pub field: String,
    /// What kind of fault.
    pub kind: FieldFaultKind,
    /// What is wrong with it.
    pub detail: String,
}

/// The kinds of `field.ErrorType` that the sandbox gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldFaultKind {
    /// Missing.
    Required,
    /// Wrong, with the value that stands there.
    Invalid(Value),
    /// Not one of those that are allowed.
    NotSupported(Value),
    /// Twice.
    Duplicate(Value),
    /// Must not be there.
    Forbidden,
    /// Names something that is not there.
    NotFound(Value),
    /// More than so many bytes.
    TooLong(usize),
}

impl FieldFault {
    /// A field that must be there.
    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), kind: FieldFaultKind::Required, detail: detail.into() }
    }

    /// A field that must not stand as it does.
    pub fn invalid(field: impl Into<String>, value: Value, detail: impl Into<String>) -> Self {
        Self { field: field.into(), kind: FieldFaultKind::Invalid(value), detail: detail.into() }
    }

    /// A field that must not be there.
    pub fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), kind: FieldFaultKind::Forbidden, detail: detail.into() }
    }

    /// A field that is none of the words allowed.
    pub fn not_supported(field: impl Into<String>, value: Value, allowed: &[&str]) -> Self {
        let words: Vec<String> = allowed.iter().map(|word| format!("{word:?}")).collect();
        let detail = format!("supported values: {}", words.join(", "));
        Self { field: field.into(), kind: FieldFaultKind::NotSupported(value), detail }
    }

    /// A value that stands twice.
    pub fn duplicate(field: impl Into<String>, value: Value) -> Self {
        Self { field: field.into(), kind: FieldFaultKind::Duplicate(value), detail: String::new() }
    }

    /// A reference to something that is not there.
    pub fn not_found(field: impl Into<String>, value: Value) -> Self {
        Self { field: field.into(), kind: FieldFaultKind::NotFound(value), detail: String::new() }
    }

    /// A field with too many bytes.
    pub fn too_long(field: impl Into<String>, most: usize) -> Self {
        let detail = format!("may not be more than {most} bytes");
        Self { field: field.into(), kind: FieldFaultKind::TooLong(most), detail }
    }

    fn cause(&self) -> Cause {
        let (reason, words) = match &self.kind {
            FieldFaultKind::Required => ("FieldValueRequired", "Required value".to_owned()),
            FieldFaultKind::Invalid(value) => {
                ("FieldValueInvalid", format!("Invalid value: {}", printed(value)))
            }
            FieldFaultKind::NotSupported(value) => {
                ("FieldValueNotSupported", format!("Unsupported value: {}", printed(value)))
            }
            FieldFaultKind::Duplicate(value) => {
                ("FieldValueDuplicate", format!("Duplicate value: {}", printed(value)))
            }
            FieldFaultKind::Forbidden => ("FieldValueForbidden", "Forbidden".to_owned()),
            FieldFaultKind::NotFound(value) => {
                ("FieldValueNotFound", format!("Not found: {}", printed(value)))
            }
            FieldFaultKind::TooLong(_) => ("FieldValueTooLong", "Too long".to_owned()),
        };
        let message = if self.detail.is_empty() { words } else { format!("{words}: {}", self.detail) };
        Cause { reason, message, field: self.field.clone() }
    }
}

/// A value in a message; whole maps would swamp it.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

impl ApiError {
    /// A refusal of which one sentence says all.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), details: None }
    }

    /// 404 for a path that leads nowhere.
    pub fn no_such_resource() -> Self {
        let error = Self::new(Reason::NotFound, "the server could not find the requested resource");
        Self { details: Some(Box::default()), ..error }
    }

    /// 404 for a kind that is in no table, by name.
    pub fn no_such_kind(group: &str, version: &str, kind: &str) -> Self {
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        Self::new(
            Reason::NotFound,
            format!(
                "the server could not find the requested resource: no matches for kind {kind:?} in version {api_version:?}"
            ),
        )
    }

    /// 404 for an object.
    pub fn not_found(resource: &ResourceInfo, name: &str) -> Self {
        Self::about(
            Reason::NotFound,
            resource,
            name,
            format!("{} {name:?} not found", resource.group_resource()),
        )
    }

    /// 409 for an object that is there already.
    pub fn already_exists(resource: &ResourceInfo, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", resource.group_resource());
        Self::about(Reason::AlreadyExists, resource, name, message)
    }

    /// 409 for a write that starts from another state.
    pub fn conflict(resource: &ResourceInfo, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.group_resource());
        Self::about(Reason::Conflict, resource, name, message)
    }

    /// 409 for an update of a state that is no more.
    pub fn modified(resource: &ResourceInfo, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// 409 for an apply that meets other managers.
    pub fn apply_conflict(conflicts: &[super::merge::Conflict]) -> Self {
        let message = match conflicts {
            [one] => format!("Apply failed with 1 conflict: conflict with {}: {}", one.manager, one.field),
            _ => {
                let mut lines = Vec::new();
                let mut managers: Vec<&str> = conflicts.iter().map(|c| c.manager.as_str()).collect();
                managers.sort_unstable();
                managers.dedup();
                for manager in managers {
                    lines.push(format!("conflicts with {manager}:"));
                    let fields = conflicts.iter().filter(|c| c.manager == manager);
                    lines.extend(fields.map(|conflict| format!("- {}", conflict.field)));
                }
                format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
            }
        };
        let causes = conflicts.iter().map(|conflict| Cause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {}", conflict.manager),
            field: conflict.field.clone(),
        });
        let details = Details { causes: causes.collect(), ..Details::default() };
        Self { reason: Reason::Conflict, message, details: Some(Box::new(details)) }
    }

    /// 422 for an update that must say which state it starts from; the registry names the plural here.
    pub fn version_required(resource: &ResourceInfo, name: &str) -> Self {
        let cause = Cause {
            reason: "FieldValueInvalid",
            message: "Invalid value: 0: must be specified for an update".to_owned(),
            field: "metadata.resourceVersion".to_owned(),
        };
        let words = format!("{}: {}", cause.field, cause.message);
        let message = format!("{} {name:?} is invalid: {words}", resource.group_resource());
        Self::about(Reason::Invalid, resource, name, message).with_cause(cause)
    }

    /// 422 for options of a request that are none: `kind` is `CreateOptions` and the like.
    pub fn invalid_options(kind: &str, fault: &FieldFault) -> Self {
        let cause = fault.cause();
        let message = format!("{kind}.meta.k8s.io \"\" is invalid: {}: {}", cause.field, cause.message);
        let details = Details {
            group: "meta.k8s.io".to_owned(),
            kind: kind.to_owned(),
            causes: vec![cause],
            ..Details::default()
        };
        Self { reason: Reason::Invalid, message, details: Some(Box::new(details)) }
    }

    /// 403 for what is against a rule.
    pub fn forbidden(resource: &ResourceInfo, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {why}", resource.group_resource());
        Self::about(Reason::Forbidden, resource, name, message)
    }

    /// 422 for content that is at fault; there is at least one fault.
    pub fn invalid(resource: &ResourceInfo, name: &str, faults: &[FieldFault]) -> Self {
        let causes: Vec<Cause> = faults.iter().map(FieldFault::cause).collect();
        let words: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let words = match words.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let qualified = if resource.group.is_empty() {
            resource.kind.clone()
        } else {
            format!("{}.{}", resource.kind, resource.group)
        };
        let details = Details {
            name: name.to_owned(),
            group: resource.group.clone(),
            kind: resource.kind.clone(),
            causes,
            ..Details::default()
        };
        Self {
            reason: Reason::Invalid,
            message: format!("{qualified} {name:?} is invalid: {words}"),
            details: Some(Box::new(details)),
        }
    }

    /// 410 for a watch or a page that starts too far back.
    pub fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(Reason::Expired, format!("too old resource version: {asked} ({oldest})"))
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// Adds a cause.
    #[must_use]
    pub fn with_cause(mut self, cause: Cause) -> Self {
        self.details.get_or_insert_default().causes.push(cause);
        self
    }

    fn about(reason: Reason, resource: &ResourceInfo, name: &str, message: String) -> Self {
        let details = Details {
            name: name.to_owned(),
            group: resource.group.clone(),
            kind: resource.plural.clone(),
            ..Details::default()
        };
        Self { reason, message, details: Some(Box::new(details)) }
    }

    /// The `Status` object that is sent.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.reason.code(),
        });
        if self.reason != Reason::Unknown {
            status["reason"] = self.reason.to_string().into();
        }
        if let Some(details) = &self.details {
            status["details"] = details.to_value();
        }
        status
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in
            [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)]
        {
            if !text.is_empty() {
                map.insert(key.into(), text.as_str().into());
            }
        }
        if !self.causes.is_empty() {
            let causes = self.causes.iter();
            let causes = causes.map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field}));
            map.insert("causes".into(), causes.collect());
        }
        Value::Object(map)
    }
}

//! Label and field selectors, as they stand in a query.

use serde_json::Value;

use super::admission::{key_fault, value_fault};
use super::api_error::ApiError;
use crate::object::Object;

/// Which objects of a list are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    Exists,
    DoesNotExist,
    In(Vec<String>),
    NotIn(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldRequirement {
    path: String,
    value: String,
    wants: Wants,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Equal,
    Unequal,
}

/// The fields of built-in kinds that can be selected by, as their strategies list them.
const SELECTABLE: &[(&str, &[&str])] = &[
    (
        "Pod",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
        ],
    ),
    (
        "Event",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    ("Secret", &["type"]),
    ("Namespace", &["status.phase"]),
    ("Node", &["spec.unschedulable"]),
    ("Service", &["spec.clusterIP", "spec.type"]),
    ("ReplicaSet", &["status.replicas"]),
];

impl Selector {
    /// Reads the two selectors of a query; empty ones select everything.
    pub fn parse(labels: &str, fields: &str, kind: &str) -> Result<Self, ApiError> {
        Ok(Self { labels: parse_labels(labels)?, fields: parse_fields(fields, kind)? })
    }

    /// Objects with this label.
    pub fn label(key: &str, value: &str) -> Self {
        let operator = Operator::In(vec![value.to_owned()]);
        Self { labels: vec![Requirement { key: key.to_owned(), operator }], fields: Vec::new() }
    }

    /// Whether it wants an object.
    pub fn matches(&self, object: &Object) -> bool {
        self.labels.iter().all(|requirement| requirement.matches(object.label(&requirement.key)))
            && self.fields.iter().all(|requirement| requirement.matches(object))
    }

    /// Whether it wants every object.
    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

impl Requirement {
    fn matches(&self, value: Option<&str>) -> bool {
        let is_one_of = |words: &[String]| value.is_some_and(|value| words.iter().any(|word| word == value));
        match &self.operator {
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::In(words) => is_one_of(words),
            Operator::NotIn(words) => !is_one_of(words),
        }
    }
}

impl FieldRequirement {
    fn matches(&self, object: &Object) -> bool {
        let path: Vec<&str> = self.path.split('.').collect();
        let text = match object.get(&path) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        match self.wants {
            Wants::Equal => text == self.value,
            Wants::Unequal => text != self.value,
        }
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, ApiError> {
    if text.trim_end().ends_with(',') {
        let message = "found '', expected: identifier after ','";
        return Err(ApiError::bad_request(format!("unable to parse requirement: {message}")));
    }
    split_outside_parentheses(text).into_iter().map(|part| parse_requirement(part, text)).collect()
}

/// Splits at commas, but not inside `in (a, b)`.
fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (position, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn parse_requirement(part: &str, whole: &str) -> Result<Requirement, ApiError> {
    let fault = || ApiError::bad_request(format!("unable to parse requirement: {part:?} in {whole:?}"));
    let requirement = |key: &str, operator| {
        let key = key.trim();
        let words = match &operator {
            Operator::In(words) | Operator::NotIn(words) => words.as_slice(),
            Operator::Exists | Operator::DoesNotExist => &[],
        };
        let is_sound = key_fault(key).is_none() && words.iter().all(|word| value_fault(word).is_none());
        if is_sound { Ok(Requirement { key: key.to_owned(), operator }) } else { Err(fault()) }
    };
    if let Some(head) = part.strip_suffix(')') {
        let (head, words) = head.split_once('(').ok_or_else(fault)?;
        let words = words.split(',').map(|word| word.trim().to_owned()).collect();
        let (key, word) = head.trim().rsplit_once(char::is_whitespace).ok_or_else(fault)?;
        return match word {
            "in" => requirement(key, Operator::In(words)),
            "notin" => requirement(key, Operator::NotIn(words)),
            _ => Err(fault()),
        };
    }
    if let Some(key) = part.strip_prefix('!') {
        return requirement(key, Operator::DoesNotExist);
    }
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = part.split_once("!=") {
        return requirement(key, Operator::NotIn(one(value)));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return requirement(key, Operator::In(one(value)));
    }
    requirement(part, Operator::Exists)
}

fn parse_fields(text: &str, kind: &str) -> Result<Vec<FieldRequirement>, ApiError> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (path, value, wants) = if let Some((path, value)) = part.split_once("!=") {
                (path, value, Wants::Unequal)
            } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (path, value, Wants::Equal)
            } else {
                return Err(ApiError::bad_request(format!(
                    "invalid selector: '{text}'; can't understand '{part}'"
                )));
            };
            let of_kind = SELECTABLE.iter().find(|(name, _)| *name == kind).map(|(_, paths)| *paths);
            let is_known = matches!(path, "metadata.name" | "metadata.namespace")
                || of_kind.is_some_and(|paths| paths.contains(&path));
            if !is_known {
                // Kinds with fields of their own say it in their own words.
                let message = match of_kind {
                    Some(_) => format!("field label not supported: {path}"),
                    None => format!(
                        "{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    ),
                };
                return Err(ApiError::bad_request(message));
            }
            Ok(FieldRequirement { path: path.to_owned(), value: value.to_owned(), wants })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labelled(labels: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": labels}, "type": "Opaque",
        }))
        .expect("a whole object")
    }

    #[test]
    fn label_selectors_select_as_kubernetes_says() {
        let object = labelled(json!({"a": "1", "b": "2"}));
        for (selector, wanted) in [
            ("", true),
            ("a", true),
            ("!a", false),
            ("!c", true),
            ("a=1", true),
            ("a==2", false),
            ("a!=2,b", true),
            ("c!=2", true),
            ("a in (0, 1),b notin (3)", true),
            ("a notin (1)", false),
            ("c in (1)", false),
        ] {
            let parsed = Selector::parse(selector, "", "Secret");
            assert_eq!(parsed.map(|s| s.matches(&object)), Ok(wanted), "{selector}");
        }
        for selector in ["a in 1", "=1", "a within (1)", "a b"] {
            assert!(Selector::parse(selector, "", "Secret").is_err(), "{selector}");
        }
    }

    #[test]
    fn field_selectors_are_refused_where_a_kind_has_none() {
        let object = labelled(json!({}));
        let matches = |text: &str| Selector::parse("", text, "Secret").map(|s| s.matches(&object));
        assert_eq!(matches("metadata.name=s,type!=x"), Ok(true));
        assert_eq!(matches("metadata.namespace=n"), Ok(false));
        assert_eq!(matches("data.a=1"), Err(ApiError::bad_request("field label not supported: data.a")));
    }
}

//! Reading objects: the few questions that every controller asks.

use serde_json::{Map, Value};

use crate::object::Object;

/// The labels of an object.
pub(super) fn labels(object: &Object) -> Option<&Map<String, Value>> {
    object.get(&["metadata", "labels"])?.as_object()
}

/// The items of a list in an object; none where there is no list.
pub(super) fn items<'o>(object: &'o Object, path: &[&str]) -> &'o [Value] {
    list(object.get(path))
}

/// The items of a list; none where there is no list.
pub(super) fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text in a field of a map.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

/// Whether a plain selector (a Service's, a Gateway's) selects labels; an empty one selects nothing.
pub(super) fn selects(selector: Option<&Value>, labels: Option<&Map<String, Value>>) -> bool {
    let Some(selector) = selector.and_then(Value::as_object).filter(|selector| !selector.is_empty()) else {
        return false;
    };
    selector.iter().all(|(key, wanted)| labels.and_then(|labels| labels.get(key)) == Some(wanted))
}

/// Whether a LabelSelector matches labels; a missing or empty one matches everything.
pub(super) fn matches(selector: Option<&Value>, labels: Option<&Map<String, Value>>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    let Some(selector) = selector else { return true };
    let equal = selector.get("matchLabels").and_then(Value::as_object);
    let all_equal = equal.into_iter().flatten().all(|(key, wanted)| label(key) == wanted.as_str());
    all_equal
        && list(selector.get("matchExpressions")).iter().all(|expression| {
            let value = label(text(expression, "key").unwrap_or_default());
            let values = list(expression.get("values"));
            let is_among = value.is_some_and(|value| values.iter().any(|one| one.as_str() == Some(value)));
            match text(expression, "operator") {
                Some("In") => is_among,
                Some("NotIn") => !is_among,
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                Some(_) | None => false,
            }
        })
}

/// Whether an object is on its way out.
pub(super) fn is_leaving(object: &Object) -> bool {
    object.get(&["metadata", "deletionTimestamp"]).is_some()
}

/// Whether an object's owner is the one with this UID.
pub(super) fn is_owned_by(object: &Object, uid: &str) -> bool {
    items(object, &["metadata", "ownerReferences"]).iter().any(|owner| text(owner, "uid") == Some(uid))
}

/// The container of a pod with this name.
pub(super) fn container<'o>(pod: &'o Object, name: &str) -> Option<&'o Value> {
    items(pod, &["spec", "containers"]).iter().find(|container| text(container, "name") == Some(name))
}

/// The plain value of an environment variable.
pub(super) fn environment<'v>(container: &'v Value, name: &str) -> Option<&'v str> {
    let variable = list(container.get("env")).iter().find(|variable| text(variable, "name") == Some(name));
    text(variable?, "value")
}

/// Whether a pod serves: its condition Ready is True and it is not leaving.
pub(super) fn is_ready(pod: &Object) -> bool {
    let conditions = items(pod, &["status", "conditions"]);
    let ready = conditions.iter().find(|condition| text(condition, "type") == Some("Ready"));
    !is_leaving(pod) && ready.and_then(|condition| text(condition, "status")) == Some("True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(selector: &Value, pod_labels: &Value) -> bool {
        matches(Some(selector), pod_labels.as_object())
    }

    #[test]
    fn expressions_read_a_missing_label_as_kubernetes_does() {
        let none = json!({});
        let expression = |operator: &str| json!({"matchExpressions": [{"key": "a", "operator": operator, "values": ["1"]}]});
        assert!(!fits(&expression("In"), &none));
        assert!(fits(&expression("NotIn"), &none));
        assert!(!fits(&expression("Exists"), &none));
        assert!(fits(&expression("DoesNotExist"), &none));
        assert!(fits(&expression("In"), &json!({"a": "1"})));
        assert!(!fits(&expression("NotIn"), &json!({"a": "1"})));
    }

    #[test]
    fn an_empty_label_selector_matches_all_and_an_empty_service_selector_none() {
        assert!(fits(&json!({}), &json!({"a": "1"})));
        assert!(!selects(Some(&json!({})), json!({"a": "1"}).as_object()));
        assert!(selects(Some(&json!({"a": "1"})), json!({"a": "1", "b": "2"}).as_object()));
        assert!(!selects(Some(&json!({"a": "1", "c": "3"})), json!({"a": "1", "b": "2"}).as_object()));
    }
}

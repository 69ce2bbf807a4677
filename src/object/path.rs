//! Paths into an object as server-side apply writes them.
//!
//! A step goes into a map by field, into a list by the values of its keys, by
//! the item's own value (sets) or by position. The text of a path is the one
//! that API servers use in conflicts: `.spec.ports[port=15012,protocol="TCP"]`.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub enum PathElement {
    /// Into a map: `f:spec`.
    Field(String),
    /// To the item of a list whose fields have these values, sorted by name: `k:{"name":"discovery"}`.
    Key(Vec<(String, Value)>),
    /// To the item of a set that is this value: `v:"istio.io/finalizer"`.
    Value(Value),
    /// To the item at this position: `i:0`.
    Index(usize),
}

/// Why a text is no path element of fieldsV1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no path element of fieldsV1")]
pub struct NotAPathElement(pub String);

impl PathElement {
    /// A step into a map.
    pub fn field(name: impl Into<String>) -> Self {
        Self::Field(name.into())
    }

    /// Reads `f:spec`, `k:{"name":"discovery"}`, `v:"x"` or `i:0`.
    pub fn from_fields_v1(text: &str) -> Result<Self, NotAPathElement> {
        let fault = || NotAPathElement(text.to_owned());
        let (kind, rest) = text.split_once(':').ok_or_else(fault)?;
        match kind {
            "f" => Ok(Self::Field(rest.to_owned())),
            "v" => Ok(Self::Value(serde_json::from_str(rest).map_err(|_| fault())?)),
            "i" => Ok(Self::Index(rest.parse().map_err(|_| fault())?)),
            "k" => match serde_json::from_str(rest).map_err(|_| fault())? {
                Value::Object(map) => {
                    let mut keys: Vec<(String, Value)> = map.into_iter().collect();
                    keys.sort_by(|a, b| a.0.cmp(&b.0));
                    Ok(Self::Key(keys))
                }
                _ => Err(fault()),
            },
            _ => Err(fault()),
        }
    }

    /// The form that stands in fieldsV1.
    pub fn to_fields_v1(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
            Self::Key(keys) => {
                let map: serde_json::Map<String, Value> = keys.iter().cloned().collect();
                format!("k:{}", Value::Object(map))
            }
        }
    }

    /// What this step leads to; keys that an item lacks match if the path has a key's usual default.
    pub fn step<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Field(name) => value.get(name),
            Self::Index(index) => value.get(index),
            Self::Value(wanted) => value.as_array()?.iter().find(|item| *item == wanted),
            Self::Key(keys) => value.as_array()?.iter().find(|item| has_keys(item, keys)),
        }
    }
}

/// Whether an item has the values of a key step.
///
/// `protocol` is the one key of Kubernetes' lists with a default that desired objects leave out.
pub fn has_keys(item: &Value, keys: &[(String, Value)]) -> bool {
    keys.iter().all(|(name, wanted)| match item.get(name) {
        Some(value) => value == wanted,
        None => name == "protocol" && wanted == "TCP",
    })
}

/// Steps from an object's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FieldPath(pub Vec<PathElement>);

impl FieldPath {
    /// A path of map fields only.
    pub fn of_fields<const N: usize>(names: [&str; N]) -> Self {
        Self(names.into_iter().map(PathElement::field).collect())
    }

    /// The value it leads to.
    pub fn lookup<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |value, element| element.step(value))
    }

    /// The value it leads to in an object.
    pub fn lookup_in<'v>(&self, object: &'v super::Object) -> Option<&'v Value> {
        let (first, rest) = self.0.split_first()?;
        let PathElement::Field(name) = first else { return None };
        rest.iter().try_fold(object.as_map().get(name)?, |value, element| element.step(value))
    }

    /// This path and one step more.
    #[must_use]
    pub fn then(&self, element: PathElement) -> Self {
        let mut steps = self.0.clone();
        steps.push(element);
        Self(steps)
    }

    /// The form that API servers print in conflicts: `.spec.containers[name="discovery"].image`.
    pub fn server_text(&self) -> String {
        self.0.iter().map(server_element_text).collect()
    }
}

impl fmt::Display for FieldPath {
    /// The form for people: `spec.ports[port=15012,protocol=TCP].targetPort`.
    ///
    /// A field with a dot or a slash in its name stands in quotes and brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, element) in self.0.iter().enumerate() {
            match element {
                PathElement::Field(name) if name.contains(['.', '/', '[']) => write!(f, "[\"{name}\"]")?,
                PathElement::Field(name) if position == 0 => write!(f, "{name}")?,
                PathElement::Field(name) => write!(f, ".{name}")?,
                PathElement::Index(index) => write!(f, "[{index}]")?,
                PathElement::Value(value) => write!(f, "[={}]", bare(value))?,
                PathElement::Key(keys) => {
                    let pairs: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={}", bare(v))).collect();
                    write!(f, "[{}]", pairs.join(","))?;
                }
            }
        }
        Ok(())
    }
}

fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn server_element_text(element: &PathElement) -> String {
    match element {
        PathElement::Field(name) => format!(".{name}"),
        PathElement::Index(index) => format!("[{index}]"),
        PathElement::Value(value) => format!("[={value}]"),
        PathElement::Key(keys) => {
            let pairs: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("[{}]", pairs.join(","))
        }
    }
}

impl Eq for PathElement {}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PathElement {
    /// Fields, keys, values, positions: the order in which servers write them.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.cmp(b),
            (Self::Key(a), Self::Key(b)) => {
                for ((name, value), (other_name, other_value)) in a.iter().zip(b) {
                    let order = name.cmp(other_name).then_with(|| compare_values(value, other_value));
                    if order != Ordering::Equal {
                        return order;
                    }
                }
                a.len().cmp(&b.len())
            }
            (Self::Value(a), Self::Value(b)) => compare_values(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PathElement {
    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

/// A total order of JSON values: numbers, texts, booleans, lists, maps, null.
fn compare_values(a: &Value, b: &Value) -> Ordering {
    fn rank(value: &Value) -> u8 {
        match value {
            Value::Number(_) => 0,
            Value::String(_) => 1,
            Value::Bool(_) => 2,
            Value::Array(_) => 3,
            Value::Object(_) => 4,
            Value::Null => 5,
        }
    }
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(x), Value::Number(y)) => match (x.as_i64(), y.as_i64()) {
            (Some(x), Some(y)) => x.cmp(&y),
            _ => x
                .as_f64()
                .unwrap_or_default()
                .total_cmp(&y.as_f64().unwrap_or_default())
                .then_with(|| x.to_string().cmp(&y.to_string())),
        },
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
            a.to_string().cmp(&b.to_string())
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn elements_survive_the_round_through_fields_v1() {
        for text in ["f:spec", "f:a:b", r#"k:{"port":15012,"protocol":"TCP"}"#, r#"v:"x""#, "i:3"] {
            assert_eq!(PathElement::from_fields_v1(text).map(|e| e.to_fields_v1()), Ok(text.to_owned()));
        }
        for text in ["", "spec", "k:[]", "k:{", "i:x", "z:1"] {
            assert_eq!(PathElement::from_fields_v1(text), Err(NotAPathElement(text.to_owned())));
        }
    }

    #[test]
    fn a_path_prints_for_people_and_as_servers_do() {
        let path = FieldPath(vec![
            PathElement::field("spec"),
            PathElement::field("ports"),
            PathElement::Key(vec![("port".into(), json!(15012)), ("protocol".into(), json!("TCP"))]),
            PathElement::field("targetPort"),
        ]);
        assert_eq!(path.to_string(), "spec.ports[port=15012,protocol=TCP].targetPort");
        assert_eq!(path.server_text(), r#".spec.ports[port=15012,protocol="TCP"].targetPort"#);
        assert_eq!(
            FieldPath::of_fields(["metadata", "labels", "istio.io/rev"]).to_string(),
            "metadata.labels[\"istio.io/rev\"]"
        );
    }

    #[test]
    fn a_path_finds_its_value_through_keys_and_their_default() {
        let service =
            json!({"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 443, "protocol": "UDP"}]}});
        let at = |port: u16, protocol: &str| {
            FieldPath(vec![
                PathElement::field("spec"),
                PathElement::field("ports"),
                PathElement::Key(vec![("port".into(), json!(port)), ("protocol".into(), json!(protocol))]),
            ])
        };
        assert_eq!(at(80, "TCP").lookup(&service), Some(&json!({"port": 80, "name": "a"})));
        assert_eq!(at(443, "TCP").lookup(&service), None);
    }
}

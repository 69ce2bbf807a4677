//! Where things are: paths and queries of the Kubernetes API.

use std::fmt::Write as _;

use super::Fault;
use crate::object::kinds::{self, KindInfo};
use crate::object::{GroupKind, ObjectRef, Scope};

/// Which objects of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// One namespace; none for all of them, and for kinds that lie in none.
    pub namespace: Option<String>,
    /// One name.
    pub name: Option<String>,
    /// `key=value` of a label.
    pub label: Option<String>,
}

impl Selection {
    /// All that carry a label.
    pub fn labelled(key: &str, value: &str) -> Self {
        Self { label: Some(format!("{key}={value}")), ..Self::default() }
    }

    /// One object, whether it is there or not.
    pub fn of(object: &ObjectRef) -> Self {
        Self { namespace: object.namespace.clone(), name: Some(object.name.clone()), label: None }
    }

    /// The query that asks for them.
    pub(super) fn query(&self) -> Query {
        let mut query = Query::default();
        if let Some(label) = &self.label {
            query.add("labelSelector", label);
        }
        if let Some(name) = &self.name {
            query.add("fieldSelector", &format!("metadata.name={name}"));
        }
        query
    }
}

/// The row of a kind, which has its plural.
pub(super) fn info(kind: &GroupKind) -> Result<&'static KindInfo, Fault> {
    kinds::find(&kind.group, &kind.kind).ok_or_else(|| Fault::KindUnsupported(kind.to_string()))
}

/// The path of a kind's objects in a version of its group.
pub(super) fn collection(info: &KindInfo, version: &str, namespace: Option<&str>) -> String {
    let mut path = match info.group {
        "" => format!("/api/{}", encoded(version)),
        group => format!("/apis/{group}/{}", encoded(version)),
    };
    if let (Scope::Namespaced, Some(namespace)) = (info.scope, namespace) {
        let _ = write!(path, "/namespaces/{}", encoded(namespace));
    }
    let _ = write!(path, "/{}", info.plural);
    path
}

/// The path of one object in a version of its group.
pub(super) fn object(info: &KindInfo, version: &str, object: &ObjectRef) -> String {
    format!("{}/{}", collection(info, version, object.namespace.as_deref()), encoded(&object.name))
}

/// What stands behind the question mark.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Query(String);

impl Query {
    /// Adds a parameter.
    pub(super) fn add(&mut self, key: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        let _ = write!(self.0, "{key}={}", encoded(value));
    }

    /// A path with this query.
    pub(super) fn on(&self, path: &str) -> String {
        if self.0.is_empty() { path.to_owned() } else { format!("{path}?{}", self.0) }
    }
}

/// A text as one segment of a path or one value of a query (RFC 3986, unreserved characters stay).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> String {
        let reference = ObjectRef {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        let info = info(&reference.group_kind()).expect("a kind of the table");
        object(info, info.version(), &reference)
    }

    #[test]
    fn an_object_has_the_path_that_kubernetes_gives_it() {
        assert_eq!(
            path_of("apps", "Deployment", Some("istio-system"), "istiod"),
            "/apis/apps/v1/namespaces/istio-system/deployments/istiod"
        );
        assert_eq!(path_of("", "Namespace", None, "istio-system"), "/api/v1/namespaces/istio-system");
    }

    #[test]
    fn a_name_cannot_lead_out_of_its_place() {
        assert_eq!(
            path_of("", "Secret", Some("a/b"), "../c?d"),
            "/api/v1/namespaces/a%2Fb/secrets/..%2Fc%3Fd"
        );
    }

    #[test]
    fn a_kind_outside_the_table_is_refused_by_name() {
        let kind = GroupKind { group: "example.com".to_owned(), kind: "Widget".to_owned() };
        assert_eq!(info(&kind).err(), Some(Fault::KindUnsupported("Widget.example.com".to_owned())));
    }

    #[test]
    fn a_selection_becomes_a_query() {
        let selection = Selection { name: Some("istiod".to_owned()), ..Selection::labelled("a/b", "c") };
        assert_eq!(
            selection.query().on("/api/v1/pods"),
            "/api/v1/pods?labelSelector=a%2Fb%3Dc&fieldSelector=metadata.name%3Distiod"
        );
    }
}

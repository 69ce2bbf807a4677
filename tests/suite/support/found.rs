//! Every object of an API server, real or simulated, found the way kubectl finds kinds.

use http::Method;
use serde_json::Value;
use stolos::object::{Object, ObjectRef, managed_fields};

use super::servers::Raw;

/// What API servers write by themselves.
const OF_SERVERS: &[&str] = &["APIService", "Event"];

/// One object, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) object: Object,
}

impl Found {
    pub(crate) fn reference(&self) -> ObjectRef {
        self.object.reference()
    }

    /// Whether we still hold a field of it.
    pub(crate) fn is_applied_by_us(&self) -> bool {
        managed_fields(&self.object).iter().any(|entry| entry.manager == "stolos")
    }

    /// Whether every namespace has it, or an API server that says that it is alive.
    fn is_of_every_cluster(&self) -> bool {
        match (self.object.kind(), self.object.name()) {
            ("ServiceAccount", "default") | ("ConfigMap", "kube-root-ca.crt") => true,
            ("Lease", _) => self.object.namespace() == Some("kube-system"),
            _ => false,
        }
    }
}

/// Every object, but for what servers and namespaces have by themselves.
pub(crate) async fn all(raw: &Raw) -> Vec<Found> {
    let mut found = Vec::new();
    for (base, api_version) in bases(raw).await {
        let kinds = read(raw, &base).await.unwrap_or_default();
        for kind in kinds["resources"].as_array().into_iter().flatten() {
            let text = |key: &str| kind[key].as_str().unwrap_or_default();
            let can_be_listed = kind["verbs"].as_array().into_iter().flatten().any(|verb| verb == "list");
            if !can_be_listed || OF_SERVERS.contains(&text("kind")) {
                continue;
            }
            // A definition may go at any moment.
            let Some(mut list) = read(raw, &format!("{base}/{}", text("name"))).await else { continue };
            let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else { continue };
            for mut item in items {
                item["apiVersion"] = api_version.as_str().into();
                item["kind"] = text("kind").into();
                let object = Object::from_value(item).expect("an object");
                let path = match object.namespace() {
                    Some(place) => format!("{base}/namespaces/{place}/{}/{}", text("name"), object.name()),
                    None => format!("{base}/{}/{}", text("name"), object.name()),
                };
                found.push(Found { path, object });
            }
        }
    }
    found.retain(|found| !found.is_of_every_cluster());
    found
}

/// The paths below which kinds are, each group in the version that it prefers.
async fn bases(raw: &Raw) -> Vec<(String, String)> {
    let groups = read(raw, "/apis").await.expect("groups");
    let groups = groups["groups"].as_array().expect("groups");
    let preferred = groups.iter().filter_map(|group| group["preferredVersion"]["groupVersion"].as_str());
    let mut bases = vec![("/api/v1".to_owned(), "v1".to_owned())];
    bases.extend(preferred.map(|version| (format!("/apis/{version}"), version.to_owned())));
    bases
}

async fn read(raw: &Raw, path: &str) -> Option<Value> {
    let answer = raw.ask(Method::GET, path, "", &Value::Null).await;
    (answer.code == 200).then_some(answer.body)
}

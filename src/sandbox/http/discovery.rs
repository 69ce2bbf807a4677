//! What a server says of itself: version, groups, resources, a minimal OpenAPI.

use serde_json::{Map, Value, json};

use crate::object::Scope;
use crate::object::kinds::Subresource;
use crate::sandbox::KUBERNETES_VERSION;
use crate::sandbox::resource::{ResourceInfo, version_rank};
use crate::sandbox::store::ClusterStore;

const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// The media type of KEP-3352's one-document discovery.
pub(crate) const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Resources that answer a create and keep nothing, by group: kind and plural.
pub(crate) const REVIEWS: &[(&str, &str, &str)] = &[
    ("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews"),
    ("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews"),
];

/// `/version`.
pub(crate) fn version() -> Value {
    let mut numbers = KUBERNETES_VERSION.trim_start_matches('v').split('.');
    json!({
        "major": numbers.next(), "minor": numbers.next(), "gitVersion": KUBERNETES_VERSION,
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "stolos", "platform": "sandbox",
    })
}

/// `/api`.
pub(crate) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// The groups and versions that are served, the core group first.
fn groups(store: &ClusterStore) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |group: &str, versions: &[String]| {
        let known = groups.iter_mut().find(|(name, _)| name == group);
        match known {
            Some((_, held)) => held.extend_from_slice(versions),
            None => groups.push((group.to_owned(), versions.to_vec())),
        }
    };
    for resource in store.resources() {
        add(&resource.group, &resource.versions);
    }
    for (group, _, _) in REVIEWS {
        add(group, &["v1".to_owned()]);
    }
    for (_, versions) in &mut groups {
        versions.sort_by_key(|version| version_rank(version));
        versions.dedup();
    }
    groups
}

/// Whether a group is one that this server serves anything of.
pub(crate) fn knows(store: &ClusterStore, group: &str) -> bool {
    group.is_empty() || groups(store).iter().any(|(name, _)| name == group)
}

/// `/apis`.
pub(crate) fn group_list(store: &ClusterStore) -> Value {
    let groups = groups(store);
    let named = groups.iter().filter(|(name, _)| !name.is_empty());
    let groups: Vec<Value> = named.map(|(name, versions)| group_value(name, versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/apps`.
pub(crate) fn group(store: &ClusterStore, wanted: &str) -> Option<Value> {
    let groups = groups(store);
    let (name, versions) = groups.iter().find(|(name, _)| name == wanted && !name.is_empty())?;
    let mut value = group_value(name, versions);
    value["kind"] = "APIGroup".into();
    value["apiVersion"] = "v1".into();
    Some(value)
}

fn group_value(name: &str, versions: &[String]) -> Value {
    let of = |version: &String| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let list: Vec<Value> = versions.iter().map(of).collect();
    json!({"name": name, "versions": list, "preferredVersion": versions.first().map(of)})
}

/// `/apis/apps/v1`.
pub(crate) fn resource_list(store: &ClusterStore, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    let resources = store.resources();
    let served = resources.iter().filter(|r| r.group == group && r.versions.iter().any(|v| v == version));
    for resource in served {
        let is_namespaced = resource.scope == Scope::Namespaced;
        let mut entry = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": is_namespaced,
            "kind": resource.kind, "verbs": VERBS,
        });
        if !resource.short_names.is_empty() {
            entry["shortNames"] = json!(resource.short_names);
        }
        if !resource.categories.is_empty() {
            entry["categories"] = json!(resource.categories);
        }
        list.push(entry);
        for part in &resource.subresources {
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, word(*part)), "singularName": "",
                "namespaced": is_namespaced, "kind": kind_of(resource, *part), "verbs": ["get", "patch", "update"],
            });
            if *part == Subresource::Scale {
                entry["group"] = "autoscaling".into();
                entry["version"] = "v1".into();
            }
            list.push(entry);
        }
    }
    for (_, kind, plural) in REVIEWS.iter().filter(|(of, _, _)| *of == group && version == "v1") {
        list.push(json!({
            "name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind, "verbs": ["create"],
        }));
    }
    if list.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list}),
    )
}

fn word(part: Subresource) -> &'static str {
    match part {
        Subresource::Status => "status",
        Subresource::Scale => "scale",
    }
}

fn kind_of(resource: &ResourceInfo, part: Subresource) -> &str {
    match part {
        Subresource::Status => &resource.kind,
        Subresource::Scale => "Scale",
    }
}

/// KEP-3352's one document: of the core group for `/api`, of the others for `/apis`.
pub(crate) fn aggregated(store: &ClusterStore, side: Side) -> Value {
    let groups = groups(store);
    let wanted = groups.iter().filter(|(name, _)| name.is_empty() == (side == Side::Core));
    let items = wanted.map(|(name, versions)| {
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| json!({
                "version": version, "freshness": "Current", "resources": aggregated_resources(store, name, version),
            }))
            .collect();
        json!({"metadata": {"name": name, "creationTimestamp": null}, "versions": versions})
    });
    let items: Vec<Value> = items.collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

/// Which of the two discovery roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// `/api`.
    Core,
    /// `/apis`.
    Groups,
}

fn aggregated_resources(store: &ClusterStore, group: &str, version: &str) -> Vec<Value> {
    let kind = |kind: &str| json!({"group": group, "version": version, "kind": kind});
    let resources = store.resources();
    let served = resources.iter().filter(|r| r.group == group && r.versions.iter().any(|v| v == version));
    let mut list: Vec<Value> = served
        .map(|resource| {
            let mut entry = json!({
                "resource": resource.plural, "responseKind": kind(&resource.kind), "scope": match resource.scope {
                    Scope::Cluster => "Cluster",
                    Scope::Namespaced => "Namespaced",
                },
                "singularResource": resource.singular, "verbs": VERBS,
            });
            if !resource.short_names.is_empty() {
                entry["shortNames"] = json!(resource.short_names);
            }
            if !resource.categories.is_empty() {
                entry["categories"] = json!(resource.categories);
            }
            let parts: Vec<Value> = resource
                .subresources
                .iter()
                .map(|part| {
                    let response = match part {
                        Subresource::Status => kind(&resource.kind),
                        Subresource::Scale => json!({"group": "autoscaling", "version": "v1", "kind": "Scale"}),
                    };
                    json!({"subresource": word(*part), "responseKind": response, "verbs": ["get", "patch", "update"]})
                })
                .collect();
            if !parts.is_empty() {
                entry["subresources"] = Value::Array(parts);
            }
            entry
        })
        .collect();
    for (_, review, plural) in REVIEWS.iter().filter(|(of, _, _)| *of == group) {
        list.push(json!({
            "resource": plural, "responseKind": kind(review), "scope": "Cluster",
            "singularResource": review.to_lowercase(), "verbs": ["create"],
        }));
    }
    list
}

/// `/openapi/v3`: which documents there are.
pub(crate) fn open_api(store: &ClusterStore) -> Value {
    let mut paths = Map::new();
    for (group, versions) in groups(store) {
        for version in versions {
            let path =
                if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
            let url = format!("/openapi/v3/{path}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// `/openapi/v3/apis/apps/v1`: which operations there are and that they take `fieldValidation`.
///
/// Types are open objects: this server checks what it checks, and nobody
/// should check more in its name.
pub(crate) fn open_api_of(store: &ClusterStore, group: &str, version: &str) -> Option<Value> {
    let resources = store.resources();
    let served = resources.iter().filter(|r| r.group == group && r.versions.iter().any(|v| v == version));
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for resource in served {
        let prefix =
            if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let place = match resource.scope {
            Scope::Cluster => String::new(),
            Scope::Namespaced => "/namespaces/{namespace}".to_owned(),
        };
        let kind = json!({"group": group, "version": version, "kind": resource.kind});
        let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation", "force"]
            .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
            .to_vec();
        let schema = format!("{}.{version}.{}", if group.is_empty() { "core" } else { group }, resource.kind);
        let reference = json!({"$ref": format!("#/components/schemas/{schema}")});
        let operation = |verb: &str| {
            json!({
                "operationId": format!("{verb}{}{}", version, resource.kind),
                "parameters": parameters, "x-kubernetes-action": verb, "x-kubernetes-group-version-kind": kind,
                "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
            })
        };
        paths.insert(
            format!("{prefix}{place}/{}/{{name}}", resource.plural),
            json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch")}),
        );
        schemas.insert(
            schema,
            json!({
                "type": "object", "x-kubernetes-group-version-kind": [kind],
                "x-kubernetes-preserve-unknown-fields": true,
            }),
        );
    }
    if paths.is_empty() {
        return None;
    }
    Some(json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": KUBERNETES_VERSION},
        "paths": paths, "components": {"schemas": schemas},
    }))
}

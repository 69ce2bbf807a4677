//! What a namespace or a kind holds, whoever made it: asked before either is deleted.

use std::time::Duration;

use serde_json::{Value, json};

use super::address::Query;
use super::verbs::{Asked, PAGE, get, items};
use super::{Cluster, ClusterError, Fault, Request, together};
use crate::object::Object;
use crate::plan::Held;

/// Names, labels and owners alone: what Secrets hold stays where it is.
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
/// How many requests are under way at once.
const SIDE_BY_SIDE: usize = 16;

/// How often a namespace is looked into while kinds come and go.
const LOOKS: usize = 10;
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// One kind as discovery tells of it.
struct Listable {
    /// `/apis/apps/v1`.
    base: String,
    /// `apps/v1`.
    api_version: String,
    plural: String,
    /// None where the objects have to say it.
    kind: Option<String>,
}

impl Cluster {
    /// The metadata of everything that a namespace or a kind holds.
    pub async fn contents(&self, held: &Held) -> Result<Vec<Object>, ClusterError> {
        match held {
            Held::InNamespace(namespace) => self.in_namespace(namespace).await,
            Held::OfKind { group, version, plural } => {
                let kind = Listable {
                    base: format!("/apis/{group}/{version}"),
                    api_version: format!("{group}/{version}"),
                    plural: plural.clone(),
                    kind: None,
                };
                self.listed(&kind, None).await
            }
        }
    }

    /// A kind whose definition goes is still told of when it can no longer be listed: then all are told of anew.
    async fn in_namespace(&self, namespace: &str) -> Result<Vec<Object>, ClusterError> {
        let mut looks = 1;
        loop {
            match self.once_in_namespace(namespace).await {
                Err(ClusterError { fault: Fault::KindUnknown(_), .. }) if looks < LOOKS => {
                    looks += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                found => return found,
            }
        }
    }

    async fn once_in_namespace(&self, namespace: &str) -> Result<Vec<Object>, ClusterError> {
        let reads: Vec<_> = self
            .listable()
            .await?
            .into_iter()
            .map(|kind| {
                let (cluster, namespace) = (self.clone(), namespace.to_owned());
                async move { cluster.listed(&kind, Some(&namespace)).await }
            })
            .collect();
        let mut objects = Vec::new();
        for listed in together(SIDE_BY_SIDE, reads).await {
            objects.extend(listed?);
        }
        Ok(objects)
    }

    /// Every namespaced kind that can be listed, each in the version that its group prefers.
    async fn listable(&self) -> Result<Vec<Listable>, ClusterError> {
        let asked = Asked::open(Request::Discover, "which kinds there are", "APIGroup");
        let groups = self.ask(&asked, get("/apis".to_owned())).await?;
        let preferred = groups["groups"].as_array().into_iter().flatten();
        let mut bases = vec![("/api/v1".to_owned(), "v1".to_owned())];
        for group in preferred {
            if let Some(version) = group["preferredVersion"]["groupVersion"].as_str() {
                bases.push((format!("/apis/{version}"), version.to_owned()));
            }
        }
        let reads: Vec<_> = bases
            .into_iter()
            .map(|(base, version)| {
                let cluster = self.clone();
                async move {
                    let asked =
                        Asked::open(Request::Discover, &format!("which kinds {version} has"), "APIResource");
                    let found = cluster.ask(&asked, get(base.clone())).await?;
                    Ok((base, version, found))
                }
            })
            .collect();
        let mut kinds = Vec::new();
        for read in together(SIDE_BY_SIDE, reads).await {
            let (base, api_version, found) = read?;
            for kind in found["resources"].as_array().into_iter().flatten() {
                let text = |key: &str| kind[key].as_str().unwrap_or_default().to_owned();
                let can_be_listed = kind["verbs"].as_array().into_iter().flatten().any(|verb| verb == "list");
                if kind["namespaced"] == Value::Bool(true) && can_be_listed && !text("name").contains('/') {
                    kinds.push(Listable {
                        base: base.clone(),
                        api_version: api_version.clone(),
                        plural: text("name"),
                        kind: Some(text("kind")),
                    });
                }
            }
        }
        Ok(kinds)
    }

    async fn listed(&self, kind: &Listable, namespace: Option<&str>) -> Result<Vec<Object>, ClusterError> {
        match self.paged(kind, namespace, Some(PAGE)).await {
            // The state that the pages were cut from is gone: all at once, then.
            Err(ClusterError { fault: Fault::Expired, .. }) => self.paged(kind, namespace, None).await,
            listed => listed,
        }
    }

    async fn paged(
        &self,
        kind: &Listable,
        namespace: Option<&str>,
        limit: Option<&str>,
    ) -> Result<Vec<Object>, ClusterError> {
        let asked = Asked::open(Request::List, &kind.plural, &kind.plural);
        let path = match namespace {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", kind.base, kind.plural),
            None => format!("{}/{}", kind.base, kind.plural),
        };
        let mut objects = Vec::new();
        let mut go_on = String::new();
        loop {
            let mut query = Query::default();
            if let Some(limit) = limit {
                query.add("limit", limit);
            }
            if !go_on.is_empty() {
                query.add("continue", &go_on);
            }
            let mut call = get(query.on(&path));
            // Metadata alone does not say of what kind it is.
            if kind.kind.is_some() {
                call.accept = METADATA;
            }
            let mut body = self.ask(&asked, call).await?;
            let Some(items) = items(&mut body) else {
                return Err(self.error(&asked, 1, Fault::Unintelligible("a list without items".to_owned())));
            };
            for mut item in items {
                let bare = json!({
                    "apiVersion": kind.api_version,
                    "kind": kind.kind.as_ref().map_or_else(|| item["kind"].take(), |kind| json!(kind)),
                    "metadata": item["metadata"].take(),
                });
                objects.push(self.object(&asked, bare)?);
            }
            go_on = body["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
            if go_on.is_empty() {
                return Ok(objects);
            }
        }
    }
}

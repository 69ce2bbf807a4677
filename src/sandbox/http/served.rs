//! The verbs of a resource.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::body;
use super::query::{self, Query};
use super::route::{Part, Place};
use super::table;
use super::watch::{self, Bookmarks, Watched};
use crate::object::kinds::Subresource;
use crate::object::{Object, ObjectRef, Scope};
use crate::sandbox::api_error::{ApiError, FieldFault, Reason};
use crate::sandbox::resource::{Provider, ResourceInfo};
use crate::sandbox::selector::Selector;
use crate::sandbox::store::{
    ApplyOptions, ClusterStore, DeleteOptions, Deleted, Outcome, Page, Patch, Propagation, Written,
};

/// A request that has been read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) query: Query,
    pub(crate) media_type: String,
    pub(crate) accept: String,
    pub(crate) agent: String,
    pub(crate) body: Vec<u8>,
}

/// A resource of the store, as a path names it.
struct Target {
    store: Arc<ClusterStore>,
    resource: Arc<ResourceInfo>,
    version: String,
    namespace: Option<String>,
}

impl Target {
    fn of(store: &Arc<ClusterStore>, place: &Place) -> Result<Self, ApiError> {
        let resource = store
            .resource_of_path(&place.group, &place.version, &place.plural)
            .ok_or_else(ApiError::no_such_resource)?;
        if resource.scope == Scope::Cluster && place.namespace.is_some() {
            return Err(ApiError::no_such_resource());
        }
        Ok(Self {
            store: Arc::clone(store),
            resource,
            version: place.version.clone(),
            namespace: place.namespace.clone(),
        })
    }

    fn reference(&self, name: &str) -> Result<ObjectRef, ApiError> {
        if self.resource.scope == Scope::Namespaced && self.namespace.is_none() {
            return Err(ApiError::no_such_resource());
        }
        Ok(ObjectRef {
            group: self.resource.group.clone(),
            kind: self.resource.kind.clone(),
            namespace: self.namespace.clone(),
            name: name.to_owned(),
        })
    }

    fn live(&self, name: &str) -> Result<Arc<Object>, ApiError> {
        let live = self.store.get(&self.reference(name)?);
        live.ok_or_else(|| ApiError::not_found(&self.resource, name))
    }

    fn shown(&self, object: &Object) -> Value {
        in_version(&self.resource, &self.version, object)
    }

    /// The answer to a write, once it is on the disk.
    async fn written(&self, written: Result<Written, ApiError>) -> Result<Answer, ApiError> {
        let written = written?;
        self.store.durable(written.revision).await?;
        let status = match written.outcome {
            Outcome::Created => StatusCode::CREATED,
            Outcome::Changed | Outcome::Unchanged => StatusCode::OK,
        };
        Ok(answer::json(status, &self.shown(&written.object)))
    }
}

/// An object in one of its versions.
pub(super) fn in_version(resource: &ResourceInfo, version: &str, object: &Object) -> Value {
    let mut map = object.as_map().clone();
    map.insert("apiVersion".into(), resource.api_version(version).into());
    Value::Object(map)
}

/// `/api/v1/namespaces/n/secrets`.
pub(crate) async fn collection(
    store: &Arc<ClusterStore>,
    place: &Place,
    call: Call,
) -> Result<Answer, ApiError> {
    let target = Target::of(store, place)?;
    match call.method {
        Method::GET if call.query.is_set("watch") => start_watch(&target, &call),
        Method::GET => list(&target, &call),
        Method::POST => {
            if target.resource.scope == Scope::Namespaced && target.namespace.is_none() {
                return Err(not_allowed());
            }
            let value = body::value(&call.body, &call.media_type)?;
            let namespace = target.namespace.as_deref();
            let object = body::object(store, value, &target.resource, &target.version, namespace, None)?;
            let options = call.query.write_options(None, "CreateOptions", &call.agent)?;
            target.written(store.create(object, &options)).await
        }
        // Never all namespaces at once, nor what lies in all of them.
        Method::DELETE if target.resource.scope == Scope::Namespaced && target.namespace.is_none() => {
            Err(not_allowed())
        }
        Method::DELETE if target.resource.kind == "Namespace" => Err(not_allowed()),
        Method::DELETE => delete_all(&target, &call).await,
        _ => Err(not_allowed()),
    }
}

/// `/api/v1/namespaces/n/secrets/s`.
pub(crate) async fn object(
    store: &Arc<ClusterStore>,
    place: &Place,
    name: &str,
    call: Call,
) -> Result<Answer, ApiError> {
    let target = Target::of(store, place)?;
    match call.method {
        Method::GET => {
            let live = target.live(name)?;
            if call.query.is_set("watch") {
                return start_watch_of_one(&target, name, &call);
            }
            if wants_metadata(&call.accept) {
                return Ok(answer::json(StatusCode::OK, &metadata_of(&live)));
            }
            if table::is_wanted(&call.accept) {
                return Ok(answer::json(
                    StatusCode::OK,
                    &table::of(&target.resource, &[live], &json!({}), store.clock()),
                ));
            }
            Ok(answer::json(StatusCode::OK, &target.shown(&live)))
        }
        Method::DELETE => delete_one(&target, name, &call).await,
        Method::PUT | Method::PATCH => write(&target, name, None, &call).await,
        _ => Err(not_allowed()),
    }
}

/// `/apis/apps/v1/namespaces/n/deployments/d/status`.
pub(crate) async fn part(
    store: &Arc<ClusterStore>,
    place: &Place,
    name: &str,
    part: Part,
    call: Call,
) -> Result<Answer, ApiError> {
    let target = Target::of(store, place)?;
    let part = match part {
        Part::Token => return token(&target, name, &call),
        // It takes the connection over before a body is read.
        Part::PortForward => return Err(not_allowed()),
        Part::Sub(part) if target.resource.has(part) => part,
        Part::Sub(_) => return Err(ApiError::no_such_resource()),
    };
    match (part, &call.method) {
        (Subresource::Status, &Method::GET) => {
            Ok(answer::json(StatusCode::OK, &target.shown(target.live(name)?.as_ref())))
        }
        (Subresource::Scale, &Method::GET) => {
            Ok(answer::json(StatusCode::OK, &scale_of(target.live(name)?.as_ref())))
        }
        (Subresource::Status, &Method::PUT | &Method::PATCH) => write(&target, name, Some(part), &call).await,
        (Subresource::Scale, &Method::PUT | &Method::PATCH) => rescale(&target, name, &call).await,
        _ => Err(not_allowed()),
    }
}

async fn write(
    target: &Target,
    name: &str,
    part: Option<Subresource>,
    call: &Call,
) -> Result<Answer, ApiError> {
    let store = &target.store;
    let reference = target.reference(name)?;
    let options = if call.method == Method::PUT { "UpdateOptions" } else { "PatchOptions" };
    let write = call.query.write_options(part, options, &call.agent)?;
    let object = |value: Value| {
        let namespace = target.namespace.as_deref();
        body::object(store, value, &target.resource, &target.version, namespace, Some(name))
    };
    if call.method == Method::PUT {
        let object = object(body::value(&call.body, &call.media_type)?)?;
        return target.written(store.update(object, &write)).await;
    }
    let patch = match call.media_type.as_str() {
        "application/apply-patch+yaml" => {
            if call.query.text("fieldManager").is_empty() {
                return Err(patch_options_fault(&FieldFault::required(
                    "fieldManager",
                    "is required for apply patch",
                )));
            }
            let value = body::yaml_value(&call.body)?;
            // An apply says what it applies.
            if value.get("kind").is_none_or(Value::is_null)
                || value.get("apiVersion").is_none_or(Value::is_null)
            {
                return Err(ApiError::bad_request("Object 'Kind' or 'apiVersion' is missing"));
            }
            let object = object(value)?;
            let options = ApplyOptions { write, force: call.query.force() };
            return target.written(store.apply(object, &options)).await;
        }
        "application/json-patch+json" => Patch::Json(body::json(&call.body)?),
        "application/merge-patch+json" => Patch::Merge(body::json(&call.body)?),
        "application/strategic-merge-patch+json" => Patch::Strategic(body::json(&call.body)?),
        other => {
            return Err(body::unsupported(
                other,
                &[
                    "application/json-patch+json",
                    "application/merge-patch+json",
                    "application/strategic-merge-patch+json",
                    "application/apply-patch+yaml",
                ],
            ));
        }
    };
    if !call.query.text("force").is_empty() {
        return Err(patch_options_fault(&FieldFault::forbidden(
            "force",
            "may not be specified for non-apply patch",
        )));
    }
    target.written(store.patch(&reference, &patch, Some(&target.version), &write)).await
}

fn patch_options_fault(fault: &FieldFault) -> ApiError {
    ApiError::invalid_options("PatchOptions", fault)
}

fn list(target: &Target, call: &Call) -> Result<Answer, ApiError> {
    let selector = selector(target, &call.query)?;
    let page = page(target, &call.query)?;
    let resource = &target.resource;
    let namespace = target.namespace.as_deref();
    let listed = target.store.select(&resource.group, &resource.kind, namespace, &selector, &page)?;
    let mut metadata = json!({"resourceVersion": listed.revision.to_string()});
    if resource.provider == Provider::Custom {
        metadata["continue"] = "".into();
    }
    if listed.remaining > 0
        && let Some(last) = listed.objects.last()
    {
        let token = json!({"v": listed.revision, "ns": last.namespace(), "name": last.name()}).to_string();
        metadata["continue"] = BASE64_URL_SAFE_NO_PAD.encode(token).into();
        if selector.is_everything() {
            metadata["remainingItemCount"] = listed.remaining.into();
        }
    }
    if table::is_wanted(&call.accept) {
        let table = table::of(resource, &listed.objects, &metadata, target.store.clock());
        return Ok(answer::json(StatusCode::OK, &table));
    }
    if wants_metadata(&call.accept) {
        // No items are `null` here, as API servers have it (seen of 1.35.4).
        let items: Option<Vec<Value>> = (!listed.objects.is_empty())
            .then(|| listed.objects.iter().map(|object| metadata_of(object)).collect());
        let list = json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items,
        });
        return Ok(answer::json(StatusCode::OK, &list));
    }
    let items: Vec<Value> = listed.objects.iter().map(|object| listed_item(target, object)).collect();
    let list = json!({
        "kind": resource.list_kind, "apiVersion": resource.api_version(&target.version),
        "metadata": metadata, "items": items,
    });
    Ok(answer::json(StatusCode::OK, &list))
}

/// Whether a client would rather have the metadata alone.
fn wants_metadata(accept: &str) -> bool {
    accept.split(',').next().is_some_and(|first| first.contains("as=PartialObjectMetadata"))
}

fn metadata_of(object: &Object) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.as_map().get("metadata"),
    })
}

/// In lists of built-in kinds the items do not repeat what they are.
fn listed_item(target: &Target, object: &Object) -> Value {
    let mut item = target.shown(object);
    if target.resource.provider == Provider::BuiltIn
        && let Value::Object(map) = &mut item
    {
        map.remove("kind");
        map.remove("apiVersion");
    }
    item
}

fn selector(target: &Target, query: &Query) -> Result<Selector, ApiError> {
    Selector::parse(query.text("labelSelector"), query.text("fieldSelector"), &target.resource.kind)
}

fn page(target: &Target, query: &Query) -> Result<Page, ApiError> {
    // Less than one is no limit.
    let limit =
        query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let token = query.text("continue");
    let at = moment(target, query)?;
    if token.is_empty() {
        return Ok(Page { limit, after: None, at });
    }
    if !query.text("resourceVersionMatch").is_empty() {
        let fault = FieldFault::forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden when continue is provided",
        );
        return Err(ApiError::invalid_options("ListOptions", &fault));
    }
    if !matches!(query.text("resourceVersion"), "" | "0") {
        return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
    }
    let fault = || ApiError::bad_request("continue key is not valid");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| fault())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| fault())?;
    let revision = value["v"].as_u64().ok_or_else(fault)?;
    // A page of a state that nobody remembers would not fit the pages before it.
    if target.store.changes_after(revision).is_err() {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";
        return Err(ApiError::new(Reason::Expired, message));
    }
    let name = value["name"].as_str().ok_or_else(fault)?.to_owned();
    Ok(Page { limit, after: Some((value["ns"].as_str().map(str::to_owned), name)), at: Some(revision) })
}

/// The revision that a list must show: that of `resourceVersionMatch=Exact`; any present one is new enough else.
fn moment(target: &Target, query: &Query) -> Result<Option<u64>, ApiError> {
    let version = query.text("resourceVersion");
    let forbidden = |why: &str| {
        let fault = FieldFault::forbidden("resourceVersionMatch", why);
        Err(ApiError::invalid_options("ListOptions", &fault))
    };
    let exact = match query.text("resourceVersionMatch") {
        "" | "NotOlderThan" | "Exact"
            if version.is_empty() && !query.text("resourceVersionMatch").is_empty() =>
        {
            return forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        "" | "NotOlderThan" => false,
        "Exact" if version == "0" => {
            return forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
        "Exact" => true,
        other => {
            let fault = FieldFault::not_supported(
                "resourceVersionMatch",
                other.into(),
                &["Exact", "NotOlderThan", ""],
            );
            return Err(ApiError::invalid_options("ListOptions", &fault));
        }
    };
    if version.is_empty() {
        return Ok(None);
    }
    let revision: u64 = version.parse().map_err(|_| watch::no_version(version))?;
    // It would be answered once it is there, which the sandbox cannot promise.
    if revision > target.store.revision() {
        return Err(ApiError::new(
            Reason::Timeout,
            format!("Too large resource version: {revision}, current: {}", target.store.revision()),
        ));
    }
    Ok(exact.then_some(revision))
}

fn start_watch(target: &Target, call: &Call) -> Result<Answer, ApiError> {
    let selector = selector(target, &call.query)?;
    begin_watch(target, call, selector)
}

fn start_watch_of_one(target: &Target, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let fields = format!("metadata.name={name}");
    begin_watch(target, call, Selector::parse("", &fields, &target.resource.kind)?)
}

fn begin_watch(target: &Target, call: &Call, selector: Selector) -> Result<Answer, ApiError> {
    if call.query.is_set("sendInitialEvents") != (call.query.text("resourceVersionMatch") == "NotOlderThan")
        || !matches!(call.query.text("resourceVersionMatch"), "" | "NotOlderThan")
    {
        let detail = "sendInitialEvents and resourceVersionMatch=NotOlderThan are set together or not at all";
        let fault = FieldFault::forbidden("resourceVersionMatch", detail);
        return Err(ApiError::invalid_options("ListOptions", &fault));
    }
    let watched = Watched {
        resource: Arc::clone(&target.resource),
        version: target.version.clone(),
        namespace: target.namespace.clone(),
        selector,
        start: watch::start(call.query.text("resourceVersion"), call.query.text("sendInitialEvents"))?,
        bookmarks: if call.query.is_set("allowWatchBookmarks") { Bookmarks::Send } else { Bookmarks::Omit },
        timeout: call.query.timeout()?,
    };
    Ok(answer::lines(watch::watch(Arc::clone(&target.store), watched)))
}

fn delete_options(call: &Call) -> Result<DeleteOptions, ApiError> {
    let body = if call.body.is_empty() { Value::Null } else { body::value(&call.body, &call.media_type)? };
    let text = |path: &str| body.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let is_dry = body.pointer("/dryRun/0").and_then(Value::as_str) == Some("All");
    let of_body =
        query::propagation(body.get("propagationPolicy").and_then(Value::as_str).unwrap_or_default())?;
    let is_orphan = body.get("orphanDependents").and_then(Value::as_bool) == Some(true);
    Ok(DeleteOptions {
        run: if is_dry { crate::sandbox::store::Run::Dry } else { call.query.run("DeleteOptions")? },
        uid: text("/preconditions/uid"),
        resource_version: text("/preconditions/resourceVersion"),
        propagation: match of_body.or(call.query.propagation()?) {
            Some(propagation) => propagation,
            None if is_orphan => Propagation::Orphan,
            None => Propagation::Background,
        },
    })
}

async fn delete_one(target: &Target, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let deleted = target.store.delete(&target.reference(name)?, &delete_options(call)?)?;
    target.store.durable(target.store.revision()).await?;
    Ok(match deleted {
        Deleted::Marked(object) => answer::json(StatusCode::OK, &target.shown(&object)),
        Deleted::Gone(object) => {
            // These are given back whole, as their registries are told to.
            if target.resource.provider == Provider::BuiltIn
                && matches!(target.resource.kind.as_str(), "Pod" | "Service" | "ServiceAccount")
            {
                return Ok(answer::json(StatusCode::OK, &target.shown(&object)));
            }
            let mut status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {"name": name, "kind": target.resource.plural, "uid": object.uid()},
            });
            if !target.resource.group.is_empty() {
                status["details"]["group"] = target.resource.group.as_str().into();
            }
            answer::json(StatusCode::OK, &status)
        }
    })
}

async fn delete_all(target: &Target, call: &Call) -> Result<Answer, ApiError> {
    let selector = selector(target, &call.query)?;
    let options = delete_options(call)?;
    let resource = &target.resource;
    let namespace = target.namespace.as_deref();
    let everything = Page::default();
    let listed = target.store.select(&resource.group, &resource.kind, namespace, &selector, &everything)?;
    let mut items = Vec::new();
    for object in &listed.objects {
        match target.store.delete(&object.reference(), &options) {
            // As it was before.
            Ok(Deleted::Gone(_)) => items.push(listed_item(target, object)),
            Ok(Deleted::Marked(marked)) => items.push(listed_item(target, &marked)),
            // Another one of the list took it along.
            Err(error) if error.reason == Reason::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let revision = target.store.revision();
    target.store.durable(revision).await?;
    let list = json!({
        "kind": resource.list_kind, "apiVersion": resource.api_version(&target.version),
        "metadata": {"resourceVersion": revision.to_string()}, "items": items,
    });
    Ok(answer::json(StatusCode::OK, &list))
}

/// `autoscaling/v1` Scale of a workload.
fn scale_of(object: &Object) -> Value {
    let metadata = |key: &str| object.get(&["metadata", key]).cloned();
    let labels = object.get(&["spec", "selector", "matchLabels"]).and_then(Value::as_object);
    let selector: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata("name"), "namespace": metadata("namespace"), "uid": metadata("uid"),
            "resourceVersion": metadata("resourceVersion"), "creationTimestamp": metadata("creationTimestamp"),
        },
        "spec": {"replicas": object.get(&["spec", "replicas"])},
        "status": {
            "replicas": object.get(&["status", "replicas"]).cloned().unwrap_or_else(|| 0.into()),
            "selector": selector.join(","),
        },
    })
}

async fn rescale(target: &Target, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let sent = match call.media_type.as_str() {
        "application/json-patch+json" => {
            return Err(body::unsupported(&call.media_type, &["application/merge-patch+json"]));
        }
        "application/apply-patch+yaml" => body::yaml_value(&call.body)?,
        _ => body::json(&call.body)?,
    };
    let mut patch = json!({});
    if let Some(replicas) = sent.pointer("/spec/replicas") {
        patch["spec"]["replicas"] = replicas.clone();
    }
    if let Some(version) = sent.pointer("/metadata/resourceVersion") {
        patch["metadata"]["resourceVersion"] = version.clone();
    }
    let options = call.query.write_options(Some(Subresource::Scale), "PatchOptions", &call.agent)?;
    let patch = Patch::Merge(patch);
    let written = target.store.patch(&target.reference(name)?, &patch, Some(&target.version), &options)?;
    target.store.durable(written.revision).await?;
    Ok(answer::json(StatusCode::OK, &scale_of(&written.object)))
}

/// A token that this server takes as it takes any other.
fn token(target: &Target, name: &str, call: &Call) -> Result<Answer, ApiError> {
    if call.method != Method::POST {
        return Err(not_allowed());
    }
    let account = target.live(name)?;
    let request = body::value(&call.body, &call.media_type)?;
    let seconds = request.pointer("/spec/expirationSeconds").and_then(Value::as_i64).unwrap_or(3600);
    let expires = target.store.clock().now().checked_add(jiff::SignedDuration::from_secs(seconds));
    let expires = expires.map_err(|_| ApiError::bad_request("spec.expirationSeconds is too large"))?;
    let answer = json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {"name": name},
        "spec": request.get("spec"),
        "status": {
            "token": format!("sandbox-{}", account.uid().unwrap_or_default()),
            "expirationTimestamp": crate::sandbox::clock::server_time(expires),
        },
    });
    Ok(answer::json(StatusCode::CREATED, &answer))
}

/// 405.
pub(super) fn not_allowed() -> ApiError {
    let message = "the server does not allow this method on the requested resource";
    let error = ApiError::new(Reason::MethodNotAllowed, message);
    ApiError { details: Some(Box::default()), ..error }
}

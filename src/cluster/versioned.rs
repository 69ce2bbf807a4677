//! Writes that say which state of an object they mean, and the clock of the server that takes them.
//!
//! Of two writers that saw the same state one gets through; the other is told so. That is what
//! a lock is made of, and nothing else here needs it.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::address::{self, Query};
use super::transport::Call;
use super::verbs::{Asked, JSON};
use super::{Cluster, ClusterError, Deleted, FIELD_MANAGER, Fault, Request};
use crate::object::Object;

/// What came of creating an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It is there now, and this is it.
    Made(Object),
    /// One of its name is there already, perhaps since an earlier attempt of ours.
    Exists,
}

impl Cluster {
    /// The API server's clock, as its last answer told it; ours where no answer did.
    ///
    /// Servers that stand behind one address may differ: it must decide nothing by itself.
    pub fn time(&self) -> Timestamp {
        match self.told_time() {
            Some((told, at)) => told.checked_add(at.elapsed()).unwrap_or(told),
            None => Timestamp::now(),
        }
    }

    /// Makes an object that is not there.
    pub async fn create(&self, object: &Object) -> Result<Created, ClusterError> {
        let reference = object.reference();
        let asked = Asked::about(Request::Create, &reference);
        let info = self.info(&asked, &reference.group_kind())?;
        let (_, version) = crate::object::split_api_version(object.api_version());
        let mut query = manager();
        query.add("fieldValidation", "Strict");
        let call = Call {
            method: Method::POST,
            path: query.on(&address::collection(info, version, reference.namespace.as_deref())),
            accept: JSON,
            content_type: JSON,
            body: Value::Object(object.as_map().clone()).to_string().into_bytes(),
        };
        match self.ask(&asked, call).await {
            Ok(body) => self.object(&asked, body).map(Created::Made),
            Err(ClusterError { fault: Fault::Server { status: 409, .. }, .. }) => Ok(Created::Exists),
            Err(error) => Err(error),
        }
    }

    /// Lays a patch (RFC 7386) over an object, if nobody has written it since it was read; gives it
    /// as it is then. One that was written meanwhile is [`Fault::Changed`], and so is one
    /// whose patch reached the server twice.
    pub async fn amend(&self, live: &Object, patch: &Value) -> Result<Object, ClusterError> {
        let reference = live.reference();
        let asked = Asked::about(Request::Change, &reference);
        let info = self.info(&asked, &reference.group_kind())?;
        let (_, version) = crate::object::split_api_version(live.api_version());
        let mut patch = patch.clone();
        patch["metadata"]["resourceVersion"] = json!(live.get(&["metadata", "resourceVersion"]));
        patch["metadata"]["uid"] = json!(live.uid());
        let call = Call {
            method: Method::PATCH,
            path: manager().on(&address::object(info, version, &reference)),
            accept: JSON,
            content_type: "application/merge-patch+json",
            body: patch.to_string().into_bytes(),
        };
        let body = self.ask(&asked, call).await?;
        self.object(&asked, body)
    }

    /// Deletes an object, if nobody has written it since it was read.
    pub async fn delete_unchanged(&self, live: &Object) -> Result<Deleted, ClusterError> {
        let preconditions =
            json!({"uid": live.uid(), "resourceVersion": live.get(&["metadata", "resourceVersion"])});
        self.remove(&live.reference(), Some(preconditions)).await
    }
}

fn manager() -> Query {
    let mut query = Query::default();
    query.add("fieldManager", FIELD_MANAGER);
    query
}

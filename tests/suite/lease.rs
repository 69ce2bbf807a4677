//! One run at a time in each cluster.

use serde_json::json;
use stolos::cluster::{Cluster, Created, Deleted, Fault};
use stolos::object::Object;

use crate::support::meshes::{Meshes, desired, folder, topology_text};

const SHARED: &str = "primary-remote-multi-network.yaml";

async fn shared(test: &str) -> Meshes {
    Meshes::open(&folder(test), desired(SHARED, &topology_text(SHARED))).await
}

/// A Lease as anybody may write one.
fn lease(namespace: &str, spec: serde_json::Value) -> Object {
    Object::from_value(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "stolos-mesh1", "namespace": namespace}, "spec": spec,
    }))
    .expect("an object")
}

async fn made(cluster: &Cluster, object: &Object) -> Object {
    match cluster.create(object).await {
        Ok(Created::Made(made)) => made,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_that_saw_the_same_state_one_gets_through() {
    let meshes = shared("lease-versions").await;
    let cluster = &meshes.clusters["cluster1"];
    let lease = lease("default", json!({"holderIdentity": "a"}));
    let seen = made(cluster, &lease).await;
    assert_eq!(cluster.create(&lease).await, Ok(Created::Exists));
    let first = cluster.amend(&seen, &json!({"spec": {"holderIdentity": "b"}})).await.expect("the first");
    assert_eq!(first.text(&["spec", "holderIdentity"]), Some("b"));
    let second = cluster.amend(&seen, &json!({"spec": {"holderIdentity": "c"}})).await;
    assert_eq!(second.map_err(|error| error.fault), Err(Fault::Changed));
    let deleted = cluster.delete_unchanged(&seen).await;
    assert_eq!(deleted.map_err(|error| error.fault), Err(Fault::Changed));
    assert_eq!(cluster.get(&lease.reference()).await, Ok(Some(first.clone())));
    assert_eq!(cluster.delete_unchanged(&first).await, Ok(Deleted::Requested));
    // It is neither patched nor made anew where it has gone.
    let gone = cluster.amend(&first, &json!({"spec": {"holderIdentity": "d"}})).await;
    assert!(matches!(gone, Err(ref error) if matches!(error.fault, Fault::NotFound(_))), "{gone:?}");
    assert_eq!(cluster.get(&lease.reference()).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_in_a_namespace_that_is_not_there() {
    let meshes = shared("lease-no-namespace").await;
    let refused = meshes.clusters["cluster1"].create(&lease("nowhere", json!({}))).await;
    let refused = refused.map_err(|error| error.fault);
    assert_eq!(refused, Err(Fault::NotFound("namespaces \"nowhere\" not found".to_owned())));
}

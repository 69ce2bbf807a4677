//! Watches: events, bookmarks, and the end of history.

use serde_json::{Value, json};

use super::config_map;
use super::world::{Patch, Sides, on_both, on_both_alone, sides};

sides!(
    a_watch_tells_what_happened_after_a_list,
    a_watch_from_nowhere_begins_with_what_is_there,
    a_watch_with_a_time_ends_with_a_bookmark,
    a_watch_that_cannot_be_is_refused,
    what_is_forgotten_is_gone_as_an_event_and_as_a_status
);

fn labelled(name: &str, label: &str, text: &str) -> Value {
    let mut object = config_map(name, &json!({"a": text}));
    object["metadata"]["labels"] = json!({"of": label});
    object
}

fn seen(event: Option<&Value>) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    event.map_or_else(Default::default, |event| {
        (text(&event["type"]), text(&event["object"]["metadata"]["name"]))
    })
}

async fn a_watch_tells_what_happened_after_a_list(on: Sides) {
    on_both(on, "watch-events", async |api| {
        let collection = api.core("configmaps");
        api.post(&collection, &labelled("before", "mine", "1")).await;
        let listed = api.get(&format!("{collection}?labelSelector=of=mine")).await;
        let version = listed.body["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
        let path = format!("{collection}?watch=true&labelSelector=of=mine&resourceVersion={version}");
        let mut watch = api.watch(&path).await.expect("it is answered");
        api.post(&collection, &labelled("c", "mine", "1")).await;
        api.apply("m", &api.core("configmaps/c"), &config_map("c", &json!({"b": "1"}))).await;
        // An apply that changes nothing is no event; a label that leaves the selection is a deletion for it.
        api.apply("m", &api.core("configmaps/c"), &config_map("c", &json!({"b": "1"}))).await;
        api.post(&collection, &labelled("d", "yours", "1")).await;
        let relabel = |label: &str| json!({"metadata": {"labels": {"of": label}}});
        api.patch(Patch::Merge, &api.core("configmaps/c"), &relabel("yours")).await;
        api.patch(Patch::Merge, &api.core("configmaps/d"), &relabel("mine")).await;
        api.delete(&api.core("configmaps/d"), &Value::Null).await;
        let mut events = Vec::new();
        for _ in 0..5 {
            events.push(seen(api.event(&mut watch).await.as_ref()));
        }
        let expected =
            [("ADDED", "c"), ("MODIFIED", "c"), ("DELETED", "c"), ("ADDED", "d"), ("DELETED", "d")];
        assert_eq!(events, expected.map(|(kind, name)| (kind.to_owned(), name.to_owned())));
    })
    .await;
}

async fn a_watch_from_nowhere_begins_with_what_is_there(on: Sides) {
    on_both(on, "watch-initial", async |api| {
        let collection = api.core("configmaps");
        for name in ["a", "b"] {
            api.post(&collection, &labelled(name, "mine", "1")).await;
        }
        for from in ["", "&resourceVersion=0"] {
            let path = format!("{collection}?watch=1&labelSelector=of=mine{from}");
            let mut watch = api.watch(&path).await.expect("it is answered");
            let events = [api.event(&mut watch).await, api.event(&mut watch).await];
            let events = events.map(|event| seen(event.as_ref()));
            assert_eq!(events, ["a", "b"].map(|name| ("ADDED".to_owned(), name.to_owned())));
        }
        // A streamed list ends with a bookmark that says so.
        let path = format!(
            "{collection}?watch=1&labelSelector=of=mine&sendInitialEvents=true&allowWatchBookmarks=true\
             &resourceVersionMatch=NotOlderThan"
        );
        let mut watch = api.watch(&path).await.expect("it is answered");
        let mut events = Vec::new();
        for _ in 0..3 {
            events.push(watch.next().await.expect("an event"));
        }
        assert_eq!(events[2]["type"], "BOOKMARK");
        assert_eq!(events[2]["object"]["kind"], "ConfigMap");
        assert_eq!(
            events[2]["object"]["metadata"]["annotations"],
            json!({"k8s.io/initial-events-end": "true"})
        );
        let path = format!("{collection}?watch=1&fieldSelector=metadata.name%3Db");
        let mut watch = api.watch(&path).await.expect("it is answered");
        assert_eq!(seen(api.event(&mut watch).await.as_ref()).1, "b");
    })
    .await;
}

async fn a_watch_with_a_time_ends_with_a_bookmark(on: Sides) {
    on_both(on, "watch-bookmark", async |api| {
        let collection = api.core("configmaps");
        let created = api.post(&collection, &labelled("a", "mine", "1")).await;
        let version = created.body["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
        let path = format!(
            "{collection}?watch=1&labelSelector=of=mine&resourceVersion={version}&allowWatchBookmarks=true\
             &timeoutSeconds=8"
        );
        let mut watch = api.watch(&path).await.expect("it is answered");
        // Somebody else's object: a bookmark tells of progress that no event tells of.
        api.post(&collection, &labelled("b", "yours", "1")).await;
        let mut kinds = Vec::new();
        let mut last = Value::Null;
        while let Some(event) = watch.next().await {
            kinds.push(event["type"].clone());
            last = event["object"].clone();
        }
        assert!(kinds.contains(&json!("BOOKMARK")), "{kinds:?}");
        assert_eq!((&last["kind"], &last["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
        let of = |version: &str| version.parse::<u64>().expect("a number");
        let bookmark = last["metadata"]["resourceVersion"].as_str().expect("a version");
        assert!(of(bookmark) >= of(&version));
        assert_eq!(last["metadata"]["name"], Value::Null);
    })
    .await;
}

async fn a_watch_that_cannot_be_is_refused(on: Sides) {
    on_both(on, "watch-refused", async |api| {
        let collection = api.core("configmaps");
        api.verdicts_only();
        for query in [
            "resourceVersion=nonsense",
            "resourceVersion=-1",
            "labelSelector=a%20b",
            "fieldSelector=data.a%3D1",
            "sendInitialEvents=true",
            "resourceVersionMatch=NotOlderThan",
            "resourceVersionMatch=Exact&resourceVersion=1",
            "timeoutSeconds=x",
        ] {
            let refused = api.watch(&format!("{collection}?watch=1&{query}")).await;
            assert!(refused.is_err(), "{query}");
        }
    })
    .await;
}

async fn what_is_forgotten_is_gone_as_an_event_and_as_a_status(on: Sides) {
    on_both_alone(on, "watch-expired", async |api| {
        let collection = api.core("configmaps");
        let first = api.post(&collection, &labelled("a", "mine", "1")).await;
        let version = first.body["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
        api.post(&collection, &labelled("b", "mine", "1")).await;
        api.post(&collection, &labelled("c", "mine", "1")).await;
        let page = api.get(&format!("{collection}?labelSelector=of=mine&limit=1")).await;
        let token = page.body["metadata"]["continue"].as_str().expect("more pages").to_owned();
        api.patch(Patch::Merge, &api.core("configmaps/a"), &json!({"data": {"a": "2"}})).await;
        api.restart().await;
        api.patch(Patch::Merge, &api.core("configmaps/a"), &json!({"data": {"a": "3"}})).await;

        let path = format!("{collection}?watch=1&labelSelector=of=mine&resourceVersion={version}");
        // A server that was just started answers 200 and says it in the first event.
        let mut watch = api.watch(&path).await.expect("it is answered");
        let event = watch.next().await.expect("an event");
        assert_eq!(event["type"], "ERROR");
        assert_eq!(
            (&event["object"]["code"], &event["object"]["reason"], &event["object"]["status"]),
            (&json!(410), &json!("Expired"), &json!("Failure"))
        );
        let message = event["object"]["message"].as_str().expect("a message");
        assert!(message.starts_with(&format!("too old resource version: {version} (")), "{message}");
        assert_eq!(watch.next().await, None);

        let path = format!("{collection}?labelSelector=of=mine&limit=1&continue={token}");
        let expired = api.quietly(http::Method::GET, &path, &Value::Null).await;
        assert_eq!((expired.code, &expired.body["reason"]), (410, &json!("Expired")));
        let path = format!("{collection}?resourceVersion={version}&resourceVersionMatch=Exact&limit=1");
        let expired = api.quietly(http::Method::GET, &path, &Value::Null).await;
        assert_eq!((expired.code, &expired.body["reason"]), (410, &json!("Expired")));
    })
    .await;
}

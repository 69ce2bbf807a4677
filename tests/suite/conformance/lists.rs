//! Lists: pages, versions, selectors.

use serde_json::{Value, json};

use super::config_map;
use super::world::{Api, Sides, on_both, sides};

sides!(
    pages_together_are_the_list_of_one_moment,
    a_list_may_say_which_moment_it_means,
    selectors_select_as_they_say,
    kinds_have_fields_of_their_own_to_select_by,
    lists_of_all_namespaces_and_of_none_are_what_they_say
);

async fn fill(api: &mut Api) {
    for (name, labels) in [
        ("a", json!({"of": "mine", "tier": "front"})),
        ("b", json!({"of": "mine", "tier": "back"})),
        ("c", json!({"of": "mine"})),
        ("d", json!({"of": "yours", "tier": "front"})),
        ("e", json!({})),
    ] {
        let mut object = config_map(name, &json!({}));
        object["metadata"]["labels"] = labels;
        object["data"] = json!({"test": "lists"});
        let collection = api.core("configmaps");
        assert_eq!(api.quietly(http::Method::POST, &collection, &object).await.code, 201);
    }
}

fn names(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().into_iter().flatten();
    let names = items.filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned));
    names.filter(|name| name != "kube-root-ca.crt").collect()
}

async fn pages_together_are_the_list_of_one_moment(on: Sides) {
    on_both(on, "list-pages", async |api| {
        fill(api).await;
        let collection = api.core("configmaps");
        let first = api.get(&format!("{collection}?limit=2&labelSelector=of")).await;
        assert_eq!(names(&first.body), ["a", "b"]);
        let token = first.body["metadata"]["continue"].as_str().expect("more").to_owned();
        // What happens between the pages is on none of them.
        api.quietly(http::Method::DELETE, &api.core("configmaps/c"), &Value::Null).await;
        let mut late = config_map("cc", &json!({}));
        late["metadata"]["labels"] = json!({"of": "late"});
        api.quietly(http::Method::POST, &collection, &late).await;
        // A real server says that there may be more where the last page is full; the sandbox knows.
        let second = format!("{collection}?limit=2&labelSelector=of&continue={token}");
        let second = api.quietly(http::Method::GET, &second, &Value::Null).await;
        assert_eq!(names(&second.body), ["c", "d"]);
        assert_eq!(first.body["metadata"]["resourceVersion"], second.body["metadata"]["resourceVersion"]);
        let counted = api.get(&format!("{collection}?limit=2")).await;
        assert_eq!(counted.body["metadata"]["remainingItemCount"], 4);
        api.verdicts_only();
        for query in ["limit=x", "limit=-1", "limit=2&continue=nonsense", "continue=nonsense"] {
            api.get(&format!("{collection}?{query}&labelSelector=of=mine")).await;
        }
        let path = format!("{collection}?limit=2&continue={token}&resourceVersion=1");
        assert_eq!(api.get(&path).await.code, 400);
    })
    .await;
}

async fn a_list_may_say_which_moment_it_means(on: Sides) {
    on_both(on, "list-versions", async |api| {
        fill(api).await;
        let collection = api.core("configmaps?labelSelector=of%3Dmine");
        let now = api.get(&collection).await;
        let version = now.body["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
        api.quietly(http::Method::DELETE, &api.core("configmaps/a"), &Value::Null).await;
        let exact = format!("{collection}&resourceVersion={version}&resourceVersionMatch=Exact");
        let then = api.get(&exact).await;
        assert_eq!(names(&then.body), ["a", "b", "c"]);
        assert_eq!(then.body["metadata"]["resourceVersion"], version.as_str());
        let since = format!("{collection}&resourceVersion={version}&resourceVersionMatch=NotOlderThan");
        assert_eq!(names(&api.get(&since).await.body), ["b", "c"]);
        assert_eq!(names(&api.get(&format!("{collection}&resourceVersion=0")).await.body), ["b", "c"]);
        api.verdicts_only();
        for query in [
            "resourceVersionMatch=Exact",
            "resourceVersionMatch=Exact&resourceVersion=0",
            "resourceVersionMatch=Sometimes&resourceVersion=1",
            "resourceVersion=nonsense",
        ] {
            assert_ne!(api.get(&format!("{collection}&{query}")).await.code, 200, "{query}");
        }
    })
    .await;
}

async fn selectors_select_as_they_say(on: Sides) {
    on_both(on, "list-selectors", async |api| {
        fill(api).await;
        let collection = api.core("configmaps");
        for (selector, expected) in [
            ("of", vec!["a", "b", "c", "d"]),
            ("!of", vec!["e"]),
            ("of=mine", vec!["a", "b", "c"]),
            ("of==mine", vec!["a", "b", "c"]),
            ("of!=mine", vec!["d", "e"]),
            ("of in (mine, yours),tier", vec!["a", "b", "d"]),
            ("tier notin (front)", vec!["b", "c", "e"]),
            ("of=mine,tier=front", vec!["a"]),
            ("of=", vec![]),
        ] {
            let encoded = selector.replace(' ', "%20").replace('=', "%3D").replace('!', "%21");
            let answer = api.get(&format!("{collection}?labelSelector={encoded}")).await;
            assert_eq!(names(&answer.body), expected, "{selector}");
        }
        api.verdicts_only();
        for selector in ["of%20mine", "of%3Dmine,", "of%20in%20mine", "=", "of%3D%21", "a%2Fb%2Fc%3Dd"] {
            assert_eq!(
                api.get(&format!("{collection}?labelSelector={selector}")).await.code,
                400,
                "{selector}"
            );
        }
        let by_name = api.get(&format!("{collection}?fieldSelector=metadata.name%3Da")).await;
        assert_eq!(names(&by_name.body), ["a"]);
        let but =
            api.get(&format!("{collection}?fieldSelector=metadata.name%21%3Da&labelSelector=of=mine")).await;
        assert_eq!(names(&but.body), ["b", "c"]);
        for selector in ["data.a%3Db", "metadata.name", "metadata.uid%3Dx", "metadata.labels.of%3Dmine"] {
            assert_eq!(
                api.get(&format!("{collection}?fieldSelector={selector}")).await.code,
                400,
                "{selector}"
            );
        }
    })
    .await;
}

async fn kinds_have_fields_of_their_own_to_select_by(on: Sides) {
    on_both(on, "list-fields", async |api| {
        let secrets = api.core("secrets");
        for (name, kind) in [("a", "x.test/a"), ("b", "x.test/b")] {
            let secret =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind});
            api.quietly(http::Method::POST, &secrets, &secret).await;
        }
        let typed = api.get(&format!("{secrets}?fieldSelector=type%3Dx.test%2Fb")).await;
        assert_eq!(names(&typed.body), ["b"]);
        let namespace = api.case.clone();
        let path =
            format!("/api/v1/secrets?fieldSelector=metadata.namespace%3D{namespace},type%3Dx.test%2Fa");
        assert_eq!(names(&api.get(&path).await.body), ["a"]);
        let path = format!("/api/v1/namespaces?fieldSelector=metadata.name%3D{namespace}");
        let listed = api.get(&path).await;
        assert_eq!(names(&listed.body), [namespace.as_str()]);
        for (kind, field) in [
            ("events", "involvedObject.name%3Dx"),
            ("events", "involvedObject.kind%3DPod,reason%3DFailed,type%3DWarning"),
            ("events", "reportingComponent%3Dx"),
            ("pods", "status.phase%3DRunning"),
            ("pods", "spec.nodeName%3Dx"),
            ("services", "spec.type%3DLoadBalancer"),
            ("services", "spec.clusterIP%3DNone"),
            ("configmaps", "type%3Dx"),
            ("serviceaccounts", "metadata.name%3Dx"),
        ] {
            let path = api.core(&format!("{kind}?fieldSelector={field}"));
            api.get(&path).await;
        }
        let path = api.of("apps/v1", "deployments?fieldSelector=spec.replicas%3D1");
        assert_eq!(api.get(&path).await.code, 400);
    })
    .await;
}

async fn lists_of_all_namespaces_and_of_none_are_what_they_say(on: Sides) {
    on_both(on, "list-scope", async |api| {
        fill(api).await;
        let none = api.get("/api/v1/namespaces/no-such-namespace/configmaps").await;
        assert_eq!((none.code, &none.body["items"]), (200, &json!([])));
        let path = "/api/v1/configmaps?labelSelector=of%3Dlist-scope-of-nobody";
        assert_eq!(api.get(path).await.body["kind"], "ConfigMapList");
        assert_eq!(api.get(&api.of("apps/v1", "deployments")).await.body["kind"], "DeploymentList");
        assert_eq!(api.get(&api.of("apps/v1", "namespaces")).await.code, 404);
        api.get(&format!("/api/v1/namespaces/{}/namespaces", api.case)).await;
    })
    .await;
}

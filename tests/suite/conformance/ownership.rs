//! Server-side apply: who owns what.

use serde_json::{Value, json};

use super::world::{Patch, Sides, on_both, sides};
use super::{config_map, deployment, managers};

sides!(
    another_value_for_a_field_of_somebody_else_is_a_conflict_until_forced,
    two_who_apply_one_value_share_it_until_both_let_go,
    what_an_update_wrote_is_taken_over_but_not_taken_away,
    an_update_takes_what_it_changes_and_nothing_else,
    one_name_owns_apart_what_it_applies_and_what_it_updates,
    ownership_is_handed_over_by_writing_managed_fields,
    defaults_and_what_a_server_allocates_belong_to_nobody,
    a_manager_is_named_by_its_agent_where_it_gives_no_name
);

const C: &str = "configmaps/c";

async fn another_value_for_a_field_of_somebody_else_is_a_conflict_until_forced(on: Sides) {
    on_both(on, "own-conflict", async |api| {
        let path = api.core(C);
        api.apply("one", &path, &config_map("c", &json!({"a": "1", "b": "1"}))).await;
        let refused = api.apply("two", &path, &config_map("c", &json!({"a": "2"}))).await;
        assert_eq!(refused.code, 409);
        assert_eq!(
            refused.body,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 409,
                "reason": "Conflict",
                "message": "Apply failed with 1 conflict: conflict with \"one\": .data.a",
                "details": {"causes": [{
                    "reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".data.a",
                }]},
            })
        );
        api.patch(Patch::Merge, &format!("{path}?fieldManager=three"), &json!({"data": {"c": "1"}})).await;
        let several = api.apply("two", &path, &config_map("c", &json!({"a": "2", "b": "2", "c": "2"}))).await;
        assert_eq!(several.code, 409);
        let forced = api.force("two", &path, &config_map("c", &json!({"a": "2", "c": "2"}))).await;
        assert_eq!(forced.body["data"], json!({"a": "2", "b": "1", "c": "2"}));
        assert_eq!(managers(&forced.body), ["one Apply", "two Apply"]);
        // The one whose field was taken meets the conflict now.
        assert_eq!(api.apply("one", &path, &config_map("c", &json!({"a": "1", "b": "1"}))).await.code, 409);
    })
    .await;
}

async fn two_who_apply_one_value_share_it_until_both_let_go(on: Sides) {
    on_both(on, "own-share", async |api| {
        let path = api.core(C);
        api.apply("one", &path, &config_map("c", &json!({"a": "1", "b": "1"}))).await;
        let shared = api.apply("two", &path, &config_map("c", &json!({"a": "1"}))).await;
        assert_eq!(managers(&shared.body), ["one Apply", "two Apply"]);
        // Neither may change it alone.
        assert_eq!(api.apply("one", &path, &config_map("c", &json!({"a": "2"}))).await.code, 409);
        let let_go = api.apply("one", &path, &config_map("c", &json!({"b": "1"}))).await;
        assert_eq!(let_go.body["data"], json!({"a": "1", "b": "1"}));
        let gone = api.apply("two", &path, &config_map("c", &json!({}))).await;
        assert_eq!(gone.body["data"], json!({"b": "1"}));
        // It applied a map, if an empty one.
        assert_eq!(managers(&gone.body), ["one Apply", "two Apply"]);
    })
    .await;
}

async fn what_an_update_wrote_is_taken_over_but_not_taken_away(on: Sides) {
    on_both(on, "own-adopt", async |api| {
        let created = config_map("c", &json!({"a": "1", "b": "1"}));
        let collection = api.core("configmaps");
        api.post(&format!("{collection}?fieldManager=kubectl-create"), &created).await;
        let path = api.core(C);
        assert_eq!(api.apply("m", &path, &config_map("c", &json!({"a": "2"}))).await.code, 409);
        let same = api.apply("m", &path, &config_map("c", &json!({"a": "1"}))).await;
        assert_eq!(managers(&same.body), ["kubectl-create Update", "m Apply"]);
        // It was the other's too.
        let left = api.apply("m", &path, &config_map("c", &json!({}))).await;
        assert_eq!(left.body["data"], json!({"a": "1", "b": "1"}));
        let taken = api.force("m", &path, &config_map("c", &json!({"a": "2"}))).await;
        assert_eq!(taken.body["data"], json!({"a": "2", "b": "1"}));
        let gone = api.apply("m", &path, &config_map("c", &json!({}))).await;
        assert_eq!(gone.body["data"], json!({"b": "1"}));
    })
    .await;
}

async fn an_update_takes_what_it_changes_and_nothing_else(on: Sides) {
    on_both(on, "own-update", async |api| {
        let path = api.core(C);
        api.apply("m", &path, &config_map("c", &json!({"a": "1", "b": "1"}))).await;
        let put = config_map("c", &json!({"a": "2", "b": "1", "c": "1"}));
        let updated = api.put(&format!("{path}?fieldManager=editor"), &put).await;
        assert_eq!(managers(&updated.body), ["editor Update", "m Apply"]);
        let removed = json!([{"op": "remove", "path": "/data/c"}]);
        let removed = api.patch(Patch::Json, &format!("{path}?fieldManager=other"), &removed).await;
        assert_eq!(managers(&removed.body), ["editor Update", "m Apply"]);
        let removed = json!([{"op": "remove", "path": "/data/b"}]);
        api.patch(Patch::Json, &format!("{path}?fieldManager=other"), &removed).await;
        // An update that changes nothing owns nothing.
        let same =
            api.put(&format!("{path}?fieldManager=nobody"), &config_map("c", &json!({"a": "2"}))).await;
        assert_eq!(managers(&same.body), ["editor Update"]);
    })
    .await;
}

async fn one_name_owns_apart_what_it_applies_and_what_it_updates(on: Sides) {
    on_both(on, "own-operations", async |api| {
        let path = api.core(C);
        let collection = api.core("configmaps");
        api.post(&format!("{collection}?fieldManager=m"), &config_map("c", &json!({"a": "1"}))).await;
        let applied = api.apply("m", &path, &config_map("c", &json!({"a": "1"}))).await;
        assert_eq!(managers(&applied.body), ["m Apply", "m Update"]);
        // Its own update is another's to the apply.
        api.apply("m", &path, &config_map("c", &json!({"a": "2"}))).await;
        api.force("m", &path, &config_map("c", &json!({"a": "2"}))).await;
    })
    .await;
}

async fn ownership_is_handed_over_by_writing_managed_fields(on: Sides) {
    on_both(on, "own-migrate", async |api| {
        let collection = api.core("configmaps");
        let path = api.core(C);
        let created = api
            .post(&format!("{collection}?fieldManager=kubectl"), &config_map("c", &json!({"a": "1"})))
            .await;
        let mut entries = created.body["metadata"]["managedFields"].clone();
        entries[0]["manager"] = json!("m");
        entries[0]["operation"] = json!("Apply");
        // As client-go's csaupgrade does, bound to the version that was read.
        let patch = json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            {"op": "replace", "path": "/metadata/resourceVersion",
             "value": created.body["metadata"]["resourceVersion"]},
        ]);
        let handed = api.patch(Patch::Json, &format!("{path}?fieldManager=m"), &patch).await;
        assert_eq!((handed.code, managers(&handed.body)), (200, vec!["m Apply".to_owned()]));
        assert_eq!(api.patch(Patch::Json, &format!("{path}?fieldManager=m"), &patch).await.code, 409);
        let gone = api.apply("m", &path, &config_map("c", &json!({"b": "1"}))).await;
        assert_eq!(gone.body["data"], json!({"b": "1"}));
        // An empty entry forgets all owners; an empty list changes nothing.
        let nothing = json!({"metadata": {"managedFields": []}});
        api.patch(Patch::Merge, &format!("{path}?fieldManager=x"), &nothing).await;
        let forget = json!({"metadata": {"managedFields": [{}]}});
        let forgotten = api.patch(Patch::Merge, &format!("{path}?fieldManager=x"), &forget).await;
        assert_eq!(managers(&forgotten.body), Vec::<String>::new());
        // What was there before anybody was noted belongs to "before-first-apply".
        let after = api.apply("m", &path, &config_map("c", &json!({"c": "1"}))).await;
        assert_eq!(managers(&after.body), ["before-first-apply Update", "m Apply"]);
        let bad = json!({"metadata": {"managedFields": [{"manager": "m", "operation": "Guess"}]}});
        api.patch(Patch::Merge, &format!("{path}?fieldManager=x"), &bad).await;
    })
    .await;
}

async fn defaults_and_what_a_server_allocates_belong_to_nobody(on: Sides) {
    on_both(on, "own-defaults", async |api| {
        let path = api.of("apps/v1", "deployments/d");
        let created = api.apply("m", &path, &deployment("d", &json!({"name": "a", "image": "a:1"}))).await;
        let fields = created.body["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"].clone();
        assert_eq!(fields["f:replicas"], Value::Null);
        assert_eq!(fields["f:selector"], json!({}));
        // A default that is applied as it stands is owned from then on.
        let mut one = deployment("d", &json!({"name": "a", "image": "a:1"}));
        one["spec"]["replicas"] = json!(1);
        let owned = api.apply("other", &path, &one).await;
        assert_eq!(managers(&owned.body), ["m Apply", "other Apply"]);
        // Whoever lets a default go leaves the default.
        one["spec"]["replicas"] = json!(3);
        api.apply("other", &path, &one).await;
        let back = api.apply("other", &path, &deployment("d", &json!({"name": "a", "image": "a:1"}))).await;
        assert_eq!(back.body["spec"]["replicas"], 1);
        // Created by a POST, everything that was defaulted then is the creator's.
        let path = api.of("apps/v1", "deployments");
        let posted = deployment("posted", &json!({"name": "a", "image": "a:1"}));
        api.post(&format!("{path}?fieldManager=creator"), &posted).await;
    })
    .await;
}

async fn a_manager_is_named_by_its_agent_where_it_gives_no_name(on: Sides) {
    on_both(on, "own-agent", async |api| {
        let collection = api.core("configmaps");
        let created = api.post(&collection, &config_map("c", &json!({"a": "1"}))).await;
        assert_eq!(managers(&created.body).len(), 1);
        let path = api.core(C);
        api.verdicts_only();
        let long = "m".repeat(129);
        api.apply(&long, &path, &config_map("c", &json!({"a": "1"}))).await;
        api.apply("%07bell", &path, &config_map("c", &json!({"a": "1"}))).await;
        api.post(&format!("{collection}?fieldManager={long}"), &config_map("d", &json!({"a": "1"}))).await;
    })
    .await;
}

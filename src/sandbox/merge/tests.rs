use serde_json::{Map, Value, json};

use super::*;
use crate::object::kinds::{self, Shape};

const TIME: &str = "2026-01-01T00:00:00Z";

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("no map: {other}"),
    }
}

fn writer(manager: &str) -> Writer<'_> {
    Writer { manager, subresource: "", api_version: "apps/v1", time: TIME }
}

fn deployment() -> &'static Shape {
    kinds::find("apps", "Deployment").expect("it is in the table").shape
}

fn with_spec(spec: Value) -> Map<String, Value> {
    map(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}))
}

/// A live object and its managers.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    object: Map<String, Value>,
    managers: Managers,
}

impl State {
    fn apply(&mut self, manager: &str, applied: &Map<String, Value>, force: Force) -> Result<(), ApplyFault> {
        let mut managers = self.managers.clone();
        let merged = managers.apply(&self.object, applied, deployment(), writer(manager), force)?;
        self.managers = managers;
        if let Some(merged) = merged {
            self.object = merged;
        }
        Ok(())
    }

    fn update(&mut self, manager: &str, new: Map<String, Value>) {
        self.managers.update(&self.object, &new, deployment(), writer(manager));
        self.object = new;
    }

    fn owned_by(&self, manager: &str) -> Option<Value> {
        let mut holder = map(json!({"metadata": {}}));
        self.managers.write_to(&mut holder);
        let entries = holder["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        entries.into_iter().find(|entry| entry["manager"] == manager).map(|entry| entry["fieldsV1"].clone())
    }
}

fn containers(items: Value) -> Map<String, Value> {
    with_spec(json!({"template": {"spec": {"containers": items}}}))
}

fn container_names(state: &State) -> Vec<&str> {
    let items = state.object["spec"]["template"]["spec"]["containers"].as_array();
    items.into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
}

#[test]
fn items_of_two_managers_stand_side_by_side() {
    let mut state = State::default();
    state.apply("a", &containers(json!([{"name": "x", "image": "1"}])), Force::Refuse).expect("applies");
    state.apply("b", &containers(json!([{"name": "y", "image": "2"}])), Force::Refuse).expect("applies");
    assert_eq!(container_names(&state), ["x", "y"]);
    // What a applies no more goes, what b applies stays.
    state.apply("a", &with_spec(json!({})), Force::Refuse).expect("applies");
    assert_eq!(container_names(&state), ["y"]);
}

#[test]
fn the_order_of_the_applied_list_wins_among_its_items() {
    let mut state = State::default();
    let item = |name: &str| json!({"name": name, "image": "1"});
    state.update("u", containers(json!([item("a"), item("b"), item("c"), item("d")])));
    state.apply("m", &containers(json!([item("c"), item("e"), item("a")])), Force::Refuse).expect("applies");
    assert_eq!(container_names(&state), ["b", "c", "d", "e", "a"]);
}

#[test]
fn a_field_that_nobody_else_owns_goes_when_it_is_applied_no_more() {
    let mut state = State::default();
    state.apply("a", &with_spec(json!({"replicas": 1, "paused": true})), Force::Refuse).expect("applies");
    state.apply("b", &with_spec(json!({"paused": true})), Force::Refuse).expect("shares");
    state.apply("a", &with_spec(json!({})), Force::Refuse).expect("applies");
    assert_eq!(state.object["spec"], json!({"paused": true}));
    // An empty map is something to own.
    assert_eq!(state.owned_by("a"), Some(json!({"f:spec": {}})));
    assert_eq!(state.owned_by("b"), Some(json!({"f:spec": {"f:paused": {}}})));
}

#[test]
fn an_equal_value_is_shared_and_a_different_one_a_conflict() {
    let mut state = State::default();
    state.apply("a", &with_spec(json!({"replicas": 1})), Force::Refuse).expect("applies");
    state.apply("b", &with_spec(json!({"replicas": 1})), Force::Refuse).expect("shares");
    let before = state.clone();
    assert_eq!(
        state.apply("b", &with_spec(json!({"replicas": 2})), Force::Refuse),
        Err(ApplyFault::Conflicts(vec![Conflict {
            manager: "\"a\"".into(),
            field: ".spec.replicas".into()
        }]))
    );
    assert_eq!(state, before);
    state.apply("b", &with_spec(json!({"replicas": 2})), Force::TakeOver).expect("takes over");
    assert_eq!((state.owned_by("a"), &state.object["spec"]["replicas"]), (None, &json!(2)));
}

#[test]
fn an_atomic_value_is_owned_and_replaced_whole() {
    let mut state = State::default();
    let selector = |labels: Value| with_spec(json!({"selector": {"matchLabels": labels}}));
    state.apply("a", &selector(json!({"a": "1"})), Force::Refuse).expect("applies");
    let conflict = state.apply("b", &selector(json!({"b": "1"})), Force::Refuse);
    assert_eq!(
        conflict,
        Err(ApplyFault::Conflicts(vec![Conflict {
            manager: "\"a\"".into(),
            field: ".spec.selector".into()
        }]))
    );
    state.apply("b", &selector(json!({"b": "1"})), Force::TakeOver).expect("takes over");
    assert_eq!(state.object["spec"]["selector"], json!({"matchLabels": {"b": "1"}}));
}

#[test]
fn an_update_takes_what_it_changes_and_only_that() {
    let mut state = State::default();
    state.apply("a", &with_spec(json!({"replicas": 1, "paused": true})), Force::Refuse).expect("applies");
    state.update("kubectl-edit", with_spec(json!({"replicas": 2, "paused": true})));
    assert_eq!(state.owned_by("a"), Some(json!({"f:spec": {"f:paused": {}}})));
    assert_eq!(state.owned_by("kubectl-edit"), Some(json!({"f:spec": {"f:replicas": {}}})));
}

#[test]
fn a_created_object_is_its_creators_with_its_maps() {
    let mut state = State::default();
    let mut created = with_spec(json!({"replicas": 1}));
    created["metadata"]["labels"] = json!({"a": "1"});
    state.update("kubectl-create", created);
    assert_eq!(
        state.owned_by("kubectl-create"),
        Some(json!({
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {".": {}, "f:replicas": {}},
        }))
    );
}

#[test]
fn what_stood_in_an_untracked_object_is_before_first_apply() {
    let mut state = State { object: with_spec(json!({"replicas": 1})), managers: Managers::default() };
    let conflict = state.apply("a", &with_spec(json!({"replicas": 2})), Force::Refuse);
    assert_eq!(
        conflict,
        Err(ApplyFault::Conflicts(vec![Conflict {
            manager: "\"before-first-apply\" using apps/v1".into(),
            field: ".spec.replicas".into()
        }]))
    );
}

#[test]
fn two_items_under_one_key_are_refused() {
    let mut state = State::default();
    let fault = state.apply("a", &containers(json!([{"name": "x"}, {"name": "x"}])), Force::Refuse);
    let Err(ApplyFault::Merge(fault)) = fault else { panic!("{fault:?}") };
    assert_eq!(fault.to_string(), ".spec.template.spec.containers: duplicate entries for key [name=\"x\"]");
}

#[test]
fn the_oldest_of_eleven_update_managers_are_lumped_together() {
    let mut state = State::default();
    state.update("u00", with_spec(json!({"f00": 0})));
    for number in 1..11 {
        let mut spec = state.object["spec"].clone();
        spec[format!("f{number:02}")] = json!(number);
        state.update(&format!("u{number:02}"), with_spec(spec));
    }
    assert_eq!(state.owned_by("u00"), None);
    assert_eq!(state.owned_by("u01"), None);
    let ancient = state.owned_by("ancient-changes").expect("there is one");
    assert_eq!(ancient["f:spec"]["f:f01"], json!({}));
    assert_eq!(state.owned_by("u02"), Some(json!({"f:spec": {"f:f02": {}}})));
}

mod laws {
    use proptest::prelude::*;

    use super::*;

    /// Desired objects over few fields, so that they meet.
    fn objects() -> impl Strategy<Value = Map<String, Value>> {
        let containers =
            proptest::collection::btree_map("[a-c]", (0_u8..3, proptest::option::of(0_u8..3)), 0..3);
        let labels = proptest::collection::btree_map("[x-z]", 0_u8..3, 0..3);
        (proptest::option::of(0_u8..3), labels, containers).prop_map(|(replicas, labels, containers)| {
            let mut spec = map(json!({}));
            if let Some(replicas) = replicas {
                spec.insert("replicas".into(), json!(replicas));
            }
            let containers: Vec<Value> = containers
                .into_iter()
                .map(|(name, (image, port))| {
                    let mut item = json!({"name": name, "image": image.to_string()});
                    if let Some(port) = port {
                        item["ports"] = json!([{"containerPort": 80 + u32::from(port)}]);
                    }
                    item
                })
                .collect();
            if !containers.is_empty() {
                spec.insert("template".into(), json!({"spec": {"containers": containers}}));
            }
            let labels: Map<String, Value> =
                labels.into_iter().map(|(k, v)| (k, v.to_string().into())).collect();
            let mut object = with_spec(Value::Object(spec));
            if !labels.is_empty() {
                object["metadata"]["labels"] = Value::Object(labels);
            }
            object
        })
    }

    /// Sorted lists, since disjoint managers agree on everything but the order.
    fn in_order(value: &Value) -> Value {
        match value {
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), in_order(value))).collect(),
            Value::Array(items) => {
                let mut items: Vec<Value> = items.iter().map(in_order).collect();
                items.sort_by_key(ToString::to_string);
                Value::Array(items)
            }
            other => other.clone(),
        }
    }

    /// The fields whose names begin with one of these.
    fn half(object: &Map<String, Value>, letters: &[char]) -> Map<String, Value> {
        let mut object = object.clone();
        if let Some(Value::Object(labels)) = object["metadata"].get_mut("labels") {
            labels.retain(|key, _| key.starts_with(letters));
        }
        if let Some(Value::Array(items)) = object["spec"].pointer_mut("/template/spec/containers") {
            items.retain(|item| item["name"].as_str().is_some_and(|name| name.starts_with(letters)));
        }
        object
    }

    proptest! {
        #[test]
        fn applying_twice_changes_nothing(before in objects(), applied in objects()) {
            let mut state = State::default();
            state.apply("other", &before, Force::Refuse).expect("nobody else is there");
            state.apply("me", &applied, Force::TakeOver).expect("takes over");
            let once = state.clone();
            state.apply("me", &applied, Force::Refuse).expect("it is all mine");
            prop_assert_eq!(state, once);
        }

        #[test]
        fn what_is_applied_is_there(before in objects(), applied in objects()) {
            let mut state = State::default();
            state.apply("other", &before, Force::Refuse).expect("nobody else is there");
            state.apply("me", &applied, Force::TakeOver).expect("takes over");
            let claimed = crate::object::FieldSet::of_map(&applied, deployment());
            for path in claimed.paths() {
                let (wanted, live) = (Value::Object(applied.clone()), Value::Object(state.object.clone()));
                if let Some(wanted) = path.lookup(&wanted).filter(|wanted| !wanted.is_object()) {
                    prop_assert_eq!(path.lookup(&live), Some(wanted), "{}", path);
                }
            }
        }

        #[test]
        fn an_only_manager_gets_just_what_it_applied_last(first in objects(), second in objects()) {
            let mut state = State::default();
            state.apply("me", &first, Force::Refuse).expect("nobody else is there");
            state.apply("me", &second, Force::Refuse).expect("nobody else is there");
            let mut fresh = State::default();
            fresh.apply("me", &second, Force::Refuse).expect("nobody else is there");
            let strip = |state: &State| without_empty(&in_order(&Value::Object(state.object.clone())));
            prop_assert_eq!(strip(&state), strip(&fresh));
        }

        #[test]
        fn the_order_of_disjoint_managers_does_not_matter(object in objects()) {
            let (left, mut right) = (half(&object, &['a', 'x']), half(&object, &['b', 'c', 'y', 'z']));
            right["spec"].as_object_mut().expect("a map").remove("replicas");
            let run = |first: (&str, &Map<String, Value>), second: (&str, &Map<String, Value>)| {
                let mut state = State::default();
                state.apply(first.0, first.1, Force::Refuse).expect("disjoint");
                state.apply(second.0, second.1, Force::Refuse).expect("disjoint");
                (in_order(&Value::Object(state.object.clone())), state.owned_by("l"), state.owned_by("r"))
            };
            prop_assert_eq!(run(("l", &left), ("r", &right)), run(("r", &right), ("l", &left)));
        }

        #[test]
        fn nothing_of_a_manager_is_left_when_it_applies_nothing(mine in objects(), theirs in objects()) {
            let mut state = State::default();
            state.apply("them", &theirs, Force::Refuse).expect("nobody else is there");
            let before = state.clone();
            let conflicts = state.apply("me", &mine, Force::Refuse).is_err();
            if !conflicts {
                state.apply("me", &with_spec(json!({})), Force::Refuse).expect("gives everything up");
                prop_assert_eq!(
                    without_empty(&in_order(&Value::Object(state.object.clone()))),
                    without_empty(&in_order(&Value::Object(before.object.clone())))
                );
                prop_assert_eq!(state.owned_by("me").filter(|set| set.pointer("/f:spec/f:replicas").is_some()), None);
                prop_assert_eq!(state.owned_by("them"), before.owned_by("them"));
            }
        }
    }

    /// Without empty maps, whose presence is nobody's business here.
    fn without_empty(value: &Value) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (key.clone(), without_empty(value)))
                .filter(|(_, value)| value.as_object().is_none_or(|map| !map.is_empty()))
                .collect(),
            Value::Array(items) => items.iter().map(without_empty).collect(),
            other => other.clone(),
        }
    }
}

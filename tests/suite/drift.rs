//! What others change behind our back, found and set right on either back end.

use serde_json::{Value, json};
use stolos::object::{Object, ObjectRef};
use stolos::plan::{Cause, Mode, Plan, Shown, taken_over};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::meshes::{Meshes, desired, topology_text, writes};

on_both_back_ends!(
    a_renumbered_port_is_one_drift_and_is_set_right,
    a_run_cut_off_between_its_two_writes_converges_when_it_is_repeated,
    a_port_that_somebody_added_stays,
    a_renamed_container_is_drift_and_is_set_right,
    a_changed_label_is_drift_and_is_set_right,
    addresses_that_are_reported_in_another_order_are_no_change
);

const SHARED: &str = "primary-remote-multi-network.yaml";

/// A mesh that was applied.
async fn applied(on: BackEnd, test: &str) -> Meshes {
    Meshes::applied_on(on, test, desired(SHARED, &topology_text(SHARED))).await
}

fn istiod(group: &str, kind: &str) -> ObjectRef {
    ObjectRef {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "istiod".to_owned(),
    }
}

/// What `kubectl patch --type=json` does.
async fn patch(meshes: &Meshes, cluster: &str, object: &ObjectRef, operations: Value) {
    meshes.patch(cluster, object, operations, "kubectl-patch").await;
}

/// Every change of a plan, with the fields and who changed them.
fn told(plan: &Plan) -> Vec<String> {
    let value = |shown: &Option<Shown>| match shown {
        Some(Shown::Value(value)) => value.to_string(),
        Some(other) => format!("{other:?}"),
        None => "nothing".to_owned(),
    };
    let mut lines = Vec::new();
    for step in &plan.steps {
        for change in step.writes() {
            let by = match &change.cause {
                Cause::Drift(Some(author)) => format!("drift by {}", author.manager),
                Cause::Drift(None) => "drift".to_owned(),
                Cause::Topology | Cause::Value => "no drift".to_owned(),
            };
            lines.push(format!("{} {} {}: {by}", step.unit, change.action.as_str(), change.object));
            let fields = change.fields.iter();
            lines.extend(fields.map(|f| format!("{} {} -> {}", f.path, value(&f.before), value(&f.after))));
        }
    }
    lines
}

/// The keys of a list's items.
fn keys(object: &Object, list: &[&str], key: &str) -> Vec<Value> {
    let items = object.get(list).and_then(Value::as_array).expect("a list");
    items.iter().map(|item| item[key].clone()).collect()
}

async fn live(meshes: &Meshes, cluster: &str, object: &ObjectRef) -> Object {
    meshes.live(cluster, object).await.expect("it is there")
}

async fn is_set_right(meshes: &Meshes) {
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

fn renumber() -> Value {
    json!([{"op": "replace", "path": "/spec/ports/0/port", "value": 15013}])
}

async fn a_renumbered_port_is_one_drift_and_is_set_right(on: BackEnd) {
    let meshes = applied(on, "drift-port").await;
    let service = istiod("", "Service");
    let before = live(&meshes, "cluster2", &service).await;
    patch(&meshes, "cluster2", &service, renumber()).await;
    assert_eq!(
        told(&meshes.plan(Mode::Apply).await),
        [
            "cluster2/control-plane update Service istio-system/istiod: drift by kubectl-patch",
            "spec.ports[name=tcp-istiod].port 15013 -> 15012",
        ]
    );
    is_set_right(&meshes).await;
    let after = live(&meshes, "cluster2", &service).await;
    let ports = |object: &Object| {
        let mut ports = keys(object, &["spec", "ports"], "port");
        ports.sort_by_key(Value::as_u64);
        ports
    };
    assert_eq!(ports(&after), ports(&before));
}

async fn a_run_cut_off_between_its_two_writes_converges_when_it_is_repeated(on: BackEnd) {
    let meshes = applied(on, "drift-cut-off").await;
    let service = istiod("", "Service");
    patch(&meshes, "cluster2", &service, renumber()).await;
    let plan = meshes.plan(Mode::Apply).await;
    let change = plan.steps.iter().flat_map(|step| step.writes()).next().expect("a change");
    let before = live(&meshes, "cluster2", &service).await;
    let managers = taken_over(&before, &change.renamed).expect("something to take");
    let cluster = &meshes.clusters["cluster2"];
    cluster.set_managers(&before, &managers).await.expect("written");
    assert_eq!(
        told(&meshes.plan(Mode::Apply).await),
        [
            "cluster2/control-plane update Service istio-system/istiod: drift",
            "spec.ports[port=15012,protocol=TCP] nothing -> \
             {\"name\":\"tcp-istiod\",\"port\":15012,\"protocol\":\"TCP\",\"targetPort\":15012}",
            "spec.ports[port=15013,protocol=TCP] \
             {\"name\":\"tcp-istiod\",\"port\":15013,\"protocol\":\"TCP\",\"targetPort\":15012} -> nothing",
        ]
    );
    is_set_right(&meshes).await;
    // The write of the version that was read comes to nothing once somebody else wrote.
    assert!(cluster.set_managers(&before, &managers).await.is_err());
}

async fn a_port_that_somebody_added_stays(on: BackEnd) {
    let meshes = applied(on, "drift-added").await;
    let service = istiod("", "Service");
    let port = json!({"name": "debug", "port": 9999, "protocol": "TCP", "targetPort": 9999});
    patch(&meshes, "cluster1", &service, json!([{"op": "add", "path": "/spec/ports/-", "value": port}]))
        .await;
    assert_eq!(told(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

async fn a_renamed_container_is_drift_and_is_set_right(on: BackEnd) {
    let meshes = applied(on, "drift-container").await;
    let deployment = istiod("apps", "Deployment");
    let path = "/spec/template/spec/containers/0/name";
    patch(&meshes, "cluster1", &deployment, json!([{"op": "replace", "path": path, "value": "pilot"}])).await;
    assert_eq!(
        told(&meshes.plan(Mode::Apply).await),
        [
            "cluster1/control-plane update Deployment istio-system/istiod: drift by kubectl-patch",
            "spec.template.spec.containers[name=pilot].name \"pilot\" -> \"discovery\"",
        ]
    );
    is_set_right(&meshes).await;
    let after = live(&meshes, "cluster1", &deployment).await;
    assert_eq!(keys(&after, &["spec", "template", "spec", "containers"], "name"), [json!("discovery")]);
}

async fn a_changed_label_is_drift_and_is_set_right(on: BackEnd) {
    let meshes = applied(on, "drift-label").await;
    let service = istiod("", "Service");
    let label = json!([{"op": "replace", "path": "/metadata/labels/app", "value": "pilot"}]);
    patch(&meshes, "cluster2", &service, label).await;
    assert_eq!(
        told(&meshes.plan(Mode::Apply).await),
        [
            "cluster2/control-plane update Service istio-system/istiod: drift by kubectl-patch",
            "metadata.labels.app \"pilot\" -> \"istiod\"",
        ]
    );
    is_set_right(&meshes).await;
}

async fn addresses_that_are_reported_in_another_order_are_no_change(on: BackEnd) {
    let meshes = applied(on, "drift-addresses").await;
    let gateway = ObjectRef { name: "istio-eastwestgateway".to_owned(), ..istiod("", "Service") };
    let reported =
        |live: &Object| live.get(&["status", "loadBalancer", "ingress"]).cloned().expect("addresses");
    let first = reported(&meshes.live("cluster1", &gateway).await.expect("a Service"));
    let report = |points: Value| {
        let status = json!({"status": {"loadBalancer": {"ingress": points}}});
        meshes.patch_status("cluster1", &gateway, status, "cloud")
    };
    report(json!([{"ip": "203.0.113.250", "ipMode": "VIP"}, first[0]])).await;
    assert_eq!(
        reported(&meshes.live("cluster1", &gateway).await.expect("a Service"))[1]["ip"],
        first[0]["ip"]
    );
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
    report(json!([{"ip": "203.0.113.250", "ipMode": "VIP"}])).await;
    let told = told(&meshes.plan(Mode::Apply).await);
    let moved = "cluster2/control-plane update EndpointSlice istio-system/istiod: no drift".to_owned();
    assert!(told.contains(&moved), "{told:#?}");
}

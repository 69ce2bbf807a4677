//! Changes that hurt go through the clusters in order, on either back end; what happened says so.

use std::time::Duration;

use serde_json::json;
use stolos::apply::{Event, StepOutcome};
use stolos::object::ObjectRef;
use stolos::plan::Mode;

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::meshes::{Meshes, Ran, desired, topology_text, writes};

on_both_back_ends!(
    a_value_of_istiod_restarts_cluster_after_cluster,
    a_wave_that_never_gets_ready_stops_those_behind_it_and_the_next_run_goes_on,
    the_old_way_to_istiod_goes_when_every_remote_has_the_new_one,
    a_mixed_mesh_restarts_primaries_first_and_one_cluster_at_a_time,
    a_new_root_is_what_istiod_signs_with_once_it_was_applied
);

/// Three primaries on one network, istiod with an annotation that may change.
fn three(note: &str, rollout: &str) -> String {
    let cluster = |number: usize| {
        format!("  cluster{number}: {{ network: network1, role: primary, pods: [10.{number}.0.0/16] }}\n")
    };
    let clusters: String = (1..=3).map(cluster).collect();
    format!(
        "version: 1\nmesh: {{ id: mesh1 }}\nistio: {{ version: 1.30.3, charts: embedded, values: \
         {{ istiod: {{ pilot: {{ podAnnotations: {{ note: {note} }} }} }} }} }}\n\
         trust: {{ root: generate }}\nnetworks: {{ network1: {{}} }}\nclusters:\n{clusters}{rollout}\n"
    )
}

/// When the steps that are looked at began and ended, in the order of events.
fn course(ran: &Ran, looked_at: impl Fn(&str) -> bool) -> Vec<String> {
    let told = ran.events.iter().filter_map(|event| match event {
        Event::Started { step } => Some(("starts", step)),
        Event::Done { step, .. } => Some(("done", step)),
        Event::Failed { step, .. } => Some(("fails", step)),
        Event::HeldBack { step, .. } => Some(("held back", step)),
        Event::Applied { .. }
        | Event::Waiting { .. }
        | Event::Noted { .. }
        | Event::Stopping
        | Event::Lease { .. } => None,
    });
    let lines = told.map(|(what, step)| (what, step.to_string())).filter(|(_, step)| looked_at(step));
    lines.map(|(what, step)| format!("{step} {what}")).collect()
}

fn istiod() -> ObjectRef {
    ObjectRef {
        group: "apps".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: "istiod".to_owned(),
    }
}

async fn a_value_of_istiod_restarts_cluster_after_cluster(on: BackEnd) {
    let mut meshes = Meshes::on(on, "waves-restart", desired("m.yaml", &three("a", ""))).await;
    assert!(meshes.apply().await.summary.is_complete());
    meshes.desired = desired("m.yaml", &three("b", "rollout: [[cluster3]]"));
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(
        course(&ran, |_| true),
        [
            "cluster3/control-plane starts",
            "cluster3/control-plane done",
            "cluster1/control-plane starts",
            "cluster1/control-plane done",
            "cluster2/control-plane starts",
            "cluster2/control-plane done",
        ]
    );
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

async fn a_wave_that_never_gets_ready_stops_those_behind_it_and_the_next_run_goes_on(on: BackEnd) {
    let mut meshes = Meshes::on(on, "waves-stop", desired("m.yaml", &three("a", ""))).await;
    assert!(meshes.apply().await.summary.is_complete());
    // Somebody mounts what is not there: the next pods of cluster1's istiod will not come up.
    let volume = json!([{"op": "add", "path": "/spec/template/spec/volumes/-",
        "value": {"name": "extra", "secret": {"secretName": "extra"}}}]);
    meshes.patch("cluster1", &istiod(), volume, "kubectl-patch").await;
    meshes.desired = desired("m.yaml", &three("b", "namespaces: { sample: {} }"));
    let patient = meshes.options.timeout;
    meshes.options.timeout = on.short();
    let ran = meshes.apply().await;
    let StepOutcome::Failed(failure) = &ran.summary.steps[&"cluster1/control-plane".parse().expect("a step")]
    else {
        panic!("{:#?}", ran.summary)
    };
    assert_eq!(failure.code.name, "wait-timeout");
    let of_istiod = |step: &str| step.ends_with("/control-plane");
    assert_eq!(
        course(&ran, of_istiod),
        [
            "cluster1/control-plane starts",
            "cluster1/control-plane fails",
            "cluster2/control-plane held back",
            "cluster3/control-plane held back",
        ]
    );
    for cluster in ["cluster2", "cluster3"] {
        let live = meshes.live(cluster, &istiod()).await.expect("istiod");
        let note = live.text(&["spec", "template", "metadata", "annotations", "note"]);
        assert_eq!(note, Some("a"), "{cluster} was not touched");
    }
    // The cause is mended, and the same command goes on: first the wave that had stopped, then the others.
    let extra = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "extra", "namespace": "istio-system"}});
    meshes.create("cluster1", extra, "kubectl-create").await;
    meshes.options.timeout = patient.max(Duration::from_secs(30));
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let course = course(&ran, of_istiod);
    let others: Vec<&str> =
        course.iter().map(String::as_str).filter(|line| !line.starts_with("cluster1/")).collect();
    assert_eq!(
        others,
        [
            "cluster2/control-plane starts",
            "cluster2/control-plane done",
            "cluster3/control-plane starts",
            "cluster3/control-plane done",
        ]
    );
    // Whether cluster1 was still on its way when the plan was made is the kubelet's affair; if it was, it came first.
    if let Some(done) = course.iter().position(|line| line == "cluster1/control-plane done") {
        assert!(course.iter().position(|line| line == others[0]) > Some(done), "{course:?}");
    }
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

async fn the_old_way_to_istiod_goes_when_every_remote_has_the_new_one(on: BackEnd) {
    let file = "primary-remote-multi-network.yaml";
    let mut meshes = Meshes::on(on, "waves-expose", desired(file, &topology_text(file))).await;
    assert!(meshes.apply().await.summary.is_complete());
    let primary = "cluster1: { network: network1, role: primary";
    let moved =
        topology_text(file).replace(primary, &format!("{primary}, controlPlane: {{ expose: loadBalancer }}"));
    meshes.desired = desired(file, &moved);
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(
        course(&ran, |_| true),
        [
            "cluster1/expose-control-plane starts",
            "cluster1/expose-control-plane done",
            "cluster2/control-plane starts",
            "cluster2/control-plane done",
            "cluster1/expose-control-plane leftovers starts",
            "cluster1/expose-control-plane leftovers done",
        ]
    );
    let left: Vec<String> = meshes
        .everything()
        .await
        .into_iter()
        .filter(|name| name.ends_with("/istiod-gateway") || name.ends_with("/istiod-vs"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

async fn a_mixed_mesh_restarts_primaries_first_and_one_cluster_at_a_time(on: BackEnd) {
    let file = "mixed.yaml";
    let mut meshes = Meshes::on(on, "waves-mixed", desired(file, &topology_text(file))).await;
    assert!(meshes.apply().await.summary.is_complete());
    let values = "    istiod:\n      meshConfig: { accessLogFile: /dev/stdout }\n";
    let noted = format!(
        "{values}      pilot: {{ podAnnotations: {{ note: b }} }}\n    gateway: {{ podAnnotations: {{ note: b }} }}\n"
    );
    let text = topology_text(file).replace(values, &noted);
    meshes.desired = desired(file, &text);
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    // Two primaries with istiod and gateway, then three remotes with their gateways.
    let runs_pods = |step: &str| {
        step.ends_with("/eastwest-gateway") || ["east/control-plane", "west/control-plane"].contains(&step)
    };
    let mut course = course(&ran, runs_pods);
    let mut order: Vec<String> = Vec::new();
    for (cluster, steps) in [("east", 2), ("west", 2), ("edge", 1), ("north", 1), ("south", 1)] {
        let wave: Vec<String> = course.drain(..2 * steps).collect();
        assert!(wave.iter().all(|line| line.starts_with(&format!("{cluster}/"))), "{cluster}: {wave:?}");
        order.extend(wave);
    }
    assert_eq!(course, Vec::<String>::new(), "after {order:?}");
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

/// The text of an object's data; of a Secret's it is still encoded.
async fn data(meshes: &Meshes, cluster: &str, kind: &str, name: &str, key: &str) -> String {
    let object = ObjectRef {
        group: String::new(),
        kind: kind.to_owned(),
        namespace: Some("istio-system".to_owned()),
        name: name.to_owned(),
    };
    let live = meshes.live(cluster, &object).await;
    live.and_then(|live| live.text(&["data", key]).map(str::to_owned)).unwrap_or_default()
}

async fn a_new_root_is_what_istiod_signs_with_once_it_was_applied(on: BackEnd) {
    let file = "primary-remote-multi-network.yaml";
    let own = topology_text(file).replace("root: generate", "root: istiod");
    let mut meshes = Meshes::on(on, "waves-root", desired(file, &own)).await;
    assert!(meshes.apply().await.summary.is_complete());
    meshes.desired = desired(file, &topology_text(file));
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(
        course(&ran, |_| true),
        [
            "cluster1/trust starts",
            "cluster1/trust done",
            "cluster1/control-plane starts",
            "cluster1/control-plane done",
        ]
    );
    let root = data(&meshes, "cluster1", "Secret", "cacerts", "root-cert.pem").await;
    let root = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, root).expect("base64");
    let root = String::from_utf8(root).expect("PEM");
    // istiod publishes it in the clusters that it serves as soon as it runs.
    for cluster in ["cluster1", "cluster2"] {
        let published = async {
            while data(&meshes, cluster, "ConfigMap", "istio-ca-root-cert", "root-cert.pem").await != root {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(meshes.options.timeout, published).await.expect("the new root is published");
    }
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

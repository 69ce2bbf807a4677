//! What others made and Stolos takes over, and what Stolos made and others touch.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use http::Method;
use serde_json::{Value, json};
use stolos::object::{FieldPath, ManagedEntry, Object, ObjectRef, PathElement, managed_fields};
use stolos::plan::{Action, Conflicts, Mode, Plan, migrated};

use crate::support::back_end::{BackEnd, on_both_back_ends};
use crate::support::helm;
use crate::support::meshes::{Meshes, collection, desired, text, topology_text, writes};
use crate::support::servers::Assets;

on_both_back_ends!(
    what_kubectl_applied_becomes_ours_field_by_field_and_goes_when_it_is_no_longer_asked_for,
    a_run_cut_off_before_it_applied_what_it_took_converges_when_it_is_repeated,
    what_is_dropped_goes_and_what_others_took_stays_and_is_named,
    a_token_secret_that_was_there_before_is_released_as_one_that_a_server_takes,
);

const SHARED: &str = "primary-remote-multi-network.yaml";

fn reference(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

/// Part of a plan's text: the lines of one object.
fn lines_of(plan: &Plan, object: &str) -> Vec<String> {
    let text = text(plan);
    let mut lines = text.lines().skip_while(|line| !line.contains(object));
    let first = lines.next().map(|line| line.trim_start().to_owned());
    let indent = |line: &str| line.len() - line.trim_start().len();
    let fields = lines.take_while(|line| indent(line) > 6).map(|line| line.trim().to_owned());
    first.into_iter().chain(fields).collect()
}

/// The managers that hold a label of an object.
fn holders(object: &Object, label: &str) -> Vec<String> {
    let path = FieldPath(["metadata", "labels", label].map(PathElement::field).to_vec());
    let holds = |entry: &ManagedEntry| entry.fields.contains(&path);
    managed_fields(object).into_iter().filter(holds).map(|entry| entry.manager).collect()
}

async fn live(meshes: &Meshes, cluster: &str, object: &ObjectRef) -> Object {
    meshes.live(cluster, object).await.expect("it is there")
}

async fn is_applied(meshes: &Meshes) {
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(writes(&meshes.plan(Mode::Apply).await), Vec::<String>::new());
}

/// A namespace as `kubectl apply` leaves it.
fn sample() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "sample",
        "labels": {"istio-injection": "enabled", "team": "platform"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}\n"},
    }})
}

async fn what_kubectl_applied_becomes_ours_field_by_field_and_goes_when_it_is_no_longer_asked_for(
    on: BackEnd,
) {
    let mut meshes = Meshes::on(on, "adoption-kubectl", desired(SHARED, &topology_text(SHARED))).await;
    let sample = meshes.create("cluster1", sample(), "kubectl-client-side-apply").await;
    let plan = meshes.plan(Mode::Apply).await;
    let id = plan.steps[0].changes[0]
        .desired
        .as_ref()
        .and_then(|object| object.label("applyset.kubernetes.io/part-of"));
    assert_eq!(
        lines_of(&plan, "Namespace sample"),
        [
            "> Namespace sample    1 field of kubectl-client-side-apply becomes ours".to_owned(),
            format!("metadata.labels[\"applyset.kubernetes.io/part-of\"]  {}  (new)", id.expect("a label")),
        ]
    );
    is_applied(&meshes).await;
    let adopted = live(&meshes, "cluster1", &sample).await;
    assert_eq!(holders(&adopted, "istio-injection"), ["stolos"]);
    assert_eq!(holders(&adopted, "team"), ["kubectl-client-side-apply"]);
    let dropped = topology_text(SHARED).replace("injection: enabled", "injection: manual");
    meshes.desired = desired(SHARED, &dropped);
    let plan = meshes.plan(Mode::Apply).await;
    assert_eq!(
        lines_of(&plan, "Namespace sample").last().map(String::as_str),
        Some("metadata.labels.istio-injection  enabled -> (gone)"),
        "{}",
        text(&plan)
    );
    is_applied(&meshes).await;
    let after = live(&meshes, "cluster1", &sample).await;
    assert_eq!((after.label("istio-injection"), after.label("team")), (None, Some("platform")));
    assert_eq!(after.uid(), adopted.uid());
}

async fn a_run_cut_off_before_it_applied_what_it_took_converges_when_it_is_repeated(on: BackEnd) {
    let meshes = Meshes::on(on, "adoption-cut-off", desired(SHARED, &topology_text(SHARED))).await;
    let sample = meshes.create("cluster1", sample(), "kubectl-client-side-apply").await;
    let plan = meshes.plan(Mode::Apply).await;
    let mut changes = plan.steps.iter().flat_map(|step| step.writes());
    let change = changes.find(|change| change.action == Action::Adopt).expect("a change");
    let before = live(&meshes, "cluster1", &sample).await;
    let managers = migrated(&before, change.desired.as_ref().expect("an object")).expect("something to take");
    meshes.clusters["cluster1"].set_managers(&before, &managers).await.expect("written");
    is_applied(&meshes).await;
    let after = live(&meshes, "cluster1", &sample).await;
    assert_eq!(holders(&after, "istio-injection"), ["stolos"]);
    // It is known for one that was there before, and stays.
    assert!(meshes.destroy().await.summary.is_complete());
    assert_eq!(live(&meshes, "cluster1", &sample).await.uid(), before.uid());
}

async fn what_is_dropped_goes_and_what_others_took_stays_and_is_named(on: BackEnd) {
    let mut meshes = Meshes::on(on, "adoption-dropped", desired(SHARED, &topology_text(SHARED))).await;
    is_applied(&meshes).await;
    let scaler =
        reference("autoscaling", "HorizontalPodAutoscaler", Some("istio-system"), "istio-eastwestgateway");
    // Somebody took our label from one of two, and our name from an account.
    let unlabel = json!([{"op": "remove", "path": "/metadata/labels/applyset.kubernetes.io~1part-of"}]);
    meshes.patch("cluster2", &scaler, unlabel, "kubectl-label").await;
    let fixed = topology_text(SHARED)
        .replace(
            "network: network1, role: primary",
            "network: network1, role: primary, eastWestGateway: { replicas: 2 }",
        )
        .replace(
            "network: network2, role: remote,",
            "network: network2, role: remote, eastWestGateway: { replicas: 2 },",
        );
    meshes.desired = desired(SHARED, &fixed);
    let plan = meshes.plan(Mode::Apply).await;
    let fates: Vec<(String, Action, Option<String>)> = plan
        .steps
        .iter()
        .flat_map(|step| step.changes.iter().map(move |change| (step.unit.cluster.to_string(), change)))
        .filter(|(_, change)| change.object == scaler)
        .map(|(cluster, change)| (cluster, change.action, change.note.clone()))
        .collect();
    let lost = "is no longer ours: label applyset.kubernetes.io/part-of is not there or names another set";
    assert_eq!(
        fates,
        [
            ("cluster1".to_owned(), Action::Delete, None),
            ("cluster2".to_owned(), Action::Keep, Some(lost.to_owned())),
        ]
    );
    let ran = meshes.apply().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    assert_eq!(meshes.live("cluster1", &scaler).await, None);
    let kept = live(&meshes, "cluster2", &scaler).await;
    // The same without our name in place of our label.
    let label = json!([{
        "op": "add", "path": "/metadata/labels/applyset.kubernetes.io~1part-of", "value": label_of(&plan),
    }]);
    meshes.patch("cluster2", &scaler, label, "kubectl-label").await;
    let managers: Vec<Value> = managed_fields(&live(&meshes, "cluster2", &scaler).await)
        .iter()
        .filter(|entry| entry.manager != "stolos")
        .map(ManagedEntry::to_value)
        .collect();
    let forget = json!([{"op": "replace", "path": "/metadata/managedFields", "value": managers}]);
    meshes.patch("cluster2", &scaler, forget, "kubectl-patch").await;
    let plan = meshes.plan(Mode::Apply).await;
    let note = plan.steps.iter().flat_map(|step| &step.changes).find(|change| change.object == scaler);
    assert_eq!(
        note.and_then(|change| change.note.as_deref()),
        Some("is no longer ours: field manager stolos holds nothing of it"),
        "{}",
        text(&plan)
    );
    assert!(meshes.destroy().await.summary.is_complete());
    // It went with its namespace or stays: nobody else asked for it to go.
    let after = meshes.live("cluster2", &scaler).await;
    assert_eq!(after.map(|after| after.uid().map(str::to_owned)), Some(kept.uid().map(str::to_owned)));
}

async fn a_token_secret_that_was_there_before_is_released_as_one_that_a_server_takes(on: BackEnd) {
    let meshes = Meshes::on(on, "adoption-token", desired(SHARED, &topology_text(SHARED))).await;
    let (namespace, reader) = ("istio-system", "istio-reader-service-account");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
    "metadata": {
        "name": "istio-reader-service-account-istio-remote-secret-token", "namespace": namespace,
        "annotations": {"kubernetes.io/service-account.name": reader},
    }});
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": reader, "namespace": namespace}});
    let system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    meshes.create("cluster2", system, "kubectl-create").await;
    meshes.create("cluster2", account, "kubectl-create").await;
    // Its fields come to us alone.
    let secret = meshes.create("cluster2", secret, "kubectl-client-side-apply").await;
    is_applied(&meshes).await;
    let ours = live(&meshes, "cluster2", &secret).await;
    let annotation = FieldPath(
        ["metadata", "annotations", "kubernetes.io/service-account.name"].map(PathElement::field).to_vec(),
    );
    let holders: Vec<String> = managed_fields(&ours)
        .into_iter()
        .filter(|entry| entry.fields.contains(&annotation))
        .map(|entry| entry.manager)
        .collect();
    assert_eq!(holders, ["stolos"]);
    let ran = meshes.destroy().await;
    assert!(ran.summary.is_complete(), "{:#?}", ran.summary);
    let after = live(&meshes, "cluster2", &secret).await;
    assert_eq!(after.annotation("kubernetes.io/service-account.name"), Some(reader));
    assert_eq!(after.label("applyset.kubernetes.io/part-of"), None);
    assert_eq!(after.get(&["data"]), ours.get(&["data"]));
    assert!(managed_fields(&after).iter().all(|entry| entry.manager != "stolos"), "{after:?}");
}

/// The label of the apply set.
fn label_of(plan: &Plan) -> String {
    let mut objects =
        plan.steps.iter().flat_map(|step| &step.changes).filter_map(|change| change.desired.as_ref());
    let label = objects.find_map(|object| object.label("applyset.kubernetes.io/part-of"));
    label.expect("every object has it").to_owned()
}

/// What `kubectl` does on a real API server.
struct Tool<'m> {
    meshes: &'m Meshes,
    cluster: &'static str,
}

/// What a command printed, and whether it ended well.
struct Said {
    well: bool,
    stdout: String,
    stderr: String,
}

impl Tool<'_> {
    fn kubectl(&self, arguments: &[&str], stdin: &Value) -> Said {
        let assets = Assets::get();
        let mut command = self.command(&assets.kubectl);
        command.args(["--context", self.cluster]).args(arguments).env("KUBECTL_APPLYSET", "true");
        said(command, &stdin.to_string())
    }

    fn helm(&self, helm: &Path, arguments: &[&str]) -> Said {
        let mut command = self.command(helm);
        command.args(["--kube-context", self.cluster]).args(arguments);
        said(command, "")
    }

    /// A command that reaches these clusters and keeps nothing of a user's.
    fn command(&self, program: &Path) -> Command {
        let kubeconfig = self.meshes.kubeconfig();
        let mut command = Command::new(program);
        command.env("HOME", kubeconfig.parent().expect("a folder")).env("KUBECONFIG", kubeconfig);
        command
    }
}

fn said(mut command: Command, stdin: &str) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(stdin.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Said { well: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Said {
    fn well(self) -> String {
        assert!(self.well, "{}", self.stderr);
        self.stdout
    }
}

fn a_config_map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more", "namespace": "istio-system"}})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn kubectl_reads_the_inventory_as_an_apply_set_of_another_tool() {
    let on = BackEnd::ApiServers;
    let meshes = Meshes::on(on, "adoption-applyset", desired(SHARED, &topology_text(SHARED))).await;
    is_applied(&meshes).await;
    let plan = meshes.plan(Mode::Apply).await;
    for cluster in ["cluster1", "cluster2"] {
        let tool = Tool { meshes: &meshes, cluster };
        let set = ["--prune", "--applyset=configmaps/stolos-mesh1", "-n", "istio-system", "-f", "-"];
        let prune: Vec<&str> = ["apply"].into_iter().chain(set).chain(["--dry-run=server"]).collect();
        let refused = tool.kubectl(&prune, &a_config_map());
        assert!(!refused.well);
        assert_eq!(
            refused.stderr,
            "error: ApplySet parent object \"configmaps./stolos-mesh1\" already exists and is managed by tooling \
             \"stolos\" instead of \"kubectl\"\n"
        );
        // As if it were kubectl's own, it finds every member.
        let parent = reference("", "ConfigMap", Some("istio-system"), "stolos-mesh1");
        let tooling = json!([{
            "op": "replace", "path": "/metadata/annotations/applyset.kubernetes.io~1tooling", "value": "kubectl/v1.35.4",
        }]);
        meshes.patch(cluster, &parent, tooling, "kubectl-annotate").await;
        let mut pruned: Vec<String> = tool
            .kubectl(&prune, &a_config_map())
            .well()
            .lines()
            .filter_map(|line| line.strip_suffix(" pruned (server dry run)").map(str::to_owned))
            .collect();
        pruned.sort();
        // A slice that Kubernetes makes for a Service repeats the labels of the Service.
        pruned.retain(|name| !name.starts_with("endpointslice.discovery.k8s.io/istio-eastwestgateway-"));
        let inventory = plan.clusters[cluster].inventory.as_ref().expect("an inventory");
        let name = |object: &ObjectRef| {
            format!("{}/{}", object.group_kind().to_string().to_lowercase(), object.name)
        };
        let mut recorded: Vec<String> = inventory.entries.keys().map(name).collect();
        recorded.sort();
        assert!(recorded.len() > 20);
        assert_eq!(pruned, recorded);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers and helm: tests/kube/build-kube, tests/tools/build-helm"]
async fn what_kubectl_and_helm_made_is_adopted_and_no_longer_theirs() {
    let on = BackEnd::ApiServers;
    let meshes = Meshes::on(on, "adoption-tools", desired(SHARED, &topology_text(SHARED))).await;
    let tool = Tool { meshes: &meshes, cluster: "cluster1" };
    let mut applied = sample();
    applied["metadata"].as_object_mut().expect("metadata").remove("annotations");
    tool.kubectl(&["apply", "-f", "-"], &applied).well();
    let system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "istio-system", "labels": {"topology.istio.io/network": "network1"}}});
    tool.kubectl(&["create", "-f", "-"], &system).well();
    let chart = helm::root().join("src/chart/embedded/base");
    let chart = chart.to_str().expect("a path");
    let values = ["--namespace", "istio-system", "--set", "defaultRevision=default"];
    tool.helm(&helm::binary(), &[&["install", "istio-base", chart][..], &values].concat()).well();
    let plan = meshes.plan(Mode::Apply).await;
    let adopted = |manager: &str| -> Vec<String> {
        let changes = plan.steps.iter().flat_map(|step| &step.changes);
        let by = changes.filter(|change| {
            change.action == Action::Adopt && change.migrated.iter().any(|from| from.manager == manager)
        });
        by.map(|change| change.object.to_string()).collect()
    };
    assert_eq!(adopted("kubectl-client-side-apply"), ["Namespace sample"]);
    assert_eq!(adopted("kubectl-create"), ["Namespace istio-system"]);
    let base = plan.steps.iter().find(|step| step.unit.to_string() == "cluster1/base").expect("a step");
    let all: Vec<String> = base.changes.iter().map(|change| change.object.to_string()).collect();
    assert!(all.len() > 10);
    assert_eq!(adopted("helm"), all, "{}", text(&plan));
    is_applied(&meshes).await;
    for change in
        plan.steps.iter().flat_map(|step| &step.changes).filter(|change| change.action == Action::Adopt)
    {
        let live = live(&meshes, "cluster1", &change.object).await;
        let desired = change.desired.as_ref().expect("an object");
        assert_eq!(migrated(&live, desired), None, "{}", change.object);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes API servers: tests/kube/build-kube"]
async fn what_istioctl_applied_otherwise_is_refused_and_named() {
    let on = BackEnd::ApiServers;
    let meshes = Meshes::on(on, "adoption-istioctl", desired(SHARED, &topology_text(SHARED))).await;
    let sample = reference("", "Namespace", None, "sample");
    let applied = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "sample", "labels": {"istio-injection": "disabled"}}});
    let path = format!("{}/sample?fieldManager=istio-operator&force=true", collection(&sample));
    let raw = meshes.raw("cluster1").await;
    let answer = raw.ask(Method::PATCH, &path, "application/apply-patch+yaml", &applied).await;
    assert_eq!(answer.code, 201, "{answer:?}");
    let failures = meshes.try_plan(Mode::Apply, Conflicts::Refuse).await.expect_err("it is refused");
    let told: Vec<(&str, &str, &[String])> = failures
        .iter()
        .map(|failure| (failure.code.name, failure.message.as_str(), failure.facts.as_slice()))
        .collect();
    let facts = [
        "metadata.labels.istio-injection is applied by istio-operator".to_owned(),
        "in step cluster1/app-namespaces".to_owned(),
    ];
    assert_eq!(
        told,
        [("field-conflict", "cluster1: Namespace sample has fields of another tool", &facts[..])]
    );
}

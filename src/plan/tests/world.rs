//! Clusters as values, for tests: what an apply and the controllers would leave.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::charts::without_charts;
use crate::chart::ChartSet;
use crate::compile::{Desired, Hole, Minted, Values, compile};
use crate::diagnostic::Failure;
use crate::document::Sources;
use crate::graph::Graph;
use crate::object::fields::Operation;
use crate::object::kinds;
use crate::object::{FieldSet, ManagedEntry, Object, ObjectRef};
use crate::plan::{
    Action, Change, Inputs, Inventory, InventoryEntry, Live, LiveCluster, Plan, Reading, diff, done,
};
use crate::topology::{ClusterName, parse};
use crate::trust::Root;

/// What a topology asks for, its releases as a few objects each.
pub(crate) fn desired(text: &str) -> Desired {
    without_charts(with_charts(text))
}

/// What a topology asks for, as it is.
pub(crate) fn with_charts(text: &str) -> Desired {
    let mut sources = Sources::default();
    let file = sources.add("mesh.yaml", text);
    let parsed = parse(&sources, &[file]);
    let topology = parsed.topology.expect("a test writes whole topologies");
    let graph = Graph::of(&topology).unwrap();
    compile(&topology, &graph, &BTreeMap::new(), &ChartSet::embedded()).unwrap()
}

/// One of the topologies of the repository.
pub(crate) fn example(name: &str) -> String {
    std::fs::read_to_string(format!("{}/topologies/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The clock of every test.
pub(crate) fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// Clusters.
pub(crate) struct World {
    pub(crate) live: Live,
    root: Root,
    uids: usize,
}

impl World {
    /// Empty clusters.
    pub(crate) fn new(desired: &Desired) -> Self {
        let mut world =
            Self { live: Live::default(), root: Root::generate("mesh1", now()).unwrap(), uids: 0 };
        world.join(desired);
        world
    }

    /// Empty clusters for the names that are not there yet.
    pub(crate) fn join(&mut self, desired: &Desired) {
        for (name, facts) in &desired.clusters {
            let cluster = LiveCluster {
                uid: format!("kube-system-{name}"),
                server: format!("https://{}.sandbox.invalid:6443", facts.id),
                ..LiveCluster::default()
            };
            self.live.clusters.entry(name.clone()).or_insert(Reading::Read(cluster));
        }
    }

    /// The same clusters, to change apart.
    pub(crate) fn copy(&self) -> Self {
        Self { live: self.live.clone(), root: self.root.clone(), uids: self.uids }
    }

    /// The plan for what is there.
    pub(crate) fn plan(&self, desired: &Desired) -> Result<Plan, Vec<Failure>> {
        diff(desired, &self.live, &Inputs::at(now()))
    }

    /// Does what the plan says, as an apply would, until nothing is left to do.
    pub(crate) fn apply(&mut self, desired: &Desired) {
        let plan = self.plan(desired).unwrap();
        let mut values = plan.values.clone();
        for step in &plan.steps {
            let cluster = &step.unit.cluster;
            if !step.open.is_empty() {
                self.mint(cluster, &mut values);
            }
            let filled: BTreeMap<ObjectRef, Object> = step
                .desired
                .iter()
                .flat_map(|unit| unit.objects(&desired.mesh, &values).unwrap())
                .map(|object| (object.reference(), object))
                .collect();
            for change in &step.changes {
                self.send(cluster, change, filled.get(&change.object));
                self.record(desired, cluster, &step.unit, change);
            }
            self.controllers(desired);
            if let Some(unit) = &step.desired {
                values.extend(done::outputs(&unit.unit, &unit.done, &self.live, &plan.in_use));
            }
        }
    }

    pub(crate) fn cluster(&mut self, name: &str) -> &mut LiveCluster {
        match self.live.clusters.get_mut(name) {
            Some(Reading::Read(cluster)) => cluster,
            _ => panic!("{name} was read"),
        }
    }

    /// Changes a live object behind the back of everybody, as `manager`.
    pub(crate) fn edit(&mut self, cluster: &str, named: &str, manager: &str, edit: impl Fn(&mut Value)) {
        self.change(cluster, named, (manager, Operation::Update), edit);
    }

    /// Changes a live object as another tool's apply does.
    pub(crate) fn apply_as(&mut self, cluster: &str, named: &str, manager: &str, edit: impl Fn(&mut Value)) {
        self.change(cluster, named, (manager, Operation::Apply), edit);
    }

    fn change(&mut self, cluster: &str, named: &str, by: (&str, Operation), edit: impl Fn(&mut Value)) {
        let cluster = self.cluster(cluster);
        let object = cluster.objects.values_mut().find(|object| object.reference().to_string() == named);
        let object = object.unwrap_or_else(|| panic!("{named} is there"));
        let mut value = object.clone().into_value();
        edit(&mut value);
        let edited = Object::from_value(value).unwrap();
        *object = owned_again(object, edited, by);
    }

    /// Takes a live object away.
    pub(crate) fn remove(&mut self, cluster: &str, named: &str) {
        self.cluster(cluster).objects.retain(|reference, _| reference.to_string() != named);
    }

    pub(crate) fn unreachable(&mut self, cluster: &str) {
        let failure =
            Failure::new(&crate::diagnostic::shared::CLUSTER_UNREACHABLE, format!("{cluster}: no answer"));
        self.live.clusters.insert(cluster.into(), Reading::Unreachable(failure));
    }

    fn mint(&self, cluster: &ClusterName, values: &mut Values) {
        let issued = self.root.issue(cluster.as_str(), "cluster.local", now()).unwrap();
        for (piece, text) in [
            (Minted::CaCertificate, issued.ca_certificate.as_str()),
            (Minted::CaKey, issued.ca_key.expose()),
            (Minted::CertificateChain, &issued.certificate_chain),
            (Minted::RootCertificate, &issued.root_certificate),
            (Minted::RootKey, self.root.key().expose()),
            (Minted::RootDigest, &crate::trust::root_digest(&issued.root_certificate)),
        ] {
            let hole = Hole::Minted { cluster: cluster.clone(), piece };
            if values.get(&hole).is_none() {
                values.insert(hole, text);
            }
        }
    }

    fn send(&mut self, cluster: &ClusterName, change: &Change, filled: Option<&Object>) {
        self.uids += 1;
        let uid = format!("uid-{}", self.uids);
        let live = self.cluster(cluster.as_str());
        match change.action {
            Action::Delete => {
                live.objects.remove(&change.object);
            }
            Action::Release | Action::HandOver | Action::Keep | Action::NoOp => {}
            Action::Create | Action::Adopt | Action::Update | Action::Replace => {
                let old = live.objects.get(&change.object).filter(|_| change.action != Action::Replace);
                let object = crate::plan::settled(filled.expect("it was planned"), old);
                let applied = applied(&object, old, &uid);
                live.objects.insert(change.object.clone(), applied);
            }
        }
    }

    fn record(
        &mut self,
        desired: &Desired,
        cluster: &ClusterName,
        unit: &crate::graph::Unit,
        change: &Change,
    ) {
        let live = self.cluster(cluster.as_str());
        let uid = live.objects.get(&change.object).and_then(Object::uid).map(str::to_owned);
        let cluster_uid = live.uid.clone();
        let inventory =
            live.inventory.get_or_insert_with(|| Inventory { cluster_uid, ..Inventory::default() });
        inventory.members = desired.clusters.keys().map(|name| name.as_str().to_owned()).collect();
        match &change.digest {
            Some(digest) => {
                let entry =
                    InventoryEntry { uid, origin: change.origin, unit: unit.clone(), digest: digest.clone() };
                inventory.entries.insert(change.object.clone(), entry);
            }
            None if change.action != Action::Keep => {
                inventory.entries.remove(&change.object);
            }
            None => {}
        }
    }

    /// What Kubernetes, a load balancer and istiod add.
    fn controllers(&mut self, desired: &Desired) {
        for (position, name) in desired.clusters.keys().enumerate() {
            let live = self.cluster(name.as_str());
            let mut root = None;
            for object in live.objects.values_mut() {
                let mut value = object.clone().into_value();
                control(&mut value, position);
                if object.kind() == "Namespace" && object.name() == desired.mesh.namespace {
                    root = Some(());
                }
                *object = Object::from_value(value).unwrap();
            }
            if root.is_some() {
                let map = Object::from_value(json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": "istio-ca-root-cert", "namespace": desired.mesh.namespace, "uid": "root"},
                    "data": {"root-cert.pem": "pem"},
                }))
                .unwrap();
                live.objects.entry(map.reference()).or_insert(map);
            }
        }
    }
}

/// What controllers write into one object.
fn control(value: &mut Value, position: usize) {
    match value["kind"].as_str().unwrap_or_default() {
        "Service" if value["spec"]["type"] == "LoadBalancer" => {
            value["status"]["loadBalancer"]["ingress"] =
                json!([{"ip": format!("203.0.113.{}", position + 1)}]);
        }
        "Deployment" => {
            let replicas = value["spec"]["replicas"].as_u64().unwrap_or(1);
            value["status"] = json!({
                "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas,
                "conditions": [{"type": "Available", "status": "True"}],
            });
        }
        "CustomResourceDefinition" => {
            value["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
        }
        "Secret" if value["type"] == "kubernetes.io/service-account-token" => {
            value["data"] = json!({"token": STANDARD.encode("t0ken"), "ca.crt": STANDARD.encode("pem")});
        }
        "MutatingWebhookConfiguration" => {
            for webhook in value["webhooks"].as_array_mut().into_iter().flatten() {
                webhook["clientConfig"]["caBundle"] = json!("eA==");
            }
        }
        _ => {}
    }
}

/// A live object after an apply of ours: merged by field, owned by us.
pub(crate) fn applied(object: &Object, old: Option<&Object>, uid: &str) -> Object {
    let mut value = old.map_or_else(|| json!({}), |old| old.clone().into_value());
    merge(&mut value, &object.clone().into_value());
    if old.is_none() {
        value["metadata"]["uid"] = json!(uid);
    }
    let reference = object.reference();
    let shape =
        kinds::find(&reference.group, &reference.kind).map_or_else(kinds::custom_shape, |kind| kind.shape);
    let entry = ManagedEntry {
        manager: "stolos".to_owned(),
        operation: Operation::Apply,
        subresource: String::new(),
        api_version: object.api_version().to_owned(),
        time: Some("2026-11-20T10:00:00Z".to_owned()),
        fields: FieldSet::of_map(object.as_map(), shape).without_identity(),
    };
    value["metadata"]["managedFields"] = json!([entry.to_value()]);
    Object::from_value(value).unwrap()
}

/// Maps by field, all else whole: near enough for objects that we alone apply.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Gives what differs between two objects to a manager.
fn owned_again(before: &Object, after: Object, (manager, operation): (&str, Operation)) -> Object {
    let reference = before.reference();
    let shape =
        kinds::find(&reference.group, &reference.kind).map_or_else(kinds::custom_shape, |kind| kind.shape);
    let changed: Vec<_> = FieldSet::of_map(after.as_map(), shape)
        .without_identity()
        .paths()
        .into_iter()
        .filter(|path| path.lookup_in(before) != path.lookup_in(&after))
        .collect();
    let mut theirs = FieldSet::default();
    changed.iter().for_each(|path| theirs.insert(path));
    let mut entries: Vec<Value> = crate::object::managed_fields(before)
        .into_iter()
        .map(|mut entry| {
            entry.fields = entry.fields.difference(&theirs);
            entry.to_value()
        })
        .collect();
    let entry = ManagedEntry {
        manager: manager.to_owned(),
        operation,
        subresource: String::new(),
        api_version: after.api_version().to_owned(),
        time: Some("2026-11-20T10:30:00Z".to_owned()),
        fields: theirs,
    };
    entries.push(entry.to_value());
    let mut value = after.into_value();
    value["metadata"]["managedFields"] = Value::Array(entries);
    Object::from_value(value).unwrap()
}

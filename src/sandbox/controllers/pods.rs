//! The kubelet: whether the containers of a Pod run, and what holds them up.

use serde_json::{Map, Value, json};

use super::controlled::time_of;
use super::events::warn;
use super::injection::INJECTED;
use super::istiod::{Istiod, is_istiod, publish, remotes, startup};
use super::reading::{environment, is_leaving, is_ready, items, list, text};
use super::route::Call;
use super::status::{self, with_times};
use super::world::World;
use crate::object::Object;

const KUBELET: &str = "kubelet";

/// What holds a Pod's containers up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    state: State,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A volume is not there.
    Mounting,
    /// The image cannot be had.
    Pulling,
    /// The process exits.
    Crashing,
    /// The process runs and is not ready.
    Starting,
}

impl Trouble {
    /// The process exits.
    pub(super) fn crash(message: String) -> Self {
        Self { state: State::Crashing, message }
    }

    /// The process runs and is not ready.
    pub(super) fn starting(message: String) -> Self {
        Self { state: State::Starting, message }
    }

    /// `CrashLoopBackOff: incomplete signing CA bundle`.
    pub(super) fn summary(&self) -> String {
        format!("{}: {}", self.state.reason(), self.message)
    }
}

impl State {
    fn reason(self) -> &'static str {
        match self {
            Self::Mounting => "ContainerCreating",
            Self::Pulling => "ImagePullBackOff",
            Self::Crashing => "CrashLoopBackOff",
            Self::Starting => "ContainersNotReady",
        }
    }

    /// The reason of the Event that the kubelet writes.
    fn event(self) -> Option<&'static str> {
        match self {
            Self::Mounting => Some("FailedMount"),
            Self::Pulling => Some("Failed"),
            Self::Crashing => Some("BackOff"),
            // A probe that fails for a moment is how every process starts.
            Self::Starting => None,
        }
    }
}

/// Runs the Pods of a cluster whose own controllers made them.
pub(super) fn reconcile(world: &World, member: usize) {
    for pod in world.members[member].cluster.list("", "Pod", None) {
        if !is_leaving(&pod) {
            let _ = run(world, member, &pod);
        }
    }
}

/// Looks at a Pod, writes its status, and says what holds it up.
pub(super) fn run(world: &World, member: usize, pod: &Object) -> Result<(), Trouble> {
    // What runs goes on: a proxy keeps its certificate and its configuration, istiod what it has read.
    if is_ready(pod) {
        return Ok(());
    }
    let outcome = trouble(world, member, pod);
    write_status(world, member, pod, outcome.as_ref().err());
    if let Err(trouble) = &outcome
        && let Some(reason) = trouble.state.event()
    {
        warn(&world.members[member], pod, KUBELET, reason, &trouble.message);
    }
    outcome
}

fn trouble(world: &World, member: usize, pod: &Object) -> Result<(), Trouble> {
    volumes(world, member, pod)?;
    for container in items(pod, &["spec", "containers"]) {
        if text(container, "image") == Some("auto") {
            let message = "Back-off pulling image \"auto\": the Pod was not injected".to_owned();
            return Err(Trouble { state: State::Pulling, message });
        }
    }
    if is_istiod(pod) {
        startup::start(&world.members[member], pod)?;
    }
    if pod.annotation(INJECTED).is_some() {
        proxy(world, member, pod)?;
    }
    Ok(())
}

/// What is mounted and not optional must be there.
fn volumes(world: &World, member: usize, pod: &Object) -> Result<(), Trouble> {
    for volume in items(pod, &["spec", "volumes"]) {
        let projected = list(volume.get("projected").and_then(|projected| projected.get("sources")));
        for source in projected.iter().chain([volume]) {
            for (kind, field, name_key) in [
                ("ConfigMap", "configMap", "name"),
                ("Secret", "secret", "secretName"),
                ("Secret", "secret", "name"),
            ] {
                let Some(wanted) = source.get(field) else { continue };
                let Some(name) = text(wanted, name_key) else { continue };
                let is_optional = wanted.get("optional").and_then(Value::as_bool) == Some(true);
                let store = &world.members[member].cluster;
                if !is_optional && store.find("", kind, pod.namespace(), name).is_none() {
                    let volume = text(volume, "name").unwrap_or_default();
                    let kind = kind.to_lowercase();
                    let message = format!(
                        "MountVolume.SetUp failed for volume \"{volume}\" : {kind} \"{name}\" not found"
                    );
                    return Err(Trouble { state: State::Mounting, message });
                }
            }
        }
    }
    Ok(())
}

/// Whether the proxy of an injected Pod gets its certificate and its configuration.
fn proxy(world: &World, member: usize, pod: &Object) -> Result<(), Trouble> {
    let namespace = pod.namespace().unwrap_or_default();
    let Some(root) = publish::root_of(world, member, namespace) else {
        let message = "MountVolume.SetUp failed for volume \"istiod-ca-cert\" : configmap \"istio-ca-root-cert\" not found";
        return Err(Trouble { state: State::Mounting, message: message.to_owned() });
    };
    let containers = items(pod, &["spec", "containers"]);
    let variable =
        |name: &str| containers.iter().find_map(|container| environment(container, name)).unwrap_or_default();
    let address = variable("CA_ADDR");
    let waits = |what: String| Trouble::starting(format!("istio-proxy waits for {address}: {what}"));
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "15012"));
    let mut parts = host.split('.');
    let (service, place) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let call = Call { from: member, namespace: place, service, port: port.parse().unwrap_or(15012) };
    let istiod = world.istiod_behind(call).map_err(waits)?;
    if root != istiod.authority() {
        return Err(waits("x509: certificate signed by unknown authority".to_owned()));
    }
    let id = variable("ISTIO_META_CLUSTER_ID");
    authenticated(world, member, &istiod, id).map_err(|why| waits(format!("Unauthenticated: {why}")))
}

/// istiod has proxies' tokens judged by the cluster whose ID they send with them.
fn authenticated(world: &World, member: usize, istiod: &Istiod, id: &str) -> Result<(), String> {
    if id == istiod.id {
        return match istiod.cluster == member {
            true => Ok(()),
            false => {
                Err(format!("the proxy says that it is in cluster {id}, and its token is of another one"))
            }
        };
    }
    let link = remotes::connect(world, istiod, id)
        .map_err(|why| format!("client for cluster {id} not found: {why}"))?;
    if link.member != member {
        return Err(format!("the proxy says that it is in cluster {id}, and its token is of another one"));
    }
    remotes::synced(world, &link)?;
    match remotes::reviews_tokens(world, &link) {
        true => Ok(()),
        false => Err(startup::forbidden(&link.account, "create", "authentication.k8s.io", "tokenreviews")),
    }
}

fn write_status(world: &World, member: usize, pod: &Object, trouble: Option<&Trouble>) {
    let target = &world.members[member];
    let time = time_of(&*target.cluster);
    let (ready, reason, message) = match trouble {
        None => ("True", None, None),
        Some(trouble) => ("False", Some(trouble.state.reason()), Some(trouble.message.as_str())),
    };
    let condition = |kind: &str, status: &str, reason: Option<&str>, message: Option<&str>| {
        let mut condition = json!({"type": kind, "status": status});
        for (key, value) in [("reason", reason), ("message", message)] {
            if let Some(value) = value {
                condition[key] = value.into();
            }
        }
        condition
    };
    let conditions = vec![
        condition("PodScheduled", "True", None, None),
        condition("Initialized", "True", None, None),
        condition("ContainersReady", ready, reason, message),
        condition("Ready", ready, reason, message),
    ];
    let phase = match trouble.map(|trouble| trouble.state) {
        Some(State::Mounting | State::Pulling) => "Pending",
        Some(State::Crashing | State::Starting) | None => "Running",
    };
    let containers: Vec<Value> =
        items(pod, &["spec", "containers"]).iter().map(|c| container_status(c, trouble)).collect();
    let live = items(pod, &["status", "conditions"]);
    let mut fields = Map::new();
    fields.insert("phase".to_owned(), phase.into());
    fields.insert("conditions".to_owned(), with_times(live, conditions, &time).into());
    fields.insert("containerStatuses".to_owned(), containers.into());
    status::write(target, pod, fields, KUBELET);
}

fn container_status(container: &Value, trouble: Option<&Trouble>) -> Value {
    let state = match trouble {
        Some(trouble) if trouble.state != State::Starting => {
            json!({"waiting": {"reason": trouble.state.reason(), "message": trouble.message}})
        }
        Some(_) | None => json!({"running": {}}),
    };
    json!({
        "name": container.get("name"), "image": container.get("image"), "imageID": "",
        "ready": trouble.is_none(), "started": trouble.is_none(), "restartCount": 0, "state": state,
    })
}

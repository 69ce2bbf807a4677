//! What istiod answers at its monitoring port to those who come from its own host, as port-forward does.
//!
//! Nobody is asked who they are there (`isRequestFromLocalhost` in pilot/pkg/xds/debug.go, 1.24.0 to
//! 1.31.0-rc.0), so nothing here is.

use serde_json::{Value, json};

use super::istiod::{self, is_istiod};
use super::reading::is_ready;
use super::world::World;
use super::{SyncStatus, registrations};
use crate::object::Object;
use crate::sandbox::{ProcessAnswer, Processes};

/// `--monitoringAddr`.
const MONITORING: u16 = 15014;

impl Processes for World {
    fn get(&self, cluster: &str, pod: &Object, port: u16, path: &str) -> Option<ProcessAnswer> {
        if port != MONITORING || !is_istiod(pod) || !is_ready(pod) {
            return None;
        }
        Some(match path {
            "/debug/clusterz" => {
                ProcessAnswer { status: 200, body: clusterz(self, cluster, pod).to_string() }
            }
            _ => ProcessAnswer { status: 404, body: "404 page not found\n".to_owned() },
        })
    }
}

/// `ListRemoteClusters` of pkg/kube/multicluster/secretcontroller.go (1.30.3): its own cluster first.
fn clusterz(world: &World, cluster: &str, pod: &Object) -> Value {
    let Some(position) = world.members.iter().position(|member| member.cluster.name() == cluster) else {
        return json!([]);
    };
    let istiods = istiod::running(&world.members[position], position, &[]);
    let own = istiods.iter().find(|istiod| istiod.is_served_by(pod));
    let Some(own) = own else { return json!([]) };
    let mut listed = vec![json!({"id": own.id, "secretName": "", "syncStatus": "synced"})];
    for registration in registrations(world, &istiods) {
        let status = match registration.sync {
            SyncStatus::Synced => "synced",
            SyncStatus::Timeout(_) => "timeout",
        };
        let secret = format!("{}/{}", own.namespace, registration.secret);
        listed.push(json!({"id": registration.id, "secretName": secret, "syncStatus": status}));
    }
    Value::Array(listed)
}

//! The other end of an API server's call to istiod, for clusters whose API server makes such calls itself.
//!
//! A simulated cluster asks its istiod about a new Pod directly (`injection`). A
//! real API server resolves the webhook's Service, connects to its cluster IP,
//! checks the certificate against `caBundle` and posts an AdmissionReview; where
//! that connection ends, and what istiod makes of the Pod, is the same here as there.

use std::sync::Arc;

use super::Handle;
use super::injection;
use super::istiod::Istiod;
use super::route::Call;
use crate::object::Object;

/// An istiod that was reached.
#[derive(Debug, Clone)]
pub struct Webhook {
    istiod: Arc<Istiod>,
    /// The name of the cluster that it runs in.
    cluster: String,
}

impl Handle {
    /// The istiod that a connection from a cluster's API server to a Service's address reaches, or
    /// what the API server sees instead.
    pub fn webhook(&self, cluster: &str, address: &str, port: u16) -> Result<Webhook, String> {
        let world = &self.world.at_present();
        let unreached = || format!("dial tcp {address}:{port}: i/o timeout");
        let from = world.members.iter().position(|member| member.cluster.name() == cluster);
        let from = from.ok_or_else(unreached)?;
        let services = world.members[from].cluster.list("", "Service", None);
        let service = services.iter().find(|service| service.text(&["spec", "clusterIP"]) == Some(address));
        let service = service.ok_or_else(unreached)?;
        let call = Call {
            from,
            namespace: service.namespace().unwrap_or_default(),
            service: service.name(),
            port: i64::from(port),
        };
        world.istiod_behind(call).map(|istiod| self.webhook_of(istiod))
    }

    /// The istiod that a connection to an external address of a Service reaches which asks for an istiod of
    /// a namespace by its name (SNI), or what the caller sees instead.
    pub fn webhook_at(&self, address: &str, port: u16, namespace: &str) -> Result<Webhook, String> {
        // From where it comes matters only for addresses that no Service has.
        let caller = 0;
        let istiod = self.world.at_present().istiod_at(caller, namespace, address, i64::from(port))?;
        Ok(self.webhook_of(istiod))
    }

    fn webhook_of(&self, istiod: Arc<Istiod>) -> Webhook {
        let cluster = self.world.members[istiod.cluster].cluster.name().to_owned();
        Webhook { istiod, cluster }
    }
}

impl Webhook {
    /// The name of the cluster that this istiod runs in.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Its namespace, where its signing bundle lies.
    pub fn namespace(&self) -> &str {
        &self.istiod.namespace
    }

    /// What it makes of a new Pod that is posted to a path; none for a path that does not inject.
    pub fn inject(&self, path: &str, pod: &Object) -> Option<Object> {
        let asked = injection::Asked::at(path, Arc::clone(&self.istiod))?;
        let mut injected = pod.clone();
        injection::inject(&mut injected, &asked);
        Some(injected)
    }
}

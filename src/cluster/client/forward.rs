//! A connection to a port of a pod, through the API server and its kubelet.

use k8s_openapi::api::core::v1::Pod;
use kube::api::Portforwarder;

use super::Transport;
use super::fault::fault_of;
use crate::cluster::transport::TransportError;

impl Transport {
    /// Opens a connection to a port of a pod.
    pub(in crate::cluster) async fn forward(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<Forwarded, ForwardFault> {
        // An upgraded connection is no other's.
        let client = self.access.alone(self.limits).await.map_err(ForwardFault::Transport)?;
        let pods: kube::Api<Pod> = kube::Api::namespaced(client, namespace);
        match pods.portforward(pod, &[port]).await {
            Ok(mut forwarder) => {
                let stream = forwarder.take_stream(port).ok_or_else(|| {
                    ForwardFault::Transport(TransportError::Refused("no stream was opened".to_owned()))
                })?;
                Ok(Forwarded { stream, guard: ForwardGuard(forwarder) })
            }
            Err(kube::Error::Api(status)) => Err(ForwardFault::Refused {
                code: status.code,
                reason: status.reason.clone(),
                message: status.message.clone(),
            }),
            Err(kube::Error::UpgradeConnection(error)) => {
                Err(ForwardFault::Transport(TransportError::Refused(error.to_string())))
            }
            Err(error) => Err(ForwardFault::Transport(fault_of(&error))),
        }
    }
}

/// A connection to a port of a pod.
pub(in crate::cluster) struct Forwarded {
    stream: tokio::io::DuplexStream,
    guard: ForwardGuard,
}

/// Ends the forwarding when it is dropped.
pub(in crate::cluster) struct ForwardGuard(Portforwarder);

/// Why a port is not forwarded.
pub(in crate::cluster) enum ForwardFault {
    /// The server said so.
    Refused {
        /// The status code.
        code: u16,
        /// `Forbidden`.
        reason: String,
        /// What it said.
        message: String,
    },
    /// It did not come to that.
    Transport(TransportError),
}

impl Forwarded {
    /// What to read and write, for as long as the guard is held.
    pub(in crate::cluster) fn into_parts(self) -> (tokio::io::DuplexStream, ForwardGuard) {
        (self.stream, self.guard)
    }
}

impl Drop for ForwardGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

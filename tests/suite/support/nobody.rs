//! An address at which nobody listens.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// It is bound, so that nobody else can take it while this is held, and refuses connections.
pub(crate) struct Nobody(TcpSocket);

impl Nobody {
    pub(crate) fn listens() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("loopback");
        Self(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// A kubeconfig whose contexts all lead here; its token is `hunter2`.
    pub(crate) fn kubeconfig(&self, contexts: &[&str]) -> String {
        let context = |name| format!("{{name: {name}, context: {{cluster: c, user: u}}}}");
        let contexts: Vec<String> = contexts.iter().map(context).collect();
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: '{}'}}}}]\n\
             users: [{{name: u, user: {{token: hunter2}}}}]\ncontexts: [{}]\n",
            self.url(),
            contexts.join(", ")
        )
    }
}

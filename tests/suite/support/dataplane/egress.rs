//! The way out of an API server to what runs in its cluster: an HTTP CONNECT proxy.
//!
//! Without kube-proxy a cluster IP leads nowhere. An API server that is started
//! with [`Egress::arguments`] asks here for `CONNECT 10.96.0.7:443` before it
//! calls a webhook, and is connected to the istiod that the Service with this
//! address leads to, over load balancers and gateways of other clusters where
//! need be; or it is refused with the words of a dialer that fails.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use stolos::sandbox::controllers::Handle;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::mirror::Mirror;
use super::serving;

/// The longest request that an API server makes of a proxy.
const LONGEST: usize = 4096;

/// The way out of one API server; nobody is at its end until a data plane serves it.
pub(crate) struct Egress {
    listener: UnixListener,
    socket: PathBuf,
    file: PathBuf,
}

impl Egress {
    /// Opens it, before its API server starts.
    pub(crate) fn open(folder: &Path, cluster: &str) -> Self {
        let socket = socket_for(folder, cluster);
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).expect("a socket");
        listener.set_nonblocking(true).expect("a socket");
        let selection = json!({
            "apiVersion": "apiserver.k8s.io/v1beta1", "kind": "EgressSelectorConfiguration",
            "egressSelections": [{
                "name": "cluster",
                "connection": {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": socket}}},
            }],
        });
        let file = folder.join(format!("egress-{cluster}.json"));
        std::fs::write(&file, selection.to_string()).expect("a file");
        Self { listener, socket, file }
    }

    /// What lets an API server use it.
    pub(crate) fn arguments(&self) -> Vec<String> {
        vec![
            format!("--egress-selector-config-file={}", self.file.display()),
            // Calls go to cluster IPs, as they do by default.
            "--enable-aggregator-routing=false".to_owned(),
        ]
    }

    /// Connects a cluster's API server to what runs, as long as the task does.
    pub(super) fn serve(
        &self,
        cluster: &str,
        kubelet: Option<SocketAddr>,
        controllers: &Arc<Handle>,
        mirrors: &Arc<BTreeMap<String, Arc<Mirror>>>,
    ) -> JoinHandle<()> {
        let listener = self.listener.try_clone().expect("a handle");
        let listener = tokio::net::UnixListener::from_std(listener).expect("within a runtime");
        let (cluster, controllers, mirrors) =
            (cluster.to_owned(), Arc::clone(controllers), Arc::clone(mirrors));
        tokio::spawn(async move {
            let mut calls = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (cluster, controllers, mirrors) =
                    (cluster.clone(), Arc::clone(&controllers), Arc::clone(&mirrors));
                calls.spawn(async move { connect(stream, &cluster, kubelet, &controllers, &mirrors).await });
            }
        })
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// The path of a socket, which must be short; one for each folder and name, so that few are ever left behind.
pub(super) fn socket_for(folder: &Path, name: &str) -> PathBuf {
    let mut place = DefaultHasher::new();
    folder.hash(&mut place);
    std::env::temp_dir().join(format!("stolos-{:x}-{name}.sock", place.finish()))
}

/// One call, to its end.
async fn connect(
    mut stream: UnixStream,
    cluster: &str,
    kubelet: Option<SocketAddr>,
    controllers: &Handle,
    mirrors: &BTreeMap<String, Arc<Mirror>>,
) -> Option<()> {
    let (address, port) = target(&mut stream).await?;
    if let Some(kubelet) = kubelet
        && format!("{address}:{port}") == kubelet.to_string()
    {
        let mut connection = match TcpStream::connect(kubelet).await {
            Ok(connection) => connection,
            Err(error) => {
                let refused = format!("HTTP/1.1 502 dial tcp {kubelet}: {error}\r\n\r\n");
                return stream.write_all(refused.as_bytes()).await.ok();
            }
        };
        // As Go's own connections are.
        connection.set_nodelay(true).ok()?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        return tokio::io::copy_bidirectional(&mut stream, &mut connection).await.ok().map(drop);
    }
    let reached = controllers.webhook(cluster, &address, port).and_then(|webhook| {
        let acceptor = serving::acceptor(&*mirrors[webhook.cluster()], &webhook)?;
        Ok((webhook, acceptor))
    });
    match reached {
        Ok((webhook, acceptor)) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
            // A caller that does not trust the certificate ends here.
            let stream = acceptor.accept(stream).await.ok()?;
            serving::answer(stream, webhook, |_| ()).await
        }
        Err(reason) => stream.write_all(format!("HTTP/1.1 502 {reason}\r\n\r\n").as_bytes()).await.ok(),
    }
}

/// Address and port of a CONNECT request.
async fn target(stream: &mut UnixStream) -> Option<(String, u16)> {
    let mut head = Vec::new();
    // Byte by byte: what follows belongs to the connection.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST {
            return None;
        }
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let (address, port) = head.strip_prefix("CONNECT ")?.split(' ').next()?.rsplit_once(':')?;
    Some((address.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
}

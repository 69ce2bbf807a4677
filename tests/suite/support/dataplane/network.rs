//! What listens at the addresses of a cluster where those are real: its Services' cluster IPs, as kube-proxy makes
//! them, and its load balancers.
//!
//! A connection to the cluster IP of a Service that has Pods ends there, at the istiod that runs in them. One to a
//! Service without a selector goes on, over TCP, to the first address of its EndpointSlices. A load balancer reads
//! for whom a TLS connection asks, as its gateway does, and the istiod that the gateway passes it on to answers.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stolos::object::Object;
use stolos::sandbox::controllers::{Controlled as _, Handle, Webhook};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use super::mirror::Mirror;
use super::serving;

/// How long a connection goes on to where nobody answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// The network of all clusters; it knows what came over it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// A call that reached an istiod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Where it was received.
    pub(crate) at: SocketAddr,
    /// In which cluster that istiod runs.
    pub(crate) istiod_of: String,
    /// Whom it asked for.
    pub(crate) server_name: String,
    /// `/inject/cluster/cluster2/net/network2`.
    pub(crate) path: String,
}

/// What listens at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listens {
    ClusterIp,
    LoadBalancer,
}

/// One cluster's part of the network.
#[derive(Clone)]
struct Part {
    cluster: String,
    network: Network,
    controllers: Arc<Handle>,
    mirrors: Arc<BTreeMap<String, Arc<Mirror>>>,
}

impl Network {
    /// All calls that reached an istiod so far, in the order in which they came.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Listens wherever a cluster's Services say, as long as the task runs.
    pub(super) fn serve(
        &self,
        cluster: &str,
        controllers: &Arc<Handle>,
        mirrors: &Arc<BTreeMap<String, Arc<Mirror>>>,
    ) -> JoinHandle<()> {
        let part = Part {
            cluster: cluster.to_owned(),
            network: self.clone(),
            controllers: Arc::clone(controllers),
            mirrors: Arc::clone(mirrors),
        };
        tokio::spawn(async move {
            let mut changes = part.mirror().changes();
            let mut open: BTreeMap<SocketAddr, JoinSet<()>> = BTreeMap::new();
            loop {
                changes.borrow_and_update();
                let wanted = part.wanted();
                open.retain(|address, _| wanted.contains_key(address));
                for (address, listens) in wanted {
                    if let Entry::Vacant(place) = open.entry(address) {
                        let listener = TcpListener::bind(address).await.expect("addresses are real here");
                        let accept = part.clone().accept(listener, address, listens);
                        place.insert(JoinSet::new()).spawn(accept);
                    }
                }
                if changes.changed().await.is_err() {
                    return;
                }
            }
        })
    }
}

impl Part {
    fn mirror(&self) -> &Mirror {
        &self.mirrors[&self.cluster]
    }

    /// Where somebody listens.
    fn wanted(&self) -> BTreeMap<SocketAddr, Listens> {
        let mut wanted = BTreeMap::new();
        for service in self.mirror().list("", "Service", None) {
            let ingress = list(service.get(&["status", "loadBalancer", "ingress"]));
            let external = ingress.iter().filter_map(|point| point["ip"].as_str());
            let external = external.map(|address| (address, Listens::LoadBalancer));
            let internal = service.text(&["spec", "clusterIP"]).map(|address| (address, Listens::ClusterIp));
            for (address, listens) in internal.into_iter().chain(external) {
                // A headless one's is `None`.
                let Ok(address) = address.parse::<IpAddr>() else { continue };
                for port in ports(&service) {
                    wanted.insert(SocketAddr::new(address, port), listens);
                }
            }
        }
        wanted
    }

    async fn accept(self, listener: TcpListener, address: SocketAddr, listens: Listens) {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let part = self.clone();
            connections.spawn(async move {
                match listens {
                    Listens::ClusterIp => part.proxy(stream, address).await,
                    Listens::LoadBalancer => part.balance(stream, address).await,
                }
            });
        }
    }

    /// What kube-proxy does with a connection to a cluster IP.
    async fn proxy(&self, mut stream: TcpStream, address: SocketAddr) -> Option<()> {
        let ip = address.ip().to_string();
        let services = self.mirror().list("", "Service", None);
        let service = services.iter().find(|service| service.text(&["spec", "clusterIP"]) == Some(&ip))?;
        if service.get(&["spec", "selector"]).is_some() {
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.ok()?;
            return self
                .answer(start, address, self.controllers.webhook(&self.cluster, &ip, address.port()))
                .await;
        }
        let next = self.endpoint(service, address.port())?;
        let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(next));
        let mut connection = connecting.await.ok()?.ok()?;
        tokio::io::copy_bidirectional(&mut stream, &mut connection).await.ok().map(drop)
    }

    /// What a load balancer and the gateway behind it do with a TLS connection.
    async fn balance(&self, stream: TcpStream, address: SocketAddr) -> Option<()> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.ok()?;
        let namespace = start.client_hello().server_name()?.split('.').nth(1)?.to_owned();
        let reached = self.controllers.webhook_at(&address.ip().to_string(), address.port(), &namespace);
        self.answer(start, address, reached).await
    }

    /// The istiod that was reached answers; a connection that reached none is closed.
    async fn answer(
        &self,
        start: StartHandshake<TcpStream>,
        at: SocketAddr,
        reached: Result<Webhook, String>,
    ) -> Option<()> {
        let webhook = reached.ok()?;
        let server_name = start.client_hello().server_name().unwrap_or_default().to_owned();
        let acceptor = serving::acceptor(&*self.mirrors[webhook.cluster()], &webhook).ok()?;
        // A caller that does not trust the certificate ends here.
        let stream = start.into_stream(Arc::clone(acceptor.config())).await.ok()?;
        let (istiod_of, heard) = (webhook.cluster().to_owned(), &self.network.heard);
        let note = move |path: &str| {
            let (istiod_of, server_name) = (istiod_of.clone(), server_name.clone());
            let call = Heard { at, istiod_of, server_name, path: path.to_owned() };
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        };
        serving::answer(stream, webhook, note).await
    }

    /// The first address behind a Service without a selector, for one of its ports.
    fn endpoint(&self, service: &Object, port: u16) -> Option<SocketAddr> {
        let ports = list(service.get(&["spec", "ports"]));
        let name = &ports.iter().find(|one| one["port"] == port)?["name"];
        let slices = self.mirror().list("discovery.k8s.io", "EndpointSlice", service.namespace());
        let own =
            slices.iter().filter(|slice| slice.label("kubernetes.io/service-name") == Some(service.name()));
        own.flat_map(|slice| {
            let ports = list(slice.get(&["ports"])).iter().filter(|one| one["name"] == *name);
            let addresses = list(slice.get(&["endpoints"])).iter().flat_map(|one| list(one.get("addresses")));
            let addresses = addresses.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok());
            let addresses: Vec<IpAddr> = addresses.collect();
            ports
                .filter_map(|one| u16::try_from(one["port"].as_u64()?).ok())
                .flat_map(|port| addresses.iter().map(move |address| SocketAddr::new(*address, port)))
                .collect::<Vec<_>>()
        })
        .next()
    }
}

/// The TCP ports of a Service.
fn ports(service: &Object) -> Vec<u16> {
    let ports = list(service.get(&["spec", "ports"])).iter();
    let tcp = ports.filter(|port| port["protocol"] == "TCP");
    tcp.filter_map(|port| u16::try_from(port["port"].as_u64()?).ok()).collect()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

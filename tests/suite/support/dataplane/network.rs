//! What listens at the addresses of a cluster where those are real: its Services' cluster IPs, as kube-proxy makes
//! them, its load balancers, its gateways' Pods and its istiods'.
//!
//! Each passes a connection on to the next over TCP, as the objects say that lie there: a cluster IP and a load
//! balancer to an endpoint of their Service, a gateway to the istiod for which the connection asks by name and that its
//! configuration leads to. An istiod answers. Whom nothing leads on closes the connection.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stolos::object::Object;
use stolos::sandbox::controllers::{Controlled as _, Handle};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::rustls::server::Acceptor;

use super::mirror::Mirror;
use super::serving;

/// How long a connection goes on to where nobody answers.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long until a greeting is looked at again that had not come whole.
const PAUSE: Duration = Duration::from_millis(5);
/// Istiod's port for webhooks, at its Service.
const HTTPS: u16 = 443;
/// The longest greeting of TLS.
const LONGEST: usize = 16 * 1024;

/// The network of all clusters; it knows what came over it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    heard: Arc<Mutex<Vec<Heard>>>,
    /// Over which addresses a connection came so far, by whom its next one sees.
    ways: Arc<Mutex<BTreeMap<SocketAddr, Vec<SocketAddr>>>>,
    pods: Arc<AtomicU16>,
}

/// A call that reached an istiod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The addresses at which it was received, the istiod's last.
    pub(crate) way: Vec<SocketAddr>,
    /// `/inject/cluster/cluster2/net/network2`.
    pub(crate) path: String,
}

/// What listens at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listens {
    /// Kube-proxy, or a load balancer: for this place of a Service.
    Service,
    /// A gateway's proxy, for what comes to this external place of its Service.
    Gateway(SocketAddr),
    /// An istiod, for what comes to this internal place of its Service.
    Istiod(SocketAddr),
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
        lock(&self.heard).clone()
    }

    /// An address for a new Pod, which no other of any cluster has.
    pub(super) fn next_pod(&self) -> IpAddr {
        let [high, low] = self.pods.fetch_add(1, Ordering::Relaxed).wrapping_add(1).to_be_bytes();
        Ipv4Addr::new(10, 244, high, low).into()
    }

    /// Listens wherever a cluster's objects say, as long as the task runs.
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
            let mut changes = part.mirrors[&part.cluster].changes();
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

    /// Passes a connection on; the next one knows over which addresses it came.
    async fn pass_on(&self, mut stream: TcpStream, way: Vec<SocketAddr>, next: SocketAddr) -> Option<()> {
        let socket = TcpSocket::new_v4().ok()?;
        // Bound first, so that the next one can be told before it is reached.
        socket.bind(SocketAddr::new(way.last()?.ip(), 0)).ok()?;
        lock(&self.ways).insert(socket.local_addr().ok()?, way);
        let connecting = tokio::time::timeout(PATIENCE, socket.connect(next));
        let mut connection = connecting.await.ok()?.ok()?;
        tokio::io::copy_bidirectional(&mut stream, &mut connection).await.ok().map(drop)
    }
}

impl Part {
    /// Where somebody listens.
    fn wanted(&self) -> BTreeMap<SocketAddr, Listens> {
        let mirror = &self.mirrors[&self.cluster];
        let mut wanted = BTreeMap::new();
        for service in mirror.list("", "Service", None) {
            // A headless one's is `None`.
            let internal = service.text(&["spec", "clusterIP"]).and_then(|ip| ip.parse().ok());
            let Some(internal): Option<IpAddr> = internal else { continue };
            let ingress = list(service.get(&["status", "loadBalancer", "ingress"])).first();
            let external: Option<IpAddr> = ingress.and_then(|point| point["ip"].as_str()?.parse().ok());
            for port in ports(&service) {
                let addresses = external.into_iter().chain([internal]);
                let places = addresses.map(|ip| SocketAddr::new(ip, port));
                wanted.extend(places.map(|place| (place, Listens::Service)));
                if service.get(&["spec", "selector"]).is_none() {
                    continue;
                }
                let behind = match external {
                    Some(ip) => Listens::Gateway(SocketAddr::new(ip, port)),
                    None if port == HTTPS => Listens::Istiod(SocketAddr::new(internal, port)),
                    None => continue,
                };
                wanted.extend(endpoints(mirror, &service, port).into_iter().map(|place| (place, behind)));
            }
        }
        wanted
    }

    async fn accept(self, listener: TcpListener, address: SocketAddr, listens: Listens) {
        let mut connections = JoinSet::new();
        while let Ok((stream, from)) = listener.accept().await {
            let mut way = lock(&self.network.ways).remove(&from).unwrap_or_default();
            way.push(address);
            let part = self.clone();
            connections.spawn(async move {
                match listens {
                    Listens::Service => part.balance(stream, way).await,
                    Listens::Gateway(place) => part.route(stream, way, place).await,
                    Listens::Istiod(place) => part.answer(stream, way, place).await,
                }
            });
        }
    }

    /// What kube-proxy and a load balancer do.
    async fn balance(&self, stream: TcpStream, way: Vec<SocketAddr>) -> Option<()> {
        let mirror = &self.mirrors[&self.cluster];
        let place = way.last()?;
        let ip = place.ip().to_string();
        let services = mirror.list("", "Service", None);
        let service = services.iter().find(|service| {
            let ingress = list(service.get(&["status", "loadBalancer", "ingress"]));
            service.text(&["spec", "clusterIP"]) == Some(&ip)
                || ingress.iter().any(|point| point["ip"] == *ip)
        })?;
        let next = endpoints(mirror, service, place.port()).into_iter().next()?;
        self.network.pass_on(stream, way, next).await
    }

    /// What a gateway does with a TLS connection that is not for itself.
    async fn route(&self, stream: TcpStream, way: Vec<SocketAddr>, place: SocketAddr) -> Option<()> {
        let name = server_name(&stream).await?;
        let namespace = name.split('.').nth(1)?;
        let reached = self.controllers.webhook_at(&place.ip().to_string(), place.port(), namespace);
        let webhook = reached.ok()?;
        let mirror = &self.mirrors[webhook.cluster()];
        let services = mirror.list("", "Service", Some(webhook.namespace()));
        let istiod = services.iter().find(|service| Some(service.name()) == name.split('.').next())?;
        let next = endpoints(mirror, istiod, HTTPS).into_iter().next()?;
        self.network.pass_on(stream, way, next).await
    }

    async fn answer(&self, stream: TcpStream, way: Vec<SocketAddr>, place: SocketAddr) -> Option<()> {
        let reached = self.controllers.webhook(&self.cluster, &place.ip().to_string(), place.port());
        let webhook = reached.ok()?;
        let acceptor = serving::acceptor(&*self.mirrors[webhook.cluster()], &webhook).ok()?;
        // A caller that does not trust the certificate ends here.
        let stream = acceptor.accept(stream).await.ok()?;
        let note = |path: &str| {
            lock(&self.network.heard).push(Heard { way: way.clone(), path: path.to_owned() });
        };
        serving::answer(stream, webhook, note).await
    }
}

/// For whom a TLS connection asks; what it said stays to be read.
async fn server_name(stream: &TcpStream) -> Option<String> {
    let mut hello = vec![0; LONGEST];
    let read = async {
        loop {
            let length = stream.peek(&mut hello).await.ok().filter(|length| *length > 0)?;
            let mut acceptor = Acceptor::default();
            acceptor.read_tls(&mut &hello[..length]).ok()?;
            if let Some(accepted) = acceptor.accept().ok()? {
                return accepted.client_hello().server_name().map(str::to_owned);
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.ok().flatten()
}

/// The ready addresses behind a port of a Service.
fn endpoints(mirror: &Mirror, service: &Object, port: u16) -> Vec<SocketAddr> {
    let ports = list(service.get(&["spec", "ports"]));
    let Some(port) = ports.iter().find(|one| one["port"] == port) else { return Vec::new() };
    let mut found = Vec::new();
    for slice in mirror.list("discovery.k8s.io", "EndpointSlice", service.namespace()) {
        if slice.label("kubernetes.io/service-name") != Some(service.name()) {
            continue;
        }
        let of_port = list(slice.get(&["ports"])).iter().find(|one| one["name"] == port["name"]);
        let Some(number) = of_port.and_then(|one| u16::try_from(one["port"].as_u64()?).ok()) else {
            continue;
        };
        let endpoints = list(slice.get(&["endpoints"])).iter();
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] != false);
        let addresses = ready.flat_map(|endpoint| list(endpoint.get("addresses")));
        let addresses = addresses.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok());
        found.extend(addresses.map(|address| SocketAddr::new(address, number)));
    }
    found
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

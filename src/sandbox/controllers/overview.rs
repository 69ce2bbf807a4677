//! What is asked of all clusters at once: whose an address is, where istiods run, whom they lead.
//!
//! Each cluster has a part of it that is read from that cluster alone, so that
//! a change in one cluster is a look at that one. What differs after a part was
//! read again is given as topics, for those who asked before. Questions are
//! answered from here, in the order of clusters, as if all had been read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::addresses::addresses_of;
use super::istiod::{self, Istiod, Leads};
use super::notes::Topic;
use super::world::{Member, World};
use crate::object::ObjectRef;

/// The parts of an overview, by cluster, and by what is asked.
#[derive(Debug, Default)]
pub(super) struct Overview {
    parts: Vec<Part>,
    /// The Services that are reached under an address.
    owners: BTreeMap<String, BTreeSet<(usize, Place)>>,
    /// How many Services have or want an address.
    taken: BTreeMap<Ipv4Addr, usize>,
    /// The clusters whose istiods have registered an ID.
    registered: BTreeMap<String, BTreeSet<usize>>,
    /// Who leads each cluster.
    leaders: BTreeMap<usize, BTreeSet<Leader>>,
}

/// What one cluster adds.
#[derive(Debug, Default)]
struct Part {
    owned: BTreeSet<(String, Place)>,
    taken: Vec<Ipv4Addr>,
    istiods: Arc<[Arc<Istiod>]>,
    leads: BTreeSet<(usize, Leader)>,
    /// Where the kubeconfigs in a Secret's versions lead, so that each is read once.
    destinations: Destinations,
}

/// By Secret and ID: the version of the Secret that was read, and the cluster that it leads to.
type Destinations = BTreeMap<(String, String), (String, Option<usize>)>;

/// Namespace and name.
type Place = (String, String);

/// An istiod that means to lead a cluster: whether it reaches it is another question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leader {
    /// The position of its cluster.
    pub(super) cluster: usize,
    /// Its place among the istiods there.
    pub(super) istiod: usize,
    /// The ID under which it has registered the cluster that it leads.
    pub(super) id: String,
}

/// Which parts of an overview a change of an object concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concern {
    /// Who is reached under which address.
    Addresses,
    /// Where istiods run.
    Istiods,
    /// Whom they lead.
    Leads,
}

impl Concern {
    /// All of them, in the order in which they build on each other.
    pub(super) const ALL: [Self; 3] = [Self::Addresses, Self::Istiods, Self::Leads];

    /// What a change of an object concerns.
    pub(super) fn of(object: &ObjectRef) -> Option<Self> {
        match (object.group.as_str(), object.kind.as_str()) {
            ("", "Service") => Some(Self::Addresses),
            ("", "Pod") => Some(Self::Istiods),
            ("", "Secret") => Some(Self::Leads),
            _ => None,
        }
    }
}

impl Overview {
    /// An overview of as many clusters, of which none was read yet.
    pub(super) fn new(clusters: usize) -> Self {
        Self { parts: (0..clusters).map(|_| Part::default()).collect(), ..Self::default() }
    }

    /// The istiods that run in a cluster.
    pub(super) fn istiods(&self, cluster: usize) -> Arc<[Arc<Istiod>]> {
        Arc::clone(&self.parts[cluster].istiods)
    }

    /// The Services that are reached under an address.
    pub(super) fn owners(&self, address: &str) -> Vec<(usize, Place)> {
        self.owners.get(&canonical(address)).into_iter().flatten().cloned().collect()
    }

    /// The clusters whose istiods have registered an ID.
    pub(super) fn registered(&self, id: &str) -> Vec<usize> {
        self.registered.get(id).into_iter().flatten().copied().collect()
    }

    /// Who leads a cluster.
    pub(super) fn leaders(&self, cluster: usize) -> Vec<Leader> {
        self.leaders.get(&cluster).into_iter().flatten().cloned().collect()
    }

    /// Whether a Service has an address, or wants this one.
    pub(super) fn is_taken(&self, address: Ipv4Addr) -> bool {
        self.taken.contains_key(&address)
    }

    fn note_addresses(
        &mut self,
        cluster: usize,
        owned: BTreeSet<(String, Place)>,
        taken: Vec<Ipv4Addr>,
    ) -> Vec<Topic> {
        let before = std::mem::take(&mut self.parts[cluster].owned);
        for (address, place) in before.difference(&owned) {
            remove(&mut self.owners, address, &(cluster, place.clone()));
        }
        for (address, place) in owned.difference(&before) {
            self.owners.entry(address.clone()).or_default().insert((cluster, place.clone()));
        }
        let differ = before.symmetric_difference(&owned).map(|(address, _)| address.clone());
        let topics = differ.collect::<BTreeSet<_>>().into_iter().map(Topic::Address).collect();
        self.parts[cluster].owned = owned;
        for address in &taken {
            *self.taken.entry(*address).or_default() += 1;
        }
        for address in std::mem::replace(&mut self.parts[cluster].taken, taken) {
            if let Some(count) = self.taken.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    self.taken.remove(&address);
                }
            }
        }
        topics
    }

    fn note_istiods(&mut self, cluster: usize, istiods: Vec<Arc<Istiod>>) -> Vec<Topic> {
        let before = &self.parts[cluster].istiods;
        if **before == *istiods {
            return Vec::new();
        }
        let ids = |istiods: &[Arc<Istiod>]| -> BTreeSet<String> {
            istiods.iter().flat_map(|istiod| istiod.remotes().map(|(id, _)| id.to_owned())).collect()
        };
        let (old, new) = (ids(before), ids(&istiods));
        for id in old.difference(&new) {
            remove(&mut self.registered, id, &cluster);
        }
        for id in new.difference(&old) {
            self.registered.entry(id.clone()).or_default().insert(cluster);
        }
        self.parts[cluster].istiods = istiods.into();
        let mut topics = vec![Topic::Istiods(cluster)];
        topics.extend(old.symmetric_difference(&new).cloned().map(Topic::Registered));
        topics
    }

    fn note_leads(&mut self, cluster: usize, leads: BTreeSet<(usize, Leader)>) -> Vec<Topic> {
        let before = std::mem::take(&mut self.parts[cluster].leads);
        for (led, leader) in before.difference(&leads) {
            remove(&mut self.leaders, led, leader);
        }
        for (led, leader) in leads.difference(&before) {
            self.leaders.entry(*led).or_default().insert(leader.clone());
        }
        let differ: BTreeSet<usize> = before.symmetric_difference(&leads).map(|(led, _)| *led).collect();
        self.parts[cluster].leads = leads;
        differ.into_iter().map(Topic::Leaders).collect()
    }
}

impl World {
    /// Reads the part of a cluster again; gives what differs.
    pub(super) fn refresh(&self, cluster: usize, concern: Concern) -> Vec<Topic> {
        let member = &self.members[cluster];
        match concern {
            Concern::Addresses => {
                let (owned, taken) = addresses(member);
                self.overview().note_addresses(cluster, owned, taken)
            }
            Concern::Istiods => {
                let known = self.overview().istiods(cluster);
                let istiods = istiod::running(member, cluster, &known);
                let mut topics = self.overview().note_istiods(cluster, istiods);
                if !topics.is_empty() {
                    topics.extend(self.refresh(cluster, Concern::Leads));
                }
                topics
            }
            Concern::Leads => {
                let (istiods, known) = {
                    let mut overview = self.overview();
                    (overview.istiods(cluster), std::mem::take(&mut overview.parts[cluster].destinations))
                };
                let (leads, destinations) = self.leads(cluster, &istiods, known);
                let mut overview = self.overview();
                overview.parts[cluster].destinations = destinations;
                overview.note_leads(cluster, leads)
            }
        }
    }

    /// Whom the istiods of a cluster mean to lead, and where their kubeconfigs lead.
    fn leads(
        &self,
        cluster: usize,
        istiods: &[Arc<Istiod>],
        mut known: Destinations,
    ) -> (BTreeSet<(usize, Leader)>, Destinations) {
        let mut leads = BTreeSet::new();
        let mut destinations = Destinations::new();
        for (place, istiod) in istiods.iter().enumerate() {
            for (id, remote) in istiod.remotes().filter(|(_, remote)| remote.leads == Leads::Yes) {
                let store = &self.members[cluster].cluster;
                let Some(secret) = store.find("", "Secret", Some(&istiod.namespace), &remote.secret) else {
                    continue;
                };
                let version = secret.text(&["metadata", "resourceVersion"]).unwrap_or_default();
                let key = (format!("{}/{}", istiod.namespace, remote.secret), id.to_owned());
                let known = known.remove(&key).filter(|(of, _)| of == version);
                let destination = known.unwrap_or_else(|| {
                    let bytes = secret.text(&["data", id]).and_then(|text| STANDARD.decode(text).ok());
                    let (_, reading) = self.kubeconfigs.read(&bytes.unwrap_or_default());
                    let access = reading.as_ref().as_ref().ok();
                    let destination = access.and_then(|access| self.destination(&access.server));
                    (version.to_owned(), destination.map(|destination| destination.member))
                });
                if let Some(led) = destination.1.filter(|led| *led != cluster) {
                    leads.insert((led, Leader { cluster, istiod: place, id: id.to_owned() }));
                }
                destinations.insert(key, destination);
            }
        }
        (leads, destinations)
    }
}

/// The addresses of a cluster's Services, and those that nobody else may get.
fn addresses(member: &Member) -> (BTreeSet<(String, Place)>, Vec<Ipv4Addr>) {
    let mut owned = BTreeSet::new();
    let mut taken = Vec::new();
    for service in member.cluster.list("", "Service", None) {
        let place = (service.namespace().unwrap_or_default().to_owned(), service.name().to_owned());
        taken.extend(addresses_of(&service).filter_map(|address| address.parse::<Ipv4Addr>().ok()));
        let wanted = service.text(&["spec", "loadBalancerIP"]).and_then(|address| address.parse().ok());
        taken.extend::<Option<Ipv4Addr>>(wanted);
        owned.extend(addresses_of(&service).map(|address| (canonical(address), place.clone())));
    }
    (owned, taken)
}

/// Two spellings of an IPv6 address are one address.
pub(super) fn canonical(address: &str) -> String {
    address.parse::<IpAddr>().map_or_else(|_| address.to_owned(), |address| address.to_string())
}

fn remove<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(values) = map.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_an_address_are_one() {
        assert_eq!(canonical("2001:db8::1"), canonical("2001:0db8:0:0::1"));
        assert_eq!(canonical("gateway.example.com"), "gateway.example.com");
        assert_ne!(canonical("203.0.113.1"), canonical("203.0.113.2"));
    }
}

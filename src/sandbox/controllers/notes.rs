//! What a look read: noted on the way, so that nobody has to say it beforehand.
//!
//! A look reads clusters through [`Observed`] and everything that concerns
//! several clusters through the questions of `overview`. Both note a [`Topic`]
//! for each answer that they give. What a look writes is a function of those
//! answers alone, so that a look of which no topic has changed since would
//! write nothing again: this is why it may be left out (`rounds`).
//!
//! Outside a look nothing is noted.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::controlled::{Changed, ControlPlane, Controlled, Part};
use crate::object::{Object, ObjectRef};
use crate::sandbox::ApiError;

/// Something that an answer was about. Clusters are positions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// One object of a cluster, there or not.
    Object(usize, ObjectRef),
    /// All objects of a kind in a cluster, or in one of its namespaces.
    Kind { cluster: usize, group: String, kind: String, namespace: Option<String> },
    /// Whose an address is.
    Address(String),
    /// The istiods that run in a cluster, and what they remember.
    Istiods(usize),
    /// Where istiods run that have registered an ID.
    Registered(String),
    /// Which istiods lead a cluster.
    Leaders(usize),
}

impl Topic {
    /// What an answer about any of these was about, once an object of a cluster has changed.
    pub(super) fn of_change(cluster: usize, object: ObjectRef) -> Vec<Self> {
        let kind = |namespace: Option<String>| Self::Kind {
            cluster,
            group: object.group.clone(),
            kind: object.kind.clone(),
            namespace,
        };
        let mut topics = vec![kind(None)];
        if object.namespace.is_some() {
            topics.push(kind(object.namespace.clone()));
        }
        topics.push(Self::Object(cluster, object));
        topics
    }
}

/// What was noted of one look.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What it read.
    pub(super) topics: HashSet<Topic>,
    /// How many objects it was given.
    pub(super) objects: usize,
    /// How what it wrote was taken.
    pub(super) writes: Writes,
    /// The clusters that it wrote to.
    pub(super) written: BTreeSet<usize>,
}

/// How what a look wrote was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Writes {
    /// All of it.
    #[default]
    Taken,
    /// Something was refused, perhaps for a reason that no topic shows.
    Refused,
}

/// Where looks note.
#[derive(Debug, Default)]
pub(super) struct Notebook(Mutex<Option<Notes>>);

impl Notebook {
    /// A look begins.
    pub(super) fn begin(&self) {
        *self.page() = Some(Notes::default());
    }

    /// The look has ended.
    pub(super) fn end(&self) -> Notes {
        self.page().take().unwrap_or_default()
    }

    /// An answer was given.
    pub(super) fn read(&self, topic: impl FnOnce() -> Topic) {
        if let Some(notes) = &mut *self.page() {
            notes.topics.insert(topic());
        }
    }

    /// Something that is wanted cannot be had now, and no topic will tell when it can.
    pub(super) fn lack(&self) {
        if let Some(notes) = &mut *self.page() {
            notes.writes = Writes::Refused;
        }
    }

    fn gave(&self, objects: usize) {
        if let Some(notes) = &mut *self.page() {
            notes.objects += objects;
        }
    }

    fn wrote<T>(&self, cluster: usize, result: &Result<T, ApiError>) {
        if let Some(notes) = &mut *self.page() {
            notes.written.insert(cluster);
            if result.is_err() {
                notes.writes = Writes::Refused;
            }
        }
    }

    fn page(&self) -> MutexGuard<'_, Option<Notes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who read what.
#[derive(Debug)]
pub(super) struct Readers<R> {
    by_topic: HashMap<Topic, BTreeSet<R>>,
    topics: HashMap<R, HashSet<Topic>>,
}

impl<R> Default for Readers<R> {
    fn default() -> Self {
        Self { by_topic: HashMap::new(), topics: HashMap::new() }
    }
}

impl<R: Copy + Ord + Hash> Readers<R> {
    /// Notes what a reader read the last time; what it read before counts no more.
    pub(super) fn note(&mut self, reader: R, topics: HashSet<Topic>) {
        let before = self.topics.remove(&reader).unwrap_or_default();
        for topic in before.difference(&topics) {
            if let Some(readers) = self.by_topic.get_mut(topic) {
                readers.remove(&reader);
                if readers.is_empty() {
                    self.by_topic.remove(topic);
                }
            }
        }
        for topic in topics.difference(&before) {
            self.by_topic.entry(topic.clone()).or_default().insert(reader);
        }
        self.topics.insert(reader, topics);
    }

    /// Who read something.
    pub(super) fn of(&self, topic: &Topic) -> impl Iterator<Item = R> + '_ {
        self.by_topic.get(topic).into_iter().flatten().copied()
    }
}

/// A cluster whose answers are noted.
#[derive(Debug)]
pub(super) struct Observed {
    /// The cluster itself.
    pub(super) cluster: Arc<dyn Controlled>,
    /// Its position.
    pub(super) position: usize,
    /// Where.
    pub(super) notebook: Arc<Notebook>,
}

impl Observed {
    fn noted<T>(&self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        self.notebook.wrote(self.position, &result);
        result
    }
}

impl Controlled for Observed {
    fn name(&self) -> &str {
        self.cluster.name()
    }

    fn id(&self) -> &str {
        self.cluster.id()
    }

    fn ca(&self) -> String {
        self.cluster.ca()
    }

    fn now(&self) -> Timestamp {
        // No controller waits for time: it is only written down.
        self.cluster.now()
    }

    fn control_plane(&self) -> ControlPlane {
        self.cluster.control_plane()
    }

    fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Object>> {
        self.notebook.read(|| Topic::Kind {
            cluster: self.position,
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
        });
        let objects = self.cluster.list(group, kind, namespace);
        self.notebook.gave(objects.len());
        objects
    }

    fn find(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Object>> {
        self.notebook.read(|| {
            let object = ObjectRef {
                group: group.to_owned(),
                kind: kind.to_owned(),
                namespace: namespace.map(str::to_owned),
                name: name.to_owned(),
            };
            Topic::Object(self.position, object)
        });
        self.notebook.gave(1);
        self.cluster.find(group, kind, namespace, name)
    }

    fn create(&self, object: Object, manager: &str) -> Result<Arc<Object>, ApiError> {
        self.noted(self.cluster.create(object, manager))
    }

    fn update(&self, object: Object, manager: &str) -> Result<Arc<Object>, ApiError> {
        self.noted(self.cluster.update(object, manager))
    }

    fn merge(
        &self,
        object: &ObjectRef,
        part: Part,
        patch: &Value,
        manager: &str,
    ) -> Result<Arc<Object>, ApiError> {
        self.noted(self.cluster.merge(object, part, patch, manager))
    }

    fn delete(&self, object: &Object) -> Result<(), ApiError> {
        self.noted(self.cluster.delete(object))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.cluster.changes()
    }

    fn changed(&self, after: u64) -> Changed {
        self.cluster.changed(after)
    }
}

//! A write under the lock: revisions, history, journal.

use std::sync::{Arc, MutexGuard};

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::feed::{Change, ChangeKind};
use super::journal::FlushDue;
use super::{ClusterStore, REMEMBERED_CHANGES, State};
use crate::object::{Object, ObjectRef};
use crate::sandbox::resource::ResourceInfo;

/// The store while one write is made.
pub(super) struct Transaction<'s> {
    pub(super) store: &'s ClusterStore,
    pub(super) state: MutexGuard<'s, State>,
    flush: FlushDue,
}

impl ClusterStore {
    /// Makes a write; what it wrote is told to followers and brought to the disk in the background.
    pub(super) fn transact<T>(&self, write: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let mut transaction = Transaction { store: self, state: self.lock(), flush: FlushDue::Already };
        let before = transaction.state.revision;
        let result = write(&mut transaction);
        let (after, flush) = (transaction.state.revision, transaction.flush);
        drop(transaction);
        if after != before {
            self.revision.send_replace(after);
        }
        if flush == FlushDue::Now {
            let journal = Arc::clone(&self.journal);
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(move || journal.flush())),
                // Without a runtime nobody can wait for the disk but this write itself.
                Err(_) => journal.flush(),
            }
        }
        result
    }
}

impl Transaction<'_> {
    pub(super) fn get(&self, reference: &ObjectRef) -> Option<Arc<Object>> {
        self.state.objects.get(reference).cloned()
    }

    /// A new object's UID: unlike any other of this cluster, and of any other sandbox.
    pub(super) fn next_uid(&self) -> String {
        let seed = format!("{}\n{}\n{}", self.store.ca, self.store.name, self.state.revision + 1);
        let digest = Sha256::digest(seed.as_bytes());
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        // Version 4, variant 1: the form that clients check for.
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex = HEXLOWER.encode(&bytes);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// Keeps an object under the next revision.
    pub(super) fn put(&mut self, mut object: Object) -> Arc<Object> {
        let revision = self.state.revision + 1;
        set_metadata(&mut object, "resourceVersion", revision.to_string().into());
        let object = Arc::new(object);
        self.note(self.store.journal.put(revision, &object));
        let previous = self.state.objects.insert(object.reference(), Arc::clone(&object));
        let kind = if previous.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.state.remember(Change { revision, kind, object: Arc::clone(&object), previous });
        object
    }

    /// Removes an object under the next revision; what it was is what followers see.
    pub(super) fn remove(&mut self, reference: &ObjectRef) -> Option<Arc<Object>> {
        let previous = self.state.objects.remove(reference)?;
        let revision = self.state.revision + 1;
        self.note(self.store.journal.remove(revision, reference));
        let mut last = Object::clone(&previous);
        set_metadata(&mut last, "resourceVersion", revision.to_string().into());
        let object = Arc::new(last);
        let change = Change {
            revision,
            kind: ChangeKind::Deleted,
            object: Arc::clone(&object),
            previous: Some(previous),
        };
        self.state.remember(change);
        Some(object)
    }

    fn note(&mut self, due: FlushDue) {
        if due == FlushDue::Now {
            self.flush = FlushDue::Now;
        }
    }
}

impl State {
    fn remember(&mut self, change: Change) {
        self.revision = change.revision;
        if change.object.kind() == "CustomResourceDefinition" {
            self.read_definition(&change);
        }
        self.changes.push_back(Arc::new(change));
        while self.changes.len() > REMEMBERED_CHANGES {
            if let Some(oldest) = self.changes.pop_front() {
                self.forgotten = oldest.revision;
            }
        }
    }

    pub(super) fn read_definitions(&mut self) {
        let definitions = self.objects.values().filter(|object| object.kind() == "CustomResourceDefinition");
        self.custom = definitions.filter_map(|d| Some((d.name().to_owned(), served_by(d)?))).collect();
    }

    fn read_definition(&mut self, change: &Change) {
        let name = change.object.name().to_owned();
        let served = match change.kind {
            ChangeKind::Added | ChangeKind::Modified => served_by(&change.object),
            ChangeKind::Deleted => None,
        };
        match served {
            Some(served) => self.custom.insert(name, served),
            None => self.custom.remove(&name),
        };
    }
}

/// What a definition serves, once it is Established.
fn served_by(definition: &Object) -> Option<Arc<ResourceInfo>> {
    let conditions = definition.get(&["status", "conditions"])?.as_array()?;
    let established = conditions.iter().any(|condition| {
        condition.get("type").and_then(Value::as_str) == Some("Established")
            && condition.get("status").and_then(Value::as_str) == Some("True")
    });
    if established { ResourceInfo::of_definition(definition).map(Arc::new) } else { None }
}

/// Sets one field of the metadata.
pub(super) fn set_metadata(object: &mut Object, key: &str, value: Value) {
    if let Some(Value::Object(metadata)) = object.as_map_mut().get_mut("metadata") {
        metadata.insert(key.to_owned(), value);
    }
}

/// Takes one field of the metadata out.
pub(super) fn take_metadata(object: &mut Object, key: &str) -> Option<Value> {
    object.as_map_mut().get_mut("metadata")?.as_object_mut()?.remove(key)
}

//! Reading objects out of a store, as they are or as they were.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{ChangeKind, ClusterStore, State};
use crate::object::{Object, ObjectRef};
use crate::sandbox::api_error::ApiError;
use crate::sandbox::selector::Selector;

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// At most so many objects; all where it is none.
    pub limit: Option<usize>,
    /// Begin after this object.
    pub after: Option<(Option<String>, String)>,
    /// Show this revision, as far as it is remembered; the present one where it is none.
    pub at: Option<u64>,
}

/// A list, or a page of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The objects, by namespace and name.
    pub objects: Vec<Arc<Object>>,
    /// The revision that it shows.
    pub revision: u64,
    /// How many more there are after this page.
    pub remaining: usize,
}

impl ClusterStore {
    /// One object.
    pub fn get(&self, reference: &ObjectRef) -> Option<Arc<Object>> {
        self.lock().objects.get(reference).cloned()
    }

    /// One object by its parts.
    pub fn find(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<Arc<Object>> {
        self.get(&ObjectRef {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    }

    /// All objects of a kind, by namespace and name.
    pub fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Object>> {
        let page = Page::default();
        let listed = self.select(group, kind, namespace, &Selector::default(), &page);
        listed.map(|listed| listed.objects).unwrap_or_default()
    }

    /// The objects of a kind that a selector wants, a page of them; 410 for a revision that is forgotten.
    pub fn select(
        &self,
        group: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: &Selector,
        page: &Page,
    ) -> Result<Listed, ApiError> {
        let state = self.lock();
        let past = match page.at {
            Some(revision) if revision < state.revision => {
                Some((revision, state.past(revision, group, kind)?))
            }
            Some(_) | None => None,
        };
        let (revision, objects) = match &past {
            Some((revision, objects)) => (*revision, objects),
            None => (state.revision, &state.objects),
        };
        let key = |namespace: Option<&str>, name: &str| ObjectRef {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        let start = match &page.after {
            Some((after_namespace, after_name)) => {
                Bound::Excluded(key(after_namespace.as_deref(), after_name))
            }
            None => Bound::Included(key(namespace, "")),
        };
        let mut wanted = objects
            .range((start, Bound::Unbounded))
            .take_while(|(reference, _)| {
                reference.group == group
                    && reference.kind == kind
                    && (namespace.is_none() || reference.namespace.as_deref() == namespace)
            })
            .map(|(_, object)| object)
            .filter(|object| selector.matches(object));
        let objects: Vec<Arc<Object>> = match page.limit {
            Some(limit) => wanted.by_ref().take(limit).cloned().collect(),
            None => wanted.by_ref().cloned().collect(),
        };
        Ok(Listed { objects, remaining: wanted.count(), revision })
    }
}

impl State {
    /// The objects of a kind as they were at a revision: every change since is taken back.
    fn past(
        &self,
        revision: u64,
        group: &str,
        kind: &str,
    ) -> Result<BTreeMap<ObjectRef, Arc<Object>>, ApiError> {
        if revision < self.forgotten {
            return Err(ApiError::expired(revision, self.forgotten));
        }
        let is_kind = |reference: &ObjectRef| reference.group == group && reference.kind == kind;
        let present = self.objects.iter().filter(|(reference, _)| is_kind(reference));
        let mut objects: BTreeMap<_, _> =
            present.map(|(reference, object)| (reference.clone(), Arc::clone(object))).collect();
        let since = self.changes.iter().rev().take_while(|change| change.revision > revision);
        for change in since.filter(|change| is_kind(&change.object.reference())) {
            let reference = change.object.reference();
            match (change.kind, &change.previous) {
                (ChangeKind::Modified | ChangeKind::Deleted, Some(previous)) => {
                    objects.insert(reference, Arc::clone(previous));
                }
                (ChangeKind::Added | ChangeKind::Modified | ChangeKind::Deleted, _) => {
                    objects.remove(&reference);
                }
            }
        }
        Ok(objects)
    }
}

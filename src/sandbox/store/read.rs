//! Reading objects out of a store.

use std::ops::Bound;
use std::sync::Arc;

use super::ClusterStore;
use crate::object::{Object, ObjectRef};
use crate::sandbox::selector::Selector;

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// At most so many objects; all where it is none.
    pub limit: Option<usize>,
    /// Begin after this object.
    pub after: Option<(Option<String>, String)>,
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
        self.select(group, kind, namespace, &Selector::default(), &Page::default()).objects
    }

    /// The objects of a kind that a selector wants, a page of them.
    pub fn select(
        &self,
        group: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: &Selector,
        page: &Page,
    ) -> Listed {
        let state = self.lock();
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
        let mut wanted = state
            .objects
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
        Listed { objects, remaining: wanted.count(), revision: state.revision }
    }
}

//! `namespaces`.

use std::collections::BTreeMap;

use super::reader::Reader;
use super::trust::cluster_name;
use crate::document::{Entry, Spanned};
use crate::topology::{Injection, Namespace, NamespaceName, keys};

pub(super) fn namespaces(entries: &[&Entry], reader: &mut Reader) -> BTreeMap<NamespaceName, Namespace> {
    let mut namespaces = BTreeMap::new();
    for entry in entries {
        let name = Spanned::new(NamespaceName::from(entry.key.value.as_str()), entry.key.span);
        let Some(fields) = reader.fields(&entry.value, &keys::NAMESPACE, entry.key.span) else { continue };
        let words = [
            ("enabled", Injection::Enabled),
            ("disabled", Injection::Disabled),
            ("manual", Injection::Manual),
        ];
        let injection = reader.word(&fields, "injection", &words);
        let clusters = fields.get("clusters").and_then(|node| {
            let items = reader.list(node, "a list of clusters' names")?;
            Some(items.iter().filter_map(|item| cluster_name(item, reader)).collect())
        });
        let injection = injection.map(|injection| injection.value).unwrap_or_default();
        namespaces.insert(name.value.clone(), Namespace { name, injection, clusters });
    }
    namespaces
}

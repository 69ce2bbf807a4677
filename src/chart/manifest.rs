//! Rendered text to manifests: split, read again as YAML, sorted.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt as _};
use memchr::memmem;
use serde_json::Value as Json;

use crate::cores::on_all_cores;
use crate::document::yaml::{Limits, Schema, parse_all};
use crate::document::{Entry, Kind, Node, SourceId};
use crate::object::{Object, ObjectRef};

use super::error::{ChartError, Fault, Limit, Place};
use super::memo::Memo;
use super::meter::MOST_DOCUMENT;
use super::tree::Tree;
use super::value::Text;

/// One rendered document.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The template that wrote it: `istiod/templates/deployment.yaml`.
    pub template: String,
    /// Its text, without the separator.
    pub text: String,
    /// What the text says.
    pub object: Object,
}

/// What one template wrote.
pub(super) struct Written {
    pub(super) text: String,
    /// The template's path in the chart.
    pub(super) source: Text,
}

/// Bytes of documents whose reading takes several times as long as a thread takes to begin.
const WORTH_A_THREAD: usize = 32 << 10;

/// Kinds in the order in which Helm installs them; others follow, by name.
static INSTALL_ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
];

fn install_order(kind: &str) -> (usize, &str) {
    match INSTALL_ORDER.iter().position(|known| *known == kind) {
        Some(position) => (position, ""),
        None => (INSTALL_ORDER.len(), kind),
    }
}

/// The manifests of one rendering, gathered in helm's order.
pub(super) struct Manifests<'c> {
    pub(super) all: Vec<Manifest>,
    seen: HashMap<ObjectRef, usize>,
    chart: &'c str,
    memo: &'c Memo,
}

/// Where a text comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A `crds` folder: nothing of it is a hook.
    Definitions,
    /// A template.
    Template,
}

impl<'c> Manifests<'c> {
    pub(super) fn new(chart: &'c str, memo: &'c Memo) -> Self {
        Self { all: Vec::new(), seen: HashMap::new(), chart, memo }
    }

    /// Takes what the `crds` folders of a tree hold, as it is: installed before everything else, in helm's order.
    pub(super) fn take_definitions(&mut self, tree: &Tree<'_>) -> Result<(), ChartError> {
        let mut waiting = vec![Tree::ROOT];
        while let Some(node) = waiting.pop() {
            let folder = tree.full_path(node);
            for definition in &tree.part(node).definitions {
                let template = format!("{folder}/{}", definition.path);
                self.take(Origin::Definitions, &template, &definition.file, &definition.text)?;
            }
            waiting.extend(tree.children(node).iter().rev());
        }
        Ok(())
    }

    /// Takes what the templates wrote: split, read, checked and sorted.
    pub(super) fn take_written(&mut self, written: BTreeMap<Text, Written>) -> Result<(), ChartError> {
        let before = self.all.len();
        self.read_ahead(&written);
        for (template, Written { text, source }) in written {
            if !template.ends_with("NOTES.txt") {
                self.take(Origin::Template, &template, &source, &text)?;
            }
        }
        self.all[before..]
            .sort_by(|a, b| install_order(a.object.kind()).cmp(&install_order(b.object.kind())));
        Ok(())
    }

    /// Reads documents on all cores where there is so much to read that it pays. What they say, and what is wrong
    /// with them, is looked at in their order, as ever.
    fn read_ahead(&self, written: &BTreeMap<Text, Written>) {
        let all = written.iter().filter(|(template, _)| !template.ends_with("NOTES.txt"));
        let texts = all.flat_map(|(_, written)| documents(&written.text)).map(|document| document.text);
        let mut unread: Vec<&str> =
            texts.filter(|text| text.len() <= MOST_DOCUMENT && !self.memo.documents.knows(text)).collect();
        // The longest first, so that none is left over for one core at the end.
        unread.sort_unstable_by_key(|text| Reverse(text.len()));
        if unread.iter().map(|text| text.len()).sum::<usize>() >= WORTH_A_THREAD {
            on_all_cores(&unread, |text| drop(self.memo.documents.tree(text, read_document)));
        }
    }

    fn take(&mut self, origin: Origin, template: &str, source: &str, text: &str) -> Result<(), ChartError> {
        for document in documents(text) {
            let at = |offset: usize, fault: Fault| {
                let before = &text[..(document.start + offset).min(text.len())];
                let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
                let line = u32::try_from(line).unwrap_or(u32::MAX);
                let place = Place { file: source.to_owned(), line, column: 0 };
                ChartError::at(self.chart, place, fault)
            };
            let Some(value) =
                value_of(document.text, self.memo).map_err(|(offset, fault)| at(offset, fault))?
            else {
                continue;
            };
            if origin == Origin::Template && is_hook(&value) {
                continue;
            }
            if let Some(odd) = odd_annotations(&value) {
                return Err(at(0, Fault::Yaml(format!("a rendered document is no object: {odd}"))));
            }
            let object = Object::from_value(value)
                .map_err(|error| at(0, Fault::Yaml(format!("a rendered document is no object: {error}"))))?;
            let reference = object.reference();
            if let Some(first) = self.seen.get(&reference) {
                let first = &self.all[*first];
                // Two aliases of one chart have the same definitions, of which helm installs the first.
                if origin == Origin::Definitions && first.object == object {
                    continue;
                }
                let what = format!("{reference} is rendered twice, first by {}", first.template);
                return Err(at(0, Fault::Yaml(what)));
            }
            self.seen.insert(reference, self.all.len());
            self.all.push(Manifest { template: template.to_owned(), text: document.text.to_owned(), object });
        }
        Ok(())
    }
}

/// One document of a rendered text.
#[derive(Debug, PartialEq, Eq)]
struct Document<'t> {
    text: &'t str,
    /// Where it starts in the rendered text.
    start: usize,
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r')
}

/// Splits as Helm does: at `(?:^|\s*\n)---\s*`, and with the white space around cut off.
fn documents(text: &str) -> Vec<Document<'_>> {
    let bytes = text.as_bytes();
    let start = text.len() - text.trim_start().len();
    let end = text.trim_end().len().max(start);
    let mut found = Vec::new();
    let mut push = |from: usize, to: usize| {
        let part = &text[from..to];
        let trimmed = part.trim();
        if !trimmed.is_empty() {
            let lead = part.len() - part.trim_start().len();
            found.push(Document { text: trimmed, start: from + lead });
        }
    };
    let behind = |mut at: usize| {
        while at < end && is_white(bytes[at]) {
            at += 1;
        }
        at
    };
    let mut from = if text[start..end].starts_with("---") { behind(start + 3) } else { start };
    while let Some(at) = memmem::find(&bytes[from..end], b"\n---").map(|at| at + from) {
        push(from, at);
        from = behind(at + 4);
    }
    push(from, end);
    found
}

/// What a document says; none where it says nothing (comments alone).
fn value_of(text: &str, memo: &Memo) -> Result<Option<Json>, (usize, Fault)> {
    if text.len() > MOST_DOCUMENT {
        return Err((0, Fault::Limit(Limit::Document(MOST_DOCUMENT))));
    }
    Ok(memo.documents.tree(text, read_document)?.map(|node| node.to_json()))
}

fn read_document(text: &str) -> Result<Option<Node>, (usize, Fault)> {
    let nodes = parse_all(SourceId(0), text, Schema::Go, Limits::MANIFESTS).map_err(|fault| {
        let what = format!("the output is no YAML: {}", fault.primary.text);
        (fault.primary.span.range().start, Fault::Yaml(what))
    })?;
    let mut said = nodes.into_iter().filter(|node| node.kind != Kind::Null);
    let Some(node) = said.next() else { return Ok(None) };
    if let Some(second) = said.next() {
        let what = "the output has two documents without a line of `---` between".to_owned();
        return Err((second.span.range().start, Fault::Yaml(what)));
    }
    if let Some(again) = contradiction(&node) {
        let what = format!("the output says `{}` twice, and not the same", again.key.value);
        return Err((again.key.span.range().start, Fault::Yaml(what)));
    }
    Ok(Some(node))
}

/// The first key that its map already has with another value.
///
/// Istio's gateway chart writes a label twice with one value; that does no harm.
fn contradiction(node: &Node) -> Option<&Entry> {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => None,
        Kind::List(items) => items.iter().find_map(contradiction),
        Kind::Map(entries) => {
            let mut first: HashMap<&str, &Node> = HashMap::with_capacity(entries.len());
            for entry in entries {
                let before = first.insert(&entry.key.value, &entry.value);
                if before.is_some_and(|before| before.to_json() != entry.value.to_json()) {
                    return Some(entry);
                }
                if let Some(inside) = contradiction(&entry.value) {
                    return Some(inside);
                }
            }
            None
        }
    }
}

/// What helm refuses of annotations, which it reads to find its hooks (`SimpleHead`, pkg/release/util/manifest.go,
/// 3.22): they have to be a map, and each of them no map or list. Numbers and booleans it takes for texts.
fn odd_annotations(value: &Json) -> Option<String> {
    let annotations = value.pointer("/metadata/annotations")?;
    let Json::Object(map) = annotations else {
        return (!annotations.is_null()).then(|| "`metadata.annotations` is not a map".to_owned());
    };
    let odd = map.iter().find(|(_, value)| value.is_object() || value.is_array());
    odd.map(|(key, _)| format!("annotation `{key}` is not a text"))
}

fn is_hook(value: &Json) -> bool {
    value.pointer("/metadata/annotations/helm.sh~1hook").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(&str, usize)> {
        documents(text).into_iter().map(|document| (document.text, document.start)).collect()
    }

    #[test]
    fn documents_are_split_as_helm_splits_them() {
        assert_eq!(split("\n---\na: 1\n---\n\nb: 2\n---\n"), [("a: 1", 5), ("b: 2", 15)]);
        assert_eq!(split("a: 1\n  \n--- # c\nb: 2"), [("a: 1", 0), ("# c\nb: 2", 12)]);
        assert_eq!(split(" \n\n"), []);
        // The first separator takes the white space, so that the second is none.
        assert_eq!(split("a: 1\n---\n---\nb: 2"), [("a: 1", 0), ("---\nb: 2", 9)]);
    }
}

//! `trust.root`.

use super::reader::Reader;
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Kind, Node, Spanned};
use crate::topology::codes::ROOT_MALFORMED;
use crate::topology::{ClusterName, Root, keys};

/// How a root is chosen: the help of whatever is none.
const FORMS: &str =
    "write `generate`, `{generate: {in: CLUSTER}}`, `{certificate: FILE, key: FILE}` or `istiod`.";

pub(super) fn root(entry: &Entry, reader: &mut Reader) -> Option<Spanned<Root>> {
    let fields = reader.fields(&entry.value, &keys::TRUST, entry.key.span)?;
    let entry = fields.entry("root")?;
    let node = &entry.value;
    let root = match &node.kind {
        Kind::Text(text) if text == "generate" => Some(Root::Generate { keeper: None }),
        Kind::Text(text) if text == "istiod" => Some(Root::Istiod),
        Kind::Text(text) => {
            let label = match text.as_str() {
                "existing" => "this version cannot take over an existing root",
                _ => "no way to get a root",
            };
            reader.lose(Diagnostic::error(&ROOT_MALFORMED, node.span, label).with_help(FORMS));
            None
        }
        Kind::Map(entries) => {
            let has = |key: &str| entries.iter().any(|entry| entry.key.value == key);
            match (has("generate"), has("certificate") || has("key")) {
                (true, false) => generated(entry, reader),
                (false, true) => files(entry, reader),
                (true, true) => {
                    let finding =
                        Diagnostic::error(&ROOT_MALFORMED, node.span, "both a generated root and files");
                    reader.lose(finding.with_help(FORMS));
                    None
                }
                (false, false) => {
                    let finding = Diagnostic::error(&ROOT_MALFORMED, node.span, "no way to get a root");
                    reader.lose(finding.with_help(FORMS));
                    None
                }
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) => {
            let finding = Diagnostic::error(&ROOT_MALFORMED, node.span, "no way to get a root");
            reader.lose(finding.with_help(FORMS));
            None
        }
    };
    root.map(|root| Spanned::new(root, node.span))
}

fn generated(entry: &Entry, reader: &mut Reader) -> Option<Root> {
    let fields = reader.fields(&entry.value, &keys::ROOT_GENERATED, entry.key.span)?;
    let generate = fields.entry("generate")?;
    let keeper = reader.fields(&generate.value, &keys::KEEPER, generate.key.span)?;
    let keeper = match keeper.get("in") {
        Some(node) => Some(cluster_name(node, reader)?),
        None => None,
    };
    Some(Root::Generate { keeper })
}

fn files(entry: &Entry, reader: &mut Reader) -> Option<Root> {
    let fields = reader.fields(&entry.value, &keys::ROOT_FILES, entry.key.span)?;
    let mut file = |node: &Node| reader.text(node, "the path of a PEM file");
    let certificate = fields.get("certificate").and_then(&mut file);
    let key = fields.get("key").and_then(&mut file);
    Some(Root::Files { certificate: certificate?, key: key? })
}

/// The name of a cluster, which may not exist.
pub(super) fn cluster_name(node: &Node, reader: &mut Reader) -> Option<Spanned<ClusterName>> {
    Some(reader.text(node, "a cluster's name")?.map(|name| ClusterName::from(name.as_str())))
}

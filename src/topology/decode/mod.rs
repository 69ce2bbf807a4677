//! Texts to a [`Topology`]: every finding of every file, and the topology where it can be told.
//!
//! Several files are the files of one folder and make one topology: `networks`,
//! `clusters` and `namespaces` are put together entry by entry, any other key
//! stands in one file. One file per entity below; [`reader`] turns nodes into
//! plain values and never stops at a wrong one.

mod charts;
mod cluster;
mod gateway;
mod mesh;
mod namespace;
mod reader;
mod rollout;
mod trust;
mod values;

use std::collections::BTreeMap;

use self::reader::{Extent, Reader};
use super::codes::{TOPOLOGY_EMPTY, TYPE_MISMATCH, VERSION_UNSUPPORTED};
use super::keys::{self, Need};
use super::{Istio, Network, NetworkName, Topology};
use crate::diagnostic::Diagnostic;
use crate::document::yaml::{Limits, Reading, Schema};
use crate::document::{Entry, Kind, Node, SourceId, Sources, Span, Spanned, duplicate, toml, yaml};

/// What the files of a topology say.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The topology, where enough of it was read for rules to judge it. There may be errors beside it.
    pub topology: Option<Topology>,
    /// What is wrong with the text, in the order of files and places.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the files of one topology: TOML where the name ends in `.toml`, else YAML.
pub fn parse(sources: &Sources, files: &[SourceId]) -> Parsed {
    let mut found = Vec::new();
    let mut extent = Extent::Whole;
    let mut roots = Vec::new();
    for file in files {
        let Reading { node, faults } = read(sources, *file);
        if !faults.is_empty() {
            extent = Extent::Parts;
        }
        match node {
            Some(node) if node.kind != Kind::Null => roots.push((*file, node)),
            Some(_) | None if faults.is_empty() => found.push(nothing_in(*file)),
            Some(_) | None => {}
        }
        found.extend(faults);
    }
    if roots.is_empty() {
        return Parsed { topology: None, diagnostics: found };
    }
    let mut reader = Reader::new(found, extent);
    let sections = Sections::of(&roots, &mut reader);
    let topology = topology(&sections, &mut reader).filter(|_| reader.is_sound());
    let mut diagnostics = reader.found;
    diagnostics.sort_by_key(|finding| finding.primary.span);
    Parsed { topology, diagnostics }
}

fn read(sources: &Sources, file: SourceId) -> Reading {
    let source = sources.get(file);
    if source.name.to_ascii_lowercase().ends_with(".toml") {
        toml::parse(file, &source.text, Limits::TOPOLOGY)
    } else {
        yaml::parse_one(file, &source.text, Schema::Core, Limits::TOPOLOGY)
    }
}

fn nothing_in(file: SourceId) -> Diagnostic {
    Diagnostic::error(&TOPOLOGY_EMPTY, start_of(file), "nothing is written in this file")
        .with_help("`stolos init` writes a topology to start from.")
}

fn start_of(source: SourceId) -> Span {
    Span { source, start: 0, end: 0 }
}

/// The keys of the top level of all files, put together.
struct Sections<'n> {
    /// Keys that stand in one file.
    single: BTreeMap<&'static str, &'n Entry>,
    /// The entries of `networks`, `clusters` and `namespaces`, from every file.
    gathered: BTreeMap<&'static str, Vec<&'n Entry>>,
    /// Where a key that is missing altogether is reported.
    start: Span,
}

/// The keys whose entries may stand in several files.
const GATHERED: [&str; 3] = ["networks", "clusters", "namespaces"];

impl<'n> Sections<'n> {
    fn of(roots: &'n [(SourceId, Node)], reader: &mut Reader) -> Self {
        let start = start_of(roots.first().map_or(SourceId(0), |(file, _)| *file));
        let mut sections = Self { single: BTreeMap::new(), gathered: BTreeMap::new(), start };
        for (file, root) in roots {
            sections.add(*file, root, reader);
        }
        let any_map = roots.iter().any(|(_, root)| matches!(root.kind, Kind::Map(_)));
        for key in keys::TOPOLOGY.keys.iter().filter(|key| any_map && key.need == Need::RequiredOnce) {
            if !sections.single.contains_key(key.name) && !sections.gathered.contains_key(key.name) {
                reader.missing(&keys::TOPOLOGY, key.name, start);
            }
        }
        sections
    }

    fn add(&mut self, file: SourceId, root: &'n Node, reader: &mut Reader) {
        if let Kind::Text(_) | Kind::Number(_) | Kind::Bool(_) | Kind::List(_) = root.kind {
            let finding = Diagnostic::error(&TYPE_MISMATCH, root.span, root.kind.name());
            reader.lose(finding.with_help("a topology is a map that starts with `version: 1`."));
            return;
        }
        let Some(fields) = reader.fields(root, &keys::TOPOLOGY, start_of(file)) else { return };
        for key in keys::TOPOLOGY.keys {
            let Some(entry) = fields.entry(key.name) else { continue };
            if key.name == "version" {
                check_version(&entry.value, reader);
            } else if GATHERED.contains(&key.name) {
                let about = || format!("a map of {} by name", key.name);
                let entries = reader.map(&entry.value, about).unwrap_or_default();
                self.gathered.entry(key.name).or_default().extend(entries);
            } else if let Some(first) = self.single.get(key.name) {
                reader.report(duplicate(key.name, entry.key.span, first.key.span));
            } else {
                self.single.insert(key.name, entry);
            }
        }
    }

    /// The entries of one of [`GATHERED`], each name once.
    fn named(&self, key: &str, reader: &mut Reader) -> Vec<&'n Entry> {
        reader.named(self.gathered.get(key).into_iter().flatten().copied())
    }
}

fn check_version(node: &Node, reader: &mut Reader) {
    match &node.kind {
        Kind::Number(words) if words == "1" => {}
        Kind::Number(_) | Kind::Text(_) => {
            let finding =
                Diagnostic::error(&VERSION_UNSUPPORTED, node.span, "not a version that is known here");
            reader.lose(finding.with_help("write `version: 1`; a newer one needs a newer stolos."));
        }
        Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => reader.mismatch(node, "`version: 1`"),
    }
}

fn topology(sections: &Sections<'_>, reader: &mut Reader) -> Option<Topology> {
    let single = |key: &str| sections.single.get(key).copied();
    let mesh = single("mesh").and_then(|entry| mesh::mesh(entry, reader));
    let (istio, istio_values) = match single("istio") {
        Some(entry) => mesh::istio(entry, reader),
        None => (Istio::default(), values::Layer::default()),
    };
    let root = single("trust").and_then(|entry| trust::root(entry, reader));
    let networks = networks(&sections.named("networks", reader), reader);
    let defaults = single("defaults").map(|entry| cluster::defaults(entry, reader)).unwrap_or_default();
    let clusters = sections.named("clusters", reader);
    if clusters.is_empty() && sections.gathered.contains_key("clusters") {
        let finding = Diagnostic::error(&TOPOLOGY_EMPTY, sections.start, "no cluster is declared");
        reader.absent(
            finding.with_help("add a cluster: `clusters: {cluster1: {network: network1, role: primary}}`."),
        );
    }
    let clusters = cluster::clusters(&clusters, &defaults, &istio_values, reader);
    let namespaces = namespace::namespaces(&sections.named("namespaces", reader), reader);
    let rollout = single("rollout").and_then(|entry| rollout::rollout(entry, reader));
    Some(Topology { mesh: mesh?, istio, root, networks, clusters, namespaces, rollout })
}

fn networks(entries: &[&Entry], reader: &mut Reader) -> BTreeMap<NetworkName, Network> {
    let mut networks = BTreeMap::new();
    for entry in entries {
        let name = Spanned::new(NetworkName::from(entry.key.value.as_str()), entry.key.span);
        let Some(fields) = reader.fields(&entry.value, &keys::NETWORK, entry.key.span) else { continue };
        let east_west_gateway = fields.get("eastWestGateway").and_then(|node| {
            let gateway = gateway::gateway(node, reader)?;
            Some(Spanned::new(gateway, node.span))
        });
        networks.insert(name.value.clone(), Network { name, east_west_gateway });
    }
    networks
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

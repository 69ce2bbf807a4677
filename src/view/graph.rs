//! The graph as text, DOT and Mermaid, and one unit explained.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::compile::{DesiredUnit, Done};
use crate::graph::{Edge, Graph, Unit, UnitKind};

/// Stages with their units, and behind each unit what it waits for.
pub fn text(graph: &Graph) -> String {
    let units = graph.units();
    let width = units.iter().map(|unit| unit.to_string().len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut last_stage = 0;
    for unit in units {
        let stage = graph.stage(unit).expect("the unit is the graph's own");
        if stage != last_stage {
            writeln!(text, "stage {stage}").expect("a String takes all");
            last_stage = stage;
        }
        let mut name = unit.to_string();
        for edge in graph.waits_for(unit) {
            let line = format!("  {name:width$}  after {}: {}", edge.unit, edge.reason);
            text.push_str(&line);
            text.push('\n');
            name.clear();
        }
        if !name.is_empty() {
            writeln!(text, "  {name}").expect("a String takes all");
        }
    }
    text
}

/// The graph for Graphviz: a box for each cluster, reasons as labels.
pub fn dot(graph: &Graph) -> String {
    let mut text = String::from("digraph stolos {\n  rankdir = LR\n  node [shape = box, style = rounded]\n");
    for (cluster, units) in by_cluster(graph) {
        writeln!(text, "  subgraph \"cluster_{cluster}\" {{\n    label = \"{cluster}\"")
            .expect("a String takes all");
        for unit in units {
            writeln!(text, "    \"{unit}\" [label = \"{}\"]", unit.kind).expect("a String takes all");
        }
        text.push_str("  }\n");
    }
    for (edge, unit) in edges(graph) {
        writeln!(text, "  \"{}\" -> \"{unit}\" [tooltip = \"{}\"]", edge.unit, edge.reason)
            .expect("a String takes all");
    }
    text.push_str("}\n");
    text
}

/// The graph for Markdown that draws Mermaid.
pub fn mermaid(graph: &Graph) -> String {
    let mut text = String::from("flowchart LR\n");
    for (cluster, units) in by_cluster(graph) {
        writeln!(text, "  subgraph {cluster}").expect("a String takes all");
        for unit in units {
            writeln!(text, "    {}[{}]", mermaid_id(unit), unit.kind).expect("a String takes all");
        }
        text.push_str("  end\n");
    }
    for (edge, unit) in edges(graph) {
        writeln!(text, "  {} --> {}", mermaid_id(&edge.unit), mermaid_id(unit)).expect("a String takes all");
    }
    text
}

/// What a unit is, waits for and unblocks.
pub fn unit(graph: &Graph, desired: &DesiredUnit) -> String {
    let unit = &desired.unit;
    let mut text = format!("{unit}\n  {}\n", meaning(&unit.kind));
    let mut line = |name: &str, value: &str| {
        writeln!(text, "  {name:11}{value}").expect("a String takes all");
    };
    line("stage", &format!("{} of {}", desired.stage, graph.stage_count()));
    if let Done::Installed(awaited) = &desired.done {
        line("installed", &format!("by others: release {}, values {}", awaited.release, awaited.values));
    }
    if !desired.done.is_about_others() || !desired.content.objects.is_empty() {
        line("file", &format!("{}/{}", unit.cluster, unit.file_name()));
    }
    line("done when", &condition(&desired.done));
    let holes = desired.holes();
    for (nth, hole) in holes.iter().enumerate() {
        line(if nth == 0 { "takes" } else { "" }, &hole.to_string());
    }
    text.push_str(&list("waits for", &graph.waits_for(unit)));
    text.push_str(&list("unblocks", &graph.unblocks(unit)));
    text
}

fn list(title: &str, edges: &[Edge]) -> String {
    if edges.is_empty() {
        return format!("\n{title} nothing\n");
    }
    let width = edges.iter().map(|edge| edge.unit.to_string().len()).max().unwrap_or(0);
    let lines: String =
        edges.iter().map(|edge| format!("  {:width$}  {}\n", edge.unit, edge.reason)).collect();
    format!("\n{title}\n{lines}")
}

/// What a kind of unit is, in one sentence.
fn meaning(kind: &UnitKind) -> String {
    match kind {
        UnitKind::Namespace => "The mesh namespace: its label says the network, on a remote its annotation says which primaries serve it.".to_owned(),
        UnitKind::Trust => "Secret cacerts: the intermediate by which istiod signs, issued at apply from the mesh's root.".to_owned(),
        UnitKind::Base => "Chart base: Istio's kinds, and the account by which primaries read this cluster.".to_owned(),
        UnitKind::Cni => "Chart cni: the node agent that redirects the traffic of pods, so that they need no rights for it.".to_owned(),
        UnitKind::ControlPlane => "Chart istiod: the control plane of a primary, or the remote profile that leads to one.".to_owned(),
        UnitKind::EastWestGateway => "Chart gateway: the dedicated gateway between clusters.".to_owned(),
        UnitKind::ExposeControlPlane => "What lets remotes reach this primary's istiod.".to_owned(),
        UnitKind::ExposeServices => "Gateway cross-network-gateway: lets other networks reach services through the east-west gateway.".to_owned(),
        UnitKind::ReaderCredential => "A token of the reader account, for the remote secrets in primaries.".to_owned(),
        UnitKind::RemoteSecret(cluster) => format!("The remote secret by which this primary reads {cluster}."),
        UnitKind::AppNamespaces => "Application namespaces with their injection labels.".to_owned(),
    }
}

/// A condition in words.
pub fn condition(done: &Done) -> String {
    match done {
        Done::Exists => "its objects exist".to_owned(),
        Done::Established => "every CustomResourceDefinition is Established".to_owned(),
        Done::RolledOut { daemon_set } => {
            format!("the newest form of {daemon_set} runs on every node that it is for")
        }
        Done::ControlPlane { deployment, webhook } => {
            format!("{deployment} is available and {webhook} has a caBundle")
        }
        Done::Gateway { deployment, address: Some(service) } => {
            format!("{deployment} is available and {service} has an address")
        }
        Done::Gateway { deployment, address: None } => format!("{deployment} is available"),
        Done::Installed(awaited) => {
            format!("others have installed release {} as the topology asks", awaited.release)
        }
        Done::Address { service } => format!("{service} has an address"),
        Done::Token { secret } => format!("{secret} holds a token and its authority"),
        Done::Registered { cluster, effects: Some(effects) } => {
            format!(
                "istiod serves {cluster}: there {} has a caBundle and {} exists",
                effects.webhook, effects.root
            )
        }
        Done::Registered { effects: None, .. } => {
            "it is written: this primary does not serve that cluster, so nothing shows there".to_owned()
        }
    }
}

fn by_cluster(graph: &Graph) -> BTreeMap<String, Vec<&Unit>> {
    let mut clusters: BTreeMap<String, Vec<&Unit>> = BTreeMap::new();
    for unit in graph.units() {
        clusters.entry(unit.cluster.to_string()).or_default().push(unit);
    }
    clusters.values_mut().for_each(|units| units.sort());
    clusters
}

fn edges(graph: &Graph) -> Vec<(Edge, &Unit)> {
    let mut edges: Vec<_> = graph
        .units()
        .into_iter()
        .flat_map(|unit| graph.waits_for(unit).into_iter().map(move |edge| (edge, unit)))
        .collect();
    edges.sort();
    edges
}

/// A unit's name without the characters that Mermaid takes for its own.
fn mermaid_id(unit: &Unit) -> String {
    unit.to_string().replace('/', "__")
}

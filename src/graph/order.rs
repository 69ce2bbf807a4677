//! Stages out of edges, and the path of a circle where there is one.

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::{Graph, GraphError, Reason, Unit};

impl Graph {
    /// Orders the units; a circle is an error that names its path.
    pub(super) fn finish(
        graph: DiGraph<Unit, Reason>,
        index: BTreeMap<Unit, NodeIndex>,
    ) -> Result<Self, GraphError> {
        let Ok(order) = toposort(&graph, None) else {
            return Err(GraphError::Cycle { path: circle(&graph) });
        };
        let mut by_node = vec![1_usize; graph.node_count()];
        for node in order {
            let last =
                graph.neighbors_directed(node, Direction::Incoming).map(|first| by_node[first.index()]).max();
            by_node[node.index()] = last.map_or(1, |stage| stage + 1);
        }
        let stages = index.iter().map(|(unit, node)| (unit.clone(), by_node[node.index()])).collect();
        Ok(Self { graph, index, stages })
    }
}

/// One circle of the graph, its first unit repeated at the end; the smallest unit of it comes first.
fn circle(graph: &DiGraph<Unit, Reason>) -> Vec<Unit> {
    let Some(component) = tarjan_scc(graph).into_iter().find(|component| {
        component.len() > 1 || component.iter().any(|node| graph.contains_edge(*node, *node))
    }) else {
        return Vec::new();
    };
    let start = component.iter().copied().min_by_key(|node| &graph[*node]).expect("a component has nodes");
    // Inside a strongly connected component every walk comes back; the first node met twice closes the circle.
    let mut walk = vec![start];
    loop {
        let here = *walk.last().expect("the walk began at a node");
        let next = graph
            .neighbors(here)
            .filter(|node| component.contains(node))
            .min_by_key(|node| &graph[*node])
            .expect("a node of a component leads on inside it");
        if let Some(met) = walk.iter().position(|node| *node == next) {
            walk.push(next);
            return walk[met..].iter().map(|node| graph[*node].clone()).collect();
        }
        walk.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::UnitKind;

    #[test]
    fn a_circle_names_its_path() {
        let cluster = "one".into();
        let kinds = [UnitKind::Namespace, UnitKind::Base, UnitKind::ControlPlane];
        let mut graph = DiGraph::new();
        let mut index = BTreeMap::new();
        for kind in kinds {
            let unit = Unit::new(&cluster, kind);
            let node = graph.add_node(unit.clone());
            index.insert(unit, node);
        }
        let nodes: Vec<_> = graph.node_indices().collect();
        graph.add_edge(nodes[0], nodes[1], Reason::LivesInNamespace);
        graph.add_edge(nodes[1], nodes[2], Reason::NeedsKinds);
        graph.add_edge(nodes[2], nodes[1], Reason::NeedsKinds);
        let error = Graph::finish(graph, index).expect_err("it has a circle");
        assert_eq!(
            error.to_string(),
            "units wait for one another: one/base -> one/control-plane -> one/base"
        );
    }
}

//! The charts of one rendering: which subcharts are taken, under which names, with which defaults.
//!
//! A chart, read, and values enter; a tree leaves from which [`super::render`]
//! takes templates and scopes. It is made anew for each rendering, since values
//! decide what is in it. What helm keeps behind pointers is kept here by number:
//! two aliases of one chart share its subcharts and their records, and a record
//! that one of them renames is renamed for both (pkg/chartutil/dependencies.go,
//! 3.22).

use super::dependency::{Dependency, Switch};
use super::error::{Fault, Limit};
use super::function::satisfies;
use super::meter::{MOST_CHARTS, Meter};
use super::part::{Part, not_a_chart};
use super::value::{Element, List, Map, Text, Value, from_json};
use super::values::{Nulls, coalesced, copied, merge_tables, table_at, value_at};

/// A chart of the tree, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// A declared dependency, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RecordId(usize);

/// The charts of one rendering.
#[derive(Debug)]
pub(super) struct Tree<'c> {
    nodes: Vec<Node<'c>>,
    records: Vec<Record<'c>>,
}

#[derive(Debug, Clone)]
struct Node<'c> {
    part: &'c Part,
    /// Its own name, or an alias.
    name: Text,
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    /// None where the chart declares nothing, and then takes all that is in its folder.
    records: Option<Vec<RecordId>>,
    defaults: Defaults,
}

#[derive(Debug, Clone)]
enum Defaults {
    /// Those in its files.
    Own,
    /// With those of its subcharts, and what it imported of them.
    Imported(Map),
}

/// A dependency and what became of it.
#[derive(Debug)]
struct Record<'c> {
    declared: &'c Dependency,
    /// The subchart's own name, and its alias once it has been looked for.
    name: Text,
    switch: Option<Switch>,
    imports: Imports,
}

/// What became of the values that a dependency imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Imports {
    Waiting,
    /// A chart has them.
    Taken,
    /// A second chart that shares the record has asked, and helm no longer knew its own note of them.
    Lost,
}

impl<'c> Tree<'c> {
    /// The chart that is rendered.
    pub(super) const ROOT: NodeId = NodeId(0);

    /// All charts of a chart, as they lie in it.
    pub(super) fn of(part: &'c Part) -> Result<Self, Fault> {
        let mut tree = Self { nodes: Vec::new(), records: Vec::new() };
        tree.plant(part)?;
        Ok(tree)
    }

    fn plant(&mut self, part: &'c Part) -> Result<NodeId, Fault> {
        let records = part.metadata.dependencies.as_ref().map(|declared| {
            let first = self.records.len();
            self.records.extend(declared.iter().map(|declared| Record {
                declared,
                name: declared.name.as_str().into(),
                switch: None,
                imports: Imports::Waiting,
            }));
            (first..self.records.len()).map(RecordId).collect()
        });
        let id = self.add(Node {
            part,
            name: part.metadata.name.as_str().into(),
            parent: None,
            children: Vec::new(),
            records,
            defaults: Defaults::Own,
        })?;
        let mut children = Vec::with_capacity(part.parts.len());
        for part in &part.parts {
            children.push(self.plant(part)?);
        }
        self.set_children(id, children);
        Ok(id)
    }

    fn add(&mut self, node: Node<'c>) -> Result<NodeId, Fault> {
        if self.nodes.len() == MOST_CHARTS {
            return Err(Fault::Limit(Limit::Charts(MOST_CHARTS)));
        }
        self.nodes.push(node);
        Ok(NodeId(self.nodes.len() - 1))
    }

    fn set_children(&mut self, id: NodeId, children: Vec<NodeId>) {
        for child in &children {
            self.nodes[child.0].parent = Some(id);
        }
        self.nodes[id.0].children = children;
    }

    pub(super) fn part(&self, id: NodeId) -> &'c Part {
        self.nodes[id.0].part
    }

    /// What the chart is called where it is used.
    pub(super) fn name(&self, id: NodeId) -> &Text {
        &self.nodes[id.0].name
    }

    pub(super) fn children(&self, id: NodeId) -> &[NodeId] {
        &self.nodes[id.0].children
    }

    /// `mesh/charts/redis`: what the names of its templates begin with.
    pub(super) fn full_path(&self, id: NodeId) -> String {
        match self.nodes[id.0].parent {
            None => self.name(id).to_string(),
            Some(parent) => format!("{}/charts/{}", self.full_path(parent), self.name(id)),
        }
    }

    /// `.Chart.Dependencies`.
    pub(super) fn dependencies(&self, id: NodeId) -> List {
        let Some(records) = &self.nodes[id.0].records else { return List::nil(Element::Any) };
        let records = records.iter().map(|record| &self.records[record.0]);
        records.map(|record| record.declared.to_value(&record.name, record.switch, record.imports)).collect()
    }

    /// A chart's defaults, as a map that nobody else has.
    pub(super) fn defaults(&self, id: NodeId, meter: &Meter) -> Result<Map, Fault> {
        let node = &self.nodes[id.0];
        match &node.defaults {
            Defaults::Own => {
                // Each map, list and text of them is made here, for the second time from the second copy on.
                meter.steps(node.part.weight)?;
                let values = |(key, value): (&String, _)| (Text::from(key.as_str()), from_json(value));
                Ok(node.part.defaults.iter().map(values).collect())
            }
            Defaults::Imported(values) => copied(values, meter),
        }
    }

    /// The tree as these values want it: subcharts named, taken or left, and their values imported.
    pub(super) fn resolve(&mut self, given: &Map, meter: &Meter) -> Result<(), Fault> {
        self.select(Self::ROOT, given, "", meter)?;
        self.check_names(Self::ROOT)?;
        self.import(Self::ROOT, meter)
    }

    /// Takes the subcharts that a chart declares, as often as it declares them, and leaves those that are off.
    fn select(&mut self, id: NodeId, given: &Map, path: &str, meter: &Meter) -> Result<(), Fault> {
        let Some(records) = self.nodes[id.0].records.clone() else { return Ok(()) };
        let here = self.nodes[id.0].children.clone();
        let mut children: Vec<NodeId> = here
            .iter()
            .copied()
            .filter(|child| !records.iter().any(|record| self.is_for(*record, *child)))
            .collect();
        for record in &records {
            let mut fitting = here.iter().copied().filter(|child| self.is_for(*record, *child));
            let (found, second) = (fitting.next(), fitting.next());
            let declared = self.records[record.0].declared;
            if second.is_some() {
                let what = format!("`charts` has more than one chart for the dependency `{}`", declared.name);
                return Err(not_a_chart(what));
            }
            if let Some(found) = found {
                let mut node = self.nodes[found.0].clone();
                if !declared.alias.is_empty() {
                    node.name = declared.alias.as_str().into();
                }
                children.push(self.add(node)?);
            }
            if !declared.alias.is_empty() {
                self.records[record.0].name = declared.alias.as_str().into();
            }
        }
        self.set_children(id, children);
        let values = coalesced(self, id, given, Nulls::Delete, meter)?;
        for record in &records {
            self.records[record.0].switch = Some(self.switch(*record, &values, path));
        }
        let off = |record: &RecordId| self.records[record.0].switch == Some(Switch::Off);
        let is_left =
            |name: &Text| records.iter().any(|record| off(record) && self.records[record.0].name == *name);
        let kept: Vec<NodeId> =
            self.children(id).iter().copied().filter(|child| !is_left(self.name(*child))).collect();
        let left: Vec<RecordId> =
            records.iter().copied().filter(|record| !is_left(&self.records[record.0].name)).collect();
        for child in &kept {
            let path = format!("{path}{}.", self.name(*child));
            self.select(*child, &values, &path, meter)?;
        }
        self.nodes[id.0].records = (!left.is_empty()).then_some(left);
        self.set_children(id, kept);
        Ok(())
    }

    /// Whether a chart is what a dependency asks for.
    fn is_for(&self, record: RecordId, child: NodeId) -> bool {
        let (record, node) = (&self.records[record.0], &self.nodes[child.0]);
        let version = &node.part.metadata.version;
        record.name == node.name && satisfies(&record.declared.version, version).unwrap_or(false)
    }

    /// Of two subcharts with one name helm would take the templates of either: a matter of chance.
    fn check_names(&self, id: NodeId) -> Result<(), Fault> {
        let children = self.children(id);
        for (at, child) in children.iter().enumerate() {
            if children[..at].iter().any(|before| self.name(*before) == self.name(*child)) {
                let name = self.name(*child);
                return Err(not_a_chart(format!("two subcharts are called `{name}`: one needs an alias")));
            }
            self.check_names(*child)?;
        }
        Ok(())
    }

    /// Whether values take a dependency: its tags say so, and over them its condition.
    fn switch(&self, record: RecordId, values: &Map, path: &str) -> Switch {
        let Dependency { tags, condition, .. } = self.records[record.0].declared;
        let known = table_at(values, "tags").unwrap_or_default();
        let said = |truth: bool| {
            tags.iter()
                .flatten()
                .any(|tag| matches!(known.get(tag), Some(Value::Bool(said)) if said == truth))
        };
        let by_tags = if said(false) && !said(true) { Switch::Off } else { Switch::On };
        let paths = condition.trim().split(',').filter(|path| !path.is_empty());
        // Helm warns of what is no boolean, and goes on to the next path.
        let by_condition = paths.into_iter().find_map(|inner| {
            let Value::Bool(truth) = value_at(values, &format!("{path}{inner}"))? else { return None };
            Some(if truth { Switch::On } else { Switch::Off })
        });
        by_condition.unwrap_or(by_tags)
    }

    /// Makes values of subcharts their parents' own, from the bottom up.
    fn import(&mut self, id: NodeId, meter: &Meter) -> Result<(), Fault> {
        for child in self.nodes[id.0].children.clone() {
            self.import(child, meter)?;
        }
        let Some(records) = self.nodes[id.0].records.clone() else { return Ok(()) };
        let values = coalesced(self, id, &Map::default(), Nulls::Stay, meter)?;
        let imported = Map::default();
        for record in records {
            let Record { declared, name, imports, .. } = &mut self.records[record.0];
            let (now, wanted) = match imports {
                Imports::Waiting => (Imports::Taken, declared.imports.as_slice()),
                Imports::Taken | Imports::Lost => (Imports::Lost, &[][..]),
            };
            *imports = now;
            for import in wanted {
                let Some(table) = table_at(&values, &format!("{name}.{}", import.child)) else { continue };
                // What is imported later into the same place becomes the subchart's too, but not where it had nothing:
                // for an empty table helm makes another one (pkg/chartutil/values.go, `AsMap`).
                let table = if table.borrow().is_empty() { Map::default() } else { table };
                let wrapped = match import.parent.as_str() {
                    "." => table,
                    parent => parent.rsplit('.').fold(table, |inner, key| {
                        [(Text::from(key), Value::Map(inner))].into_iter().collect()
                    }),
                };
                merge_tables(&imported, &wrapped, Nulls::Stay, meter)?;
            }
        }
        let values = copied(&values, meter)?;
        merge_tables(&values, &imported, Nulls::Stay, meter)?;
        self.nodes[id.0].defaults = Defaults::Imported(values);
        Ok(())
    }
}

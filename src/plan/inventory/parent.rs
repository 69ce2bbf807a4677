//! The inventory as a ConfigMap, and back.
//!
//! `data.cluster` says for which cluster of which mesh it was written;
//! `data.plans` holds the ID of a saved plan on each line, where any was applied;
//! `data["unit.<unit>"]` holds a line for each object of a unit: group, kind,
//! namespace, name, UID, origin and digest as a JSON list.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Inventory, InventoryEntry, Origin};
use crate::compile::{MeshFacts, applyset_id, parent_name};
use crate::diagnostic::Failure;
use crate::graph::Unit;
use crate::object::{Object, ObjectRef};
use crate::plan::codes;
use crate::topology::ClusterName;

/// The label that names the parent's apply set (KEP-3659).
const ID_LABEL: &str = "applyset.kubernetes.io/id";

/// Who wrote the parent.
const TOOLING: &str = "applyset.kubernetes.io/tooling";

/// Which lists find the members.
const GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";

/// In which namespaces beside its own.
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";

/// The format of `data`.
const FORMAT: u64 = 1;

/// Why an object is no inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInventory {
    /// A part of `data` is missing or cannot be read.
    #[error("data[{key:?}]: {fault}")]
    Broken {
        /// The key.
        key: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A later Stolos wrote it.
    #[error("it is of format {0}, which a later Stolos writes")]
    Newer(u64),
    /// Another tool's apply set has the same name.
    #[error("it belongs to {0}")]
    OtherTool(String),
}

impl NotAnInventory {
    /// For a view.
    pub fn failure(&self, cluster: &ClusterName, object: &ObjectRef) -> Failure {
        Failure::new(&codes::INVENTORY_UNREADABLE, format!("{cluster}: {object} cannot be read: {self}"))
            .with_help(
                "put back what stood there, or remove the ConfigMap: every object is then adopted again",
            )
    }
}

/// The ConfigMap that holds the inventory of a mesh in each of its clusters.
pub fn inventory_ref(mesh: &MeshFacts) -> ObjectRef {
    ObjectRef {
        group: String::new(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(mesh.namespace.clone()),
        name: parent_name(mesh),
    }
}

impl Inventory {
    /// The ConfigMap to write.
    pub fn to_object(&self, mesh: &MeshFacts) -> Object {
        let parent = inventory_ref(mesh);
        let kinds: BTreeSet<String> =
            self.entries.keys().map(|object| object.group_kind().to_string()).collect();
        let namespaces: BTreeSet<&str> = self
            .entries
            .keys()
            .filter_map(|object| object.namespace.as_deref())
            .filter(|namespace| *namespace != mesh.namespace)
            .collect();
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (object, entry) in &self.entries {
            lines
                .entry(format!("unit.{}", entry.unit.kind))
                .or_default()
                .push(line(object, entry).to_string());
        }
        let mut data: BTreeMap<String, String> =
            lines.into_iter().map(|(key, lines)| (key, lines.join("\n"))).collect();
        let cluster = json!({"format": FORMAT, "uid": self.cluster_uid, "members": self.members});
        data.insert("cluster".to_owned(), cluster.to_string());
        if !self.plans.is_empty() {
            data.insert("plans".to_owned(), self.plans.join("\n"));
        }
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": parent.name,
                "namespace": parent.namespace,
                "labels": {ID_LABEL: applyset_id(mesh)},
                "annotations": {
                    TOOLING: concat!("stolos/v", env!("CARGO_PKG_VERSION")),
                    GROUP_KINDS: kinds.into_iter().collect::<Vec<_>>().join(","),
                    NAMESPACES: namespaces.into_iter().collect::<Vec<_>>().join(","),
                },
            },
            "data": data,
        });
        Object::from_value(object).expect("it has a version, a kind and a name")
    }

    /// Reads what [`to_object`](Self::to_object) wrote in `cluster`. Whatever it cannot read is an error.
    pub fn from_object(object: &Object, cluster: &ClusterName) -> Result<Self, NotAnInventory> {
        if let Some(tool) = object.annotation(TOOLING)
            && !tool.starts_with("stolos/")
        {
            return Err(NotAnInventory::OtherTool(tool.to_owned()));
        }
        let broken =
            |key: &str, fault: &str| NotAnInventory::Broken { key: key.to_owned(), fault: fault.to_owned() };
        let data = object.get(&["data"]).and_then(Value::as_object);
        let mut inventory = Self::default();
        let mut is_complete = false;
        for (key, value) in data.into_iter().flatten() {
            let text = value.as_str().ok_or_else(|| broken(key, "it is no text"))?;
            if key == "cluster" {
                inventory.read_cluster(text)?;
                is_complete = true;
            } else if key == "plans" {
                inventory.plans = text.lines().map(str::to_owned).collect();
            } else {
                let unit =
                    key.strip_prefix("unit.").and_then(|kind| format!("{cluster}/{kind}").parse().ok());
                let unit: Unit = unit.ok_or_else(|| broken(key, "it names no unit"))?;
                for text in text.lines() {
                    let (object, entry) = read_line(text, &unit).ok_or_else(|| {
                        broken(key, "a line is not group, kind, namespace, name, uid, origin, digest")
                    })?;
                    if inventory.entries.insert(object.clone(), entry).is_some() {
                        return Err(broken(key, &format!("{object} stands twice")));
                    }
                }
            }
        }
        if is_complete { Ok(inventory) } else { Err(broken("cluster", "it is missing")) }
    }

    fn read_cluster(&mut self, text: &str) -> Result<(), NotAnInventory> {
        let broken =
            |fault: &str| NotAnInventory::Broken { key: "cluster".to_owned(), fault: fault.to_owned() };
        let value: Value = serde_json::from_str(text).map_err(|_| broken("it is no JSON"))?;
        match value["format"].as_u64() {
            Some(FORMAT) => {}
            Some(later) if later > FORMAT => return Err(NotAnInventory::Newer(later)),
            _ => return Err(broken("`format` is missing")),
        }
        self.cluster_uid = value["uid"].as_str().ok_or_else(|| broken("`uid` is missing"))?.to_owned();
        let members = value["members"].as_array().ok_or_else(|| broken("`members` is missing"))?;
        self.members = members
            .iter()
            .map(|member| member.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| broken("a member is no text"))?;
        Ok(())
    }
}

fn line(object: &ObjectRef, entry: &InventoryEntry) -> Value {
    let origin = match entry.origin {
        Origin::Created => "created",
        Origin::Adopted => "adopted",
    };
    json!([object.group, object.kind, object.namespace, object.name, entry.uid, origin, entry.digest])
}

fn read_line(text: &str, unit: &Unit) -> Option<(ObjectRef, InventoryEntry)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let [group, kind, namespace, name, uid, origin, digest] = value.as_array()?.as_slice() else {
        return None;
    };
    let optional = |value: &Value| match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        _ => None,
    };
    let object = ObjectRef {
        group: group.as_str()?.to_owned(),
        kind: kind.as_str()?.to_owned(),
        namespace: optional(namespace)?,
        name: name.as_str()?.to_owned(),
    };
    let origin = match origin.as_str()? {
        "created" => Origin::Created,
        "adopted" => Origin::Adopted,
        _ => return None,
    };
    let digest = digest.as_str()?.to_owned();
    Some((object, InventoryEntry { uid: optional(uid)?, origin, unit: unit.clone(), digest }))
}

//! The kinds that Stolos knows: one table.
//!
//! What names a kind on the wire (group, versions, plural, scope) and how
//! server-side apply merges it. The sandbox serves the built-in rows; the
//! cluster client takes plurals and scopes from here without asking a server
//! for discovery; the diff takes list keys. Custom resources of other origin
//! come from the CustomResourceDefinitions of a cluster.

mod shapes;
mod table;

pub use table::TABLE;

use super::fields::KeyedList;
use super::path::PathElement;

/// One kind.
#[derive(Debug)]
pub struct KindInfo {
    /// Empty for the core group.
    pub group: &'static str,
    /// The versions that serve it, the preferred one first.
    pub versions: &'static [&'static str],
    /// `Deployment`.
    pub kind: &'static str,
    /// `deployments`.
    pub plural: &'static str,
    /// `deployment`.
    pub singular: &'static str,
    /// `deploy`.
    pub short_names: &'static [&'static str],
    /// Whether its objects lie in namespaces.
    pub scope: Scope,
    /// What else than the object itself can be written.
    pub subresources: &'static [Subresource],
    /// Who brings it to a cluster.
    pub origin: Origin,
    /// How its fields merge.
    pub shape: &'static Shape,
}

/// Where the objects of a kind lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In the cluster.
    Cluster,
    /// In a namespace.
    Namespaced,
}

/// A part of an object with a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subresource {
    /// `/status`.
    Status,
    /// `/scale`.
    Scale,
}

/// Who brings a kind to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Every cluster has it.
    BuiltIn,
    /// A CustomResourceDefinition of Istio.
    Istio,
}

/// How server-side apply merges a value.
#[derive(Debug)]
pub enum Shape {
    /// One value, map or list; owned and replaced whole.
    Atomic,
    /// A map of no declared type: merged by field all the way down, its lists whole.
    Free,
    /// A declared type: merged by field; those not named here are open.
    Fields(&'static [(&'static str, Shape)]),
    /// A list whose items are their own keys.
    Set,
    /// A list whose items are told apart by some of their fields.
    List {
        /// What tells them apart.
        keys: &'static [ItemKey],
        /// What an item is made of.
        item: &'static Shape,
    },
    /// The shape of a type that several share.
    Same(&'static Shape),
}

/// A field that tells the items of a list apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemKey {
    /// The field's name.
    pub name: &'static str,
    /// What it is where an item leaves it out.
    pub default: Option<&'static str>,
}

impl ItemKey {
    const fn of(name: &'static str) -> Self {
        Self { name, default: None }
    }

    const fn defaulting(name: &'static str, default: &'static str) -> Self {
        Self { name, default: Some(default) }
    }
}

impl Shape {
    /// The rule: a declared map merges by field, a list is one value.
    pub const OPEN: Self = Self::Fields(&[]);

    /// What lies in a field of it.
    pub fn field(&'static self, name: &str) -> &'static Self {
        match self {
            Self::Fields(fields) => match fields.iter().find(|(field, _)| *field == name) {
                Some((_, Self::Same(shape))) => shape,
                Some((_, shape)) => shape,
                None => &Self::OPEN,
            },
            Self::Same(shape) => shape.field(name),
            Self::Free => &Self::Free,
            Self::Atomic | Self::Set | Self::List { .. } => &Self::OPEN,
        }
    }

    /// What lies one step below it.
    pub fn below(&'static self, element: &PathElement) -> &'static Self {
        match element {
            PathElement::Field(name) => self.field(name),
            PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_) => match self.keyed_list() {
                Some(list) => list.item,
                None => &Self::OPEN,
            },
        }
    }

    /// The keys by which a list here is merged; none where it is one value.
    pub fn keyed_list(&'static self) -> Option<KeyedList> {
        match self {
            Self::Set => Some(KeyedList { keys: &[], item: &Self::OPEN }),
            Self::List { keys, item } => Some(KeyedList { keys, item }),
            Self::Same(shape) => shape.keyed_list(),
            Self::Atomic | Self::Free | Self::Fields(_) => None,
        }
    }

    /// Whether a map here is one value.
    pub fn is_atomic_map(&self) -> bool {
        match self {
            Self::Atomic => true,
            Self::Same(shape) => shape.is_atomic_map(),
            Self::Free | Self::Fields(_) | Self::Set | Self::List { .. } => false,
        }
    }

    /// Whether the fields of a map here are declared, so that only their leaves are owned.
    pub fn declares_fields(&self) -> bool {
        match self {
            Self::Fields(_) => true,
            Self::Same(shape) => shape.declares_fields(),
            Self::Atomic | Self::Free | Self::Set | Self::List { .. } => false,
        }
    }
}

impl KindInfo {
    /// The version to use: the first that is served.
    pub fn version(&self) -> &'static str {
        self.versions.first().copied().unwrap_or("v1")
    }

    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// Whether it has this subresource.
    pub fn has(&self, subresource: Subresource) -> bool {
        self.subresources.contains(&subresource)
    }
}

/// The row of a kind.
pub fn find(group: &str, kind: &str) -> Option<&'static KindInfo> {
    TABLE.iter().find(|row| row.group == group && row.kind == kind)
}

/// The row of a plural.
pub fn find_plural(group: &str, plural: &str) -> Option<&'static KindInfo> {
    TABLE.iter().find(|row| row.group == group && row.plural == plural)
}

/// The shape of custom resources, whatever their kind.
pub fn custom_shape() -> &'static Shape {
    &shapes::CUSTOM
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_and_no_plural_stands_twice() {
        for (position, row) in TABLE.iter().enumerate() {
            for other in &TABLE[position + 1..] {
                assert!(
                    row.group != other.group || (row.kind != other.kind && row.plural != other.plural),
                    "{}",
                    row.kind
                );
            }
        }
    }

    #[test]
    fn containers_of_a_deployment_are_told_apart_by_name() {
        let deployment = find("apps", "Deployment").map(|row| row.shape);
        let containers = deployment
            .map(|shape| shape.field("spec").field("template").field("spec").field("containers"))
            .and_then(Shape::keyed_list);
        let keys: Vec<&str> = containers.into_iter().flat_map(|list| list.keys).map(|key| key.name).collect();
        assert_eq!(keys, ["name"]);
    }
}

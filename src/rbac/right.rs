//! One right, sets of them without what others cover, and the rules that grant them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cluster::Request;
use crate::object::{GroupKind, ObjectRef, kinds};

/// Everything, in the words of RBAC.
const ALL: &str = "*";

/// One thing that an account may do, as RBAC tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// A verb on objects.
    Objects {
        /// Empty for the core group, `*` for all.
        group: String,
        /// The plural, with a subresource behind a slash; `*` for all.
        resource: String,
        /// None for all names.
        name: Option<String>,
        /// `get`; `*` for all.
        verb: String,
    },
    /// A verb on a path that is no object's.
    Path {
        /// `/metrics`, `/healthz/*`.
        path: String,
        /// `get`.
        verb: String,
    },
}

/// A set of rights.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights(BTreeSet<Right>);

/// One rule of a role: every verb on every name of every resource of every group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The groups; empty for a rule about paths.
    pub groups: Vec<String>,
    /// The resources.
    pub resources: Vec<String>,
    /// The names; empty for all.
    pub names: Vec<String>,
    /// Paths that are no object's.
    pub paths: Vec<String>,
    /// The verbs.
    pub verbs: Vec<String>,
}

impl Right {
    /// A verb on one object, or on all of a kind.
    pub fn new(group: &str, resource: &str, name: Option<&str>, verb: &str) -> Self {
        Self::Objects {
            group: group.to_owned(),
            resource: resource.to_owned(),
            name: name.map(str::to_owned),
            verb: verb.to_owned(),
        }
    }

    /// Whether whoever has this right needs no other to do what `other` allows.
    pub fn covers(&self, other: &Self) -> bool {
        let within = |wide: &str, narrow: &str| wide == ALL || wide == narrow;
        match (self, other) {
            (
                Self::Objects { group, resource, name, verb },
                Self::Objects {
                    group: other_group,
                    resource: other_resource,
                    name: other_name,
                    verb: other_verb,
                },
            ) => {
                within(group, other_group)
                    && (within(resource, other_resource) || covers_subresource(resource, other_resource))
                    && within(verb, other_verb)
                    && (name.is_none() || name == other_name)
            }
            (Self::Path { path, verb }, Self::Path { path: other_path, verb: other_verb }) => {
                let starts = path.strip_suffix(ALL).is_some_and(|start| other_path.starts_with(start));
                (path == other_path || starts) && within(verb, other_verb)
            }
            (Self::Objects { .. }, Self::Path { .. }) | (Self::Path { .. }, Self::Objects { .. }) => false,
        }
    }

    /// Whether it grants by a wildcard, or all names.
    fn is_wide(&self) -> bool {
        match self {
            Self::Objects { group, resource, name, verb } => {
                name.is_none() || group == ALL || resource.starts_with(ALL) || verb == ALL
            }
            Self::Path { .. } => true,
        }
    }
}

/// `*/status` is the status of whatever there is.
fn covers_subresource(wide: &str, narrow: &str) -> bool {
    match (wide.split_once('/'), narrow.split_once('/')) {
        (Some((ALL, wide)), Some((_, narrow))) => wide == narrow,
        _ => false,
    }
}

impl Rights {
    /// Adds a right.
    pub fn add(&mut self, right: Right) {
        self.0.insert(right);
    }

    /// Adds what a request for one object takes.
    pub fn ask(&mut self, request: Request, object: &ObjectRef) {
        self.ask_for(request, &object.group_kind(), Some(&object.name));
    }

    /// Adds what a request for a kind takes, or for the object of a name.
    ///
    /// A kind that Stolos does not know is never asked for: it stops with `kind-unknown` before that.
    pub fn ask_for(&mut self, request: Request, kind: &GroupKind, name: Option<&str>) {
        let Some(info) = kinds::find(&kind.group, &kind.kind) else { return };
        let name = name.filter(|_| request.is_named());
        for verb in request.verbs() {
            self.add(Right::new(info.group, info.plural, name, verb));
        }
    }

    /// Those that no other one covers.
    pub fn minimal(&self) -> Self {
        let wide: Vec<&Right> = self.0.iter().filter(|right| right.is_wide()).collect();
        let is_needed = |right: &&Right| {
            // Of two that cover each other there is only one: they are equal.
            !wide.iter().any(|other| *other != *right && other.covers(right))
        };
        Self(self.0.iter().filter(is_needed).cloned().collect())
    }

    /// The rights, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Right> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules that grant these rights and no others: those of one resource with the same verbs are one,
    /// and those for all names of one group with the same verbs.
    pub fn rules(&self) -> Vec<Rule> {
        let mut verbs: BTreeMap<(&str, &str, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
        let mut paths: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for right in &self.0 {
            match right {
                Right::Objects { group, resource, name, verb } => {
                    verbs.entry((group, resource, name.as_deref())).or_default().insert(verb);
                }
                Right::Path { path, verb } => {
                    paths.entry(path).or_default().insert(verb);
                }
            }
        }
        let mut wide: BTreeMap<(&str, BTreeSet<&str>), Vec<&str>> = BTreeMap::new();
        let mut named: BTreeMap<(&str, &str, BTreeSet<&str>), Vec<&str>> = BTreeMap::new();
        for ((group, resource, name), verbs) in verbs {
            match name {
                None => wide.entry((group, verbs)).or_default().push(resource),
                Some(name) => named.entry((group, resource, verbs)).or_default().push(name),
            }
        }
        let mut by_verbs: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
        for (path, verbs) in paths {
            by_verbs.entry(verbs).or_default().push(path);
        }
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let listed = |texts: &BTreeSet<&str>| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let wide = wide.iter().map(|((group, verbs), resources)| Rule {
            groups: owned(&[group]),
            resources: owned(resources),
            names: Vec::new(),
            paths: Vec::new(),
            verbs: listed(verbs),
        });
        let named = named.iter().map(|((group, resource, verbs), names)| Rule {
            groups: owned(&[group]),
            resources: owned(&[resource]),
            names: owned(names),
            paths: Vec::new(),
            verbs: listed(verbs),
        });
        let paths = by_verbs.iter().map(|(verbs, paths)| Rule {
            groups: Vec::new(),
            resources: Vec::new(),
            names: Vec::new(),
            paths: owned(paths),
            verbs: listed(verbs),
        });
        wide.chain(named).chain(paths).collect()
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<T: IntoIterator<Item = Right>>(rights: T) -> Self {
        Self(rights.into_iter().collect())
    }
}

impl Extend<Right> for Rights {
    fn extend<T: IntoIterator<Item = Right>>(&mut self, rights: T) {
        self.0.extend(rights);
    }
}

impl IntoIterator for Rights {
    type Item = Right;
    type IntoIter = std::collections::btree_set::IntoIter<Right>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Rule {
    /// A rule of a live or desired role; what is missing is empty.
    pub fn read(rule: &Value) -> Self {
        let texts = |key: &str| -> Vec<String> {
            let items = rule[key].as_array().into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        Self {
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            paths: texts("nonResourceURLs"),
            verbs: texts("verbs"),
        }
    }

    /// As a role holds it.
    pub fn write(&self) -> Value {
        let mut rule = json!({});
        if self.paths.is_empty() {
            rule["apiGroups"] = json!(self.groups);
            rule["resources"] = json!(self.resources);
            if !self.names.is_empty() {
                rule["resourceNames"] = json!(self.names);
            }
        } else {
            rule["nonResourceURLs"] = json!(self.paths);
        }
        rule["verbs"] = json!(self.verbs);
        rule
    }

    /// Every right that it grants.
    pub fn rights(&self) -> Rights {
        let mut rights = Rights::default();
        let names: Vec<Option<&str>> = match self.names.as_slice() {
            [] => vec![None],
            names => names.iter().map(|name| Some(name.as_str())).collect(),
        };
        for verb in &self.verbs {
            for group in &self.groups {
                for resource in &self.resources {
                    for name in &names {
                        rights.add(Right::new(group, resource, *name, verb));
                    }
                }
            }
            for path in &self.paths {
                rights.add(Right::Path { path: path.clone(), verb: verb.clone() });
            }
        }
        rights
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn right(group: &str, resource: &str, name: Option<&str>, verb: &str) -> Right {
        Right::new(group, resource, name, verb)
    }

    #[test]
    fn what_a_wider_right_covers_is_left_out() {
        let rights: Rights = [
            right("", "services", None, "list"),
            right("", "services", Some("istiod"), "list"),
            right("", "services", Some("istiod"), "get"),
            right("networking.istio.io", "*", None, "list"),
            right("networking.istio.io", "gateways", None, "list"),
            right("apps", "*/status", None, "patch"),
            right("apps", "deployments/status", Some("istiod"), "patch"),
        ]
        .into_iter()
        .collect();
        let expected: Rights = [
            right("", "services", None, "list"),
            right("", "services", Some("istiod"), "get"),
            right("networking.istio.io", "*", None, "list"),
            right("apps", "*/status", None, "patch"),
        ]
        .into_iter()
        .collect();
        assert_eq!(rights.minimal(), expected);
    }

    #[test]
    fn names_of_one_resource_share_a_rule_and_those_of_two_never_do() {
        let rights: Rights = [
            right("", "configmaps", Some("a"), "get"),
            right("", "configmaps", Some("b"), "get"),
            right("", "secrets", Some("a"), "get"),
            right("", "configmaps", None, "list"),
            right("", "services", None, "list"),
        ]
        .into_iter()
        .collect();
        let written: Vec<String> = rights.rules().iter().map(|rule| rule.write().to_string()).collect();
        assert_eq!(
            written,
            [
                r#"{"apiGroups":[""],"resources":["configmaps","services"],"verbs":["list"]}"#,
                r#"{"apiGroups":[""],"resourceNames":["a","b"],"resources":["configmaps"],"verbs":["get"]}"#,
                r#"{"apiGroups":[""],"resourceNames":["a"],"resources":["secrets"],"verbs":["get"]}"#,
            ]
            .map(|text| serde_json::from_str::<Value>(text).expect("JSON").to_string())
        );
    }

    fn any_right() -> impl Strategy<Value = Right> {
        let word = |words: &'static [&'static str]| prop::sample::select(words);
        prop_oneof![
            9 => (
                word(&["", "apps", "*"]),
                word(&["services", "deployments", "*", "*/status", "deployments/status"]),
                prop::option::of(word(&["a", "b"])),
                word(&["get", "list", "*"]),
            )
                .prop_map(|(group, resource, name, verb)| right(group, resource, name, verb)),
            1 => (word(&["/metrics", "/healthz/*", "/healthz/etcd"]), word(&["get", "*"]))
                .prop_map(|(path, verb)| Right::Path { path: path.to_owned(), verb: verb.to_owned() }),
        ]
    }

    proptest! {
        #[test]
        fn rules_grant_the_rights_that_they_were_made_of(rights in prop::collection::btree_set(any_right(), 0..30)) {
            let rights: Rights = rights.into_iter().collect();
            let granted: Rights = rights
                .rules()
                .iter()
                .flat_map(|rule| Rule::read(&rule.write()).rights())
                .collect();
            prop_assert_eq!(granted, rights);
        }

        #[test]
        fn the_minimal_rights_cover_all_and_not_one_another(rights in prop::collection::btree_set(any_right(), 0..30)) {
            let rights: Rights = rights.into_iter().collect();
            let minimal = rights.minimal();
            for right in rights.iter() {
                prop_assert!(minimal.iter().any(|kept| kept.covers(right)), "{right:?}");
            }
            for right in minimal.iter() {
                prop_assert!(!minimal.iter().any(|other| other != right && other.covers(right)), "{right:?}");
            }
        }
    }
}

//! The values that templates work on, with Go's meaning.
//!
//! Maps are references: `set` on one is seen by everyone who holds it. A value
//! belongs to one render and one thread; whatever a chart keeps between renders
//! is made of plain data.

mod convert;
mod host;
mod print;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

pub(super) use convert::{
    Escape, JsonStyle, Layout, check_writable, from_json, from_node, host, no_items, text_map, texts,
    to_json_text,
};
pub(super) use host::{FileTable, Host};
pub(super) use print::{display, display_in_action, escape, escape_ascii, is_printable, quoted};

/// A text, shared with the chart's files and literals.
pub(super) type Text = Arc<str>;

/// A value of a template.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// No value at all: a field of it is nothing again.
    Nothing,
    /// Go's nil inside a map or list: a field of it is an error.
    Nil,
    Bool(bool),
    /// Go's `int`: a literal, a length, an index.
    Int(i64),
    /// Go's `int64`: what sprig's arithmetic gives.
    Int64(i64),
    /// Go's `float64`: every number that was read from YAML or JSON.
    Float(f64),
    Text(Text),
    List(List),
    Map(Map),
    /// One of Helm's own objects.
    Host(Rc<Host>),
}

/// A list; never changed in place.
#[derive(Debug, Clone, Default)]
pub(super) struct List(Rc<Items>);

#[derive(Debug, Default)]
struct Items {
    values: Vec<Value>,
    element: Element,
    /// Go's nil of a list, which has no items and is written as `null`.
    is_nil: bool,
}

/// Of what type the items of a list are: templates can ask, and lists of different types are never equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Element {
    #[default]
    Any,
    Text,
    Int,
    List,
}

/// A map, shared by reference.
#[derive(Debug, Clone, Default)]
pub(super) struct Map(Rc<Entries>);

#[derive(Debug, Default)]
struct Entries {
    map: RefCell<BTreeMap<Text, Value>>,
    /// Go's `map[string]string`, whose missing entries are empty texts.
    texts_only: bool,
    /// Go's nil of a map, which has no entries and is written as `null`.
    is_nil: bool,
}

impl Value {
    pub(super) fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Self::Nothing | Self::Nil)
    }

    /// Go's truth, which is sprig's `not empty` too.
    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Nothing | Self::Nil => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) | Self::Int64(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.borrow().is_empty(),
            Self::Host(host) => host.truth(),
        }
    }

    /// The name of Go's type, as its messages and `typeOf` say it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nothing | Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(list) => match list.element() {
                Element::Any => "[]interface {}",
                Element::Text => "[]string",
                Element::Int => "[]int",
                Element::List => "[][]interface {}",
            },
            Self::Map(map) if map.0.texts_only => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::Host(host) => host.type_name(),
        }
    }

    /// The name of Go's kind, as `kindOf` says it.
    pub(super) fn kind_name(&self) -> &'static str {
        match self {
            Self::Nothing | Self::Nil => "invalid",
            Self::List(_) => "slice",
            Self::Map(_) => "map",
            Self::Host(host) => host.kind_name(),
            Self::Bool(_) | Self::Int(_) | Self::Int64(_) | Self::Float(_) | Self::Text(_) => {
                self.type_name()
            }
        }
    }

    /// The items, if it is a list of any kind.
    pub(super) fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            Self::Host(host) => host.as_list(),
            Self::Nothing
            | Self::Nil
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Int64(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Map(_) => None,
        }
    }
}

impl List {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self::of(Element::Any, values)
    }

    /// A list whose items are all of one type.
    pub(super) fn of(element: Element, values: Vec<Value>) -> Self {
        Self(Rc::new(Items { values, element, is_nil: false }))
    }

    /// A list that nobody made.
    pub(super) fn nil(element: Element) -> Self {
        Self(Rc::new(Items { values: Vec::new(), element, is_nil: true }))
    }

    pub(super) fn element(&self) -> Element {
        self.0.element
    }

    pub(super) fn is_nil(&self) -> bool {
        self.0.is_nil
    }
}

impl std::ops::Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0.values
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::new(items.into_iter().collect())
    }
}

impl Map {
    pub(super) fn new(map: BTreeMap<Text, Value>) -> Self {
        Self(Rc::new(Entries { map: RefCell::new(map), texts_only: false, is_nil: false }))
    }

    /// Go's `map[string]string`.
    pub(super) fn of_texts(map: BTreeMap<Text, Value>) -> Self {
        Self(Rc::new(Entries { map: RefCell::new(map), texts_only: true, is_nil: false }))
    }

    /// A `map[string]interface {}` that nobody made.
    pub(super) fn nil() -> Self {
        Self(Rc::new(Entries { map: RefCell::default(), texts_only: false, is_nil: true }))
    }

    /// A `map[string]string` that nobody made.
    pub(super) fn nil_of_texts() -> Self {
        Self(Rc::new(Entries { map: RefCell::default(), texts_only: true, is_nil: true }))
    }

    pub(super) fn is_nil(&self) -> bool {
        self.0.is_nil
    }

    pub(super) fn texts_only(&self) -> bool {
        self.0.texts_only
    }

    /// The entries; nobody changes the map while they are held.
    pub(super) fn borrow(&self) -> Ref<'_, BTreeMap<Text, Value>> {
        self.0.map.borrow()
    }

    /// The entries, to change; nobody else looks at the map meanwhile.
    pub(super) fn borrow_mut(&self) -> RefMut<'_, BTreeMap<Text, Value>> {
        self.0.map.borrow_mut()
    }

    pub(super) fn get(&self, key: &str) -> Option<Value> {
        self.borrow().get(key).cloned()
    }

    /// Sets an entry.
    pub(super) fn insert(&self, key: Text, value: Value) {
        let before = self.borrow_mut().insert(key, value);
        // Only now is the map free for whatever the value before holds.
        drop(before);
    }

    /// Takes an entry away.
    pub(super) fn remove(&self, key: &str) {
        let before = self.borrow_mut().remove(key);
        drop(before);
    }

    /// The entries as they are now, whatever becomes of the map.
    pub(super) fn entries(&self) -> Vec<(Text, Value)> {
        self.borrow().iter().map(|(key, value)| (Arc::clone(key), value.clone())).collect()
    }

    /// A map of its own with the same values.
    pub(super) fn shallow(&self) -> Self {
        Self::new(self.borrow().clone())
    }

    /// What a missing entry reads as.
    pub(super) fn missing(&self) -> Value {
        if self.0.texts_only { Value::text("") } else { Value::Nil }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl FromIterator<(Text, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(entries: I) -> Self {
        Self::new(entries.into_iter().collect())
    }
}

/// The content of a file as a value.
pub(super) fn bytes(content: &Arc<[u8]>) -> Value {
    host(Host::Bytes(Arc::clone(content)))
}

/// Takes values apart level by level: a template can nest them deeper than the
/// stack of a thread is.
fn take_apart(mut waiting: Vec<Value>) {
    while let Some(value) = waiting.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut items) = Rc::into_inner(list.0) {
                    waiting.append(&mut items.values);
                }
            }
            Value::Map(map) => {
                if let Some(entries) = Rc::into_inner(map.0) {
                    waiting.extend(entries.map.take().into_values());
                }
            }
            Value::Nothing
            | Value::Nil
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Int64(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Host(_) => {}
        }
    }
}

fn holds_values(value: &Value) -> bool {
    matches!(value, Value::List(_) | Value::Map(_))
}

impl Drop for Items {
    fn drop(&mut self) {
        if self.values.iter().any(holds_values) {
            take_apart(std::mem::take(&mut self.values));
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        if self.map.get_mut().values().any(holds_values) {
            take_apart(self.map.take().into_values().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_nested_a_million_levels_deep_is_taken_apart() {
        let mut value = Value::Nil;
        for level in 0..1_000_000 {
            value = if level % 2 == 0 {
                Value::List(List::new(vec![value]))
            } else {
                Value::Map([(Text::from("k"), value)].into_iter().collect())
            };
        }
        drop(value);
    }

    #[test]
    fn a_map_is_shared() {
        let map = Map::default();
        let other = map.clone();
        map.borrow_mut().insert("a".into(), Value::Int(1));
        assert_eq!((other.get("a").map(|v| v.truth()), other.is_same(&map)), (Some(true), true));
    }
}

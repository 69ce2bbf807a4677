//! Helm's own objects: `.Chart`, `.Capabilities`, `.Files`.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::chart::error::{Fault, Limit};
use crate::chart::meter::{MOST_BYTES, MOST_NESTING};
use crate::document::emit::{Bounds, write_yaml};

use super::convert::{host, texts};
use super::{List, Map, Text, Value};

/// The files of a chart that templates may read, by path.
pub(in crate::chart) type FileTable = BTreeMap<Text, Arc<[u8]>>;

/// An object that is no plain map: it has fields of fixed names, or methods.
#[derive(Debug)]
pub(in crate::chart) enum Host {
    /// A Go struct: `.Chart`, `.Capabilities`, `.Capabilities.HelmVersion`.
    Struct { type_name: &'static str, fields: Vec<(&'static str, Value)> },
    /// `.Capabilities.KubeVersion`.
    KubeVersion { version: Text, major: Text, minor: Text },
    /// `.Capabilities.APIVersions`.
    ApiVersions(List),
    /// `.Files` and what `Glob` leaves of it.
    Files(Arc<FileTable>),
    /// The content of one file, as `range` over `.Files` gives it.
    Bytes(Arc<[u8]>),
}

impl Host {
    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Struct { .. } | Self::KubeVersion { .. } => true,
            Self::ApiVersions(list) => !list.is_empty(),
            Self::Files(files) => !files.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
        }
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Struct { type_name, .. } => type_name,
            Self::KubeVersion { .. } => "chartutil.KubeVersion",
            Self::ApiVersions(_) => "chartutil.VersionSet",
            Self::Files(_) => "engine.files",
            Self::Bytes(_) => "[]uint8",
        }
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match self {
            Self::Struct { .. } | Self::KubeVersion { .. } => "struct",
            Self::ApiVersions(_) | Self::Bytes(_) => "slice",
            Self::Files(_) => "map",
        }
    }

    pub(super) fn as_list(&self) -> Option<&List> {
        match self {
            Self::ApiVersions(list) => Some(list),
            Self::Struct { .. } | Self::KubeVersion { .. } | Self::Files(_) | Self::Bytes(_) => None,
        }
    }
}

/// What a method gets where it wants one text.
fn one_text<'a>(method: &str, args: Option<&'a [Value]>) -> Result<&'a str, Fault> {
    match args {
        Some([Value::Text(text)]) => Ok(text),
        Some([other]) => Err(Fault::Template(format!(
            "{method}: wrong type for value; expected string; got {}",
            other.type_name()
        ))),
        Some(args) => Err(wrong_count(method, args.len())),
        None => Err(wrong_count(method, 0)),
    }
}

fn wrong_count(method: &str, got: usize) -> Fault {
    Fault::Template(format!("wrong number of args for {method}: want 1 got {got}"))
}

fn utf8(path: &str, bytes: &[u8]) -> Result<Value, Fault> {
    std::str::from_utf8(bytes)
        .map(Value::text)
        .map_err(|_| Fault::Template(format!("{path} is not UTF-8: reading it as text is not implemented")))
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl Host {
    /// The files, if it is a table of them.
    pub(in crate::chart) fn files(&self) -> Option<&FileTable> {
        match self {
            Self::Files(files) => Some(files),
            Self::Struct { .. } | Self::KubeVersion { .. } | Self::ApiVersions(_) | Self::Bytes(_) => None,
        }
    }

    /// The bytes, if it is the content of one file.
    pub(in crate::chart) fn content(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Struct { .. } | Self::KubeVersion { .. } | Self::ApiVersions(_) | Self::Files(_) => None,
        }
    }

    /// A field, or what a method gives.
    pub(in crate::chart) fn field(&self, name: &str, args: Option<&[Value]>) -> Result<Value, Fault> {
        match (self, name) {
            (Self::ApiVersions(list), "Has") => {
                let wanted = one_text(name, args)?;
                Ok(Value::Bool(
                    list.iter().any(|known| matches!(known, Value::Text(text) if **text == *wanted)),
                ))
            }
            (Self::Files(files), "Get") => {
                let path = one_text(name, args)?;
                files.get(path).map_or_else(|| Ok(Value::text("")), |bytes| utf8(path, bytes))
            }
            (Self::Files(files), "GetBytes") => {
                let path = one_text(name, args)?;
                let bytes = files.get(path).map_or_else(|| Arc::from([]), Arc::clone);
                Ok(host(Self::Bytes(bytes)))
            }
            (Self::Files(files), "Lines") => {
                let path = one_text(name, args)?;
                match files.get(path).filter(|bytes| !bytes.is_empty()) {
                    None => Ok(texts([])),
                    Some(bytes) => {
                        let Value::Text(text) = utf8(path, bytes)? else { return Ok(texts([])) };
                        Ok(texts(text.strip_suffix('\n').unwrap_or(&text).split('\n')))
                    }
                }
            }
            (Self::Files(files), "Glob") => {
                let pattern = Glob::new(one_text(name, args)?)?;
                let matched = files.iter().filter(|(path, _)| pattern.matches(path));
                let matched = matched.map(|(path, bytes)| (Arc::clone(path), Arc::clone(bytes)));
                Ok(host(Self::Files(Arc::new(matched.collect()))))
            }
            (_, _) if args.is_some() => {
                Err(Fault::Template(format!("`.{name}` is not a method but has arguments")))
            }
            (Self::Files(files), "AsConfig") => {
                let entries =
                    files.iter().map(|(path, bytes)| Ok((base_name(path).into(), utf8(path, bytes)?)));
                let map: Map = entries.collect::<Result<BTreeMap<Text, Value>, Fault>>().map(Map::new)?;
                yaml_text(&Value::Map(map))
            }
            (Self::Files(files), "AsSecrets") => {
                let entries = files.iter().map(|(path, bytes)| {
                    (Text::from(base_name(path)), Value::text(BASE64_STANDARD.encode(bytes)))
                });
                yaml_text(&Value::Map(entries.collect()))
            }
            (Self::Files(files), _) => Ok(files.get(name).map_or_else(
                || host(Self::Bytes(Arc::from([]))),
                |bytes| host(Self::Bytes(Arc::clone(bytes))),
            )),
            (Self::Struct { fields, type_name }, _) => fields
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.clone())
                .ok_or_else(|| no_field(name, type_name)),
            (Self::KubeVersion { version, .. }, "Version" | "GitVersion" | "String") => {
                Ok(Value::Text(Arc::clone(version)))
            }
            (Self::KubeVersion { major, .. }, "Major") => Ok(Value::Text(Arc::clone(major))),
            (Self::KubeVersion { minor, .. }, "Minor") => Ok(Value::Text(Arc::clone(minor))),
            (Self::KubeVersion { .. } | Self::ApiVersions(_) | Self::Bytes(_), _) => {
                Err(no_field(name, self.type_name()))
            }
        }
    }
}

fn yaml_text(value: &Value) -> Result<Value, Fault> {
    let bounds = Bounds { depth: MOST_NESTING, bytes: MOST_BYTES };
    let mut text = write_yaml(value, bounds).map_err(|_| Fault::Limit(Limit::Output(MOST_BYTES)))?;
    text.truncate(text.strip_suffix('\n').map_or(text.len(), str::len));
    Ok(Value::text(text))
}

fn no_field(name: &str, type_name: &str) -> Fault {
    Fault::Template(format!("can't evaluate field {name} in type {type_name}"))
}

/// A pattern of `.Files.Glob`, with `/` between the parts of a path.
struct Glob(regex::Regex);

impl Glob {
    /// `*` within a part, `**` over parts, `?`, `[...]`, `{a,b}`, `\`, as gobwas/glob has them.
    fn new(pattern: &str) -> Result<Self, Fault> {
        let unknown = || Fault::Template(format!("Glob: {pattern:?} is no pattern"));
        let mut out = String::from("^(?s:");
        let mut alternatives = 0_usize;
        let mut rest = pattern.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '*' if rest.peek() == Some(&'*') => {
                    while rest.next_if_eq(&'*').is_some() {}
                    out.push_str(".*");
                }
                '*' => out.push_str("[^/]*"),
                '?' => out.push_str("[^/]"),
                '{' => {
                    alternatives += 1;
                    out.push_str("(?:");
                }
                '}' if alternatives > 0 => {
                    alternatives -= 1;
                    out.push(')');
                }
                ',' if alternatives > 0 => out.push('|'),
                '[' => {
                    out.push('[');
                    if rest.next_if_eq(&'!').is_some() {
                        out.push('^');
                    }
                    loop {
                        match rest.next().ok_or_else(unknown)? {
                            ']' => break,
                            '-' => out.push('-'),
                            c => out.push_str(&regex::escape(&c.to_string())),
                        }
                    }
                    out.push(']');
                }
                '\\' => out.push_str(&regex::escape(&rest.next().ok_or_else(unknown)?.to_string())),
                c => out.push_str(&regex::escape(&c.to_string())),
            }
        }
        if alternatives > 0 {
            return Err(unknown());
        }
        out.push_str(")$");
        regex::Regex::new(&out).map(Self).map_err(|_| unknown())
    }

    fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

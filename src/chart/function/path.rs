//! Paths with slashes, and URLs' queries.

use crate::chart::error::Fault;
use crate::chart::meter::Meter;
use crate::chart::value::Value;

use super::arg::text;
use super::format::sprint;
use super::{ANY, Function, plain};

pub(super) static FUNCTIONS: &[Function] = &[
    plain("base", 1, 1, |_, args| Ok(Value::text(base(text(&args[0])?)))),
    plain("osBase", 1, 1, |_, args| Ok(Value::text(base(text(&args[0])?)))),
    plain("dir", 1, 1, |_, args| Ok(Value::text(dir(text(&args[0])?)))),
    plain("osDir", 1, 1, |_, args| Ok(Value::text(dir(text(&args[0])?)))),
    plain("clean", 1, 1, |_, args| Ok(Value::text(clean(text(&args[0])?)))),
    plain("osClean", 1, 1, |_, args| Ok(Value::text(clean(text(&args[0])?)))),
    plain("ext", 1, 1, |_, args| Ok(Value::text(ext(text(&args[0])?)))),
    plain("osExt", 1, 1, |_, args| Ok(Value::text(ext(text(&args[0])?)))),
    plain("isAbs", 1, 1, |_, args| Ok(Value::Bool(text(&args[0])?.starts_with('/')))),
    plain("osIsAbs", 1, 1, |_, args| Ok(Value::Bool(text(&args[0])?.starts_with('/')))),
    plain("urlquery", 1, ANY, url_query),
    plain("html", 1, ANY, html),
];

fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match (path, trimmed) {
        ("", _) => ".",
        (_, "") => "/",
        (_, trimmed) => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

fn dir(path: &str) -> String {
    let end = path.rfind('/').map_or(0, |at| at + 1);
    clean(&path[..end])
}

fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |at| &name[at..])
}

/// Go's `path.Clean`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// The arguments as one text, as an action would show each of them (`evalArgs`, text/template/funcs.go, 1.26).
fn shown(args: &[Value], meter: &Meter) -> Result<String, Fault> {
    let mut words = Vec::with_capacity(args.len());
    for arg in args {
        words.push(match arg {
            arg if arg.is_nil() => Value::text("<no value>"),
            arg => arg.clone(),
        });
    }
    sprint(&words, meter)
}

fn url_query(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let plain = shown(args, meter)?;
    let mut out = String::with_capacity(plain.len());
    for byte in plain.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    meter.text(out.len())?;
    Ok(Value::text(out))
}

fn html(meter: &Meter, args: &[Value]) -> Result<Value, Fault> {
    let plain = shown(args, meter)?;
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    meter.text(out.len())?;
    Ok(Value::text(out))
}

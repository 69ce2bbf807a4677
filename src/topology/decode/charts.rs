//! `istio.charts`.

use super::reader::{Fields, Reader};
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Kind, Node, Spanned};
use crate::topology::codes::{CHARTS_URL_MALFORMED, VALUE_UNKNOWN};
use crate::topology::keys::{self, Record};
use crate::topology::{ChartOrigin, ChartSource, ChartUrlFault, Charts, RegistryUrl, RepositoryUrl};

const FORMS: &str = "`embedded`, Istio's own charts as `{ path: DIR }`, `{ repo: URL }` or `{ oci: URL }`, or `external` where \
                     others install them";

pub(super) fn charts(fields: &Fields<'_>, reader: &mut Reader) -> Option<Spanned<Charts>> {
    let node = fields.get("charts")?;
    let charts = match &node.kind {
        Kind::Text(text) if text == "embedded" => Charts::Embedded,
        Kind::Text(text) if text == "external" => Charts::External,
        Kind::Text(_) => {
            let finding = Diagnostic::error(&VALUE_UNKNOWN, node.span, "no value of this key");
            reader.lose(finding.with_help(format!("write {FORMS}.")));
            return None;
        }
        Kind::Map(entries) => of_map(node, entries, reader)?,
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) => {
            reader.mismatch(node, FORMS);
            return None;
        }
    };
    Some(Spanned::new(charts, node.span))
}

fn of_map(node: &Node, entries: &[Entry], reader: &mut Reader) -> Option<Charts> {
    let has = |key: &str| entries.iter().any(|entry| entry.key.value == key);
    let mut source = |record: &'static Record,
                      key: &'static str,
                      parse: fn(&str) -> Result<ChartOrigin, ChartUrlFault>| {
        let fields = reader.fields(node, record, node.span)?;
        let origin = fields.get(key).and_then(|node| origin(node, parse, reader));
        let ca = fields.get("ca").and_then(|node| reader.text(node, "the path of a PEM file"));
        Some(Charts::Source(ChartSource { origin: origin?, ca }))
    };
    if has("repo") {
        source(&keys::CHARTS_REPO, "repo", |text| RepositoryUrl::parse(text).map(ChartOrigin::Repository))
    } else if has("oci") {
        source(&keys::CHARTS_OCI, "oci", |text| RegistryUrl::parse(text).map(ChartOrigin::Registry))
    } else {
        let fields = reader.fields(node, &keys::CHARTS_PATH, node.span)?;
        Some(Charts::Path(reader.text(fields.get("path")?, "the path of a folder or of a .tgz file")?))
    }
}

fn origin(
    node: &Node,
    parse: fn(&str) -> Result<ChartOrigin, ChartUrlFault>,
    reader: &mut Reader,
) -> Option<Spanned<ChartOrigin>> {
    let text = reader.text(node, "a URL")?;
    match parse(&text.value) {
        Ok(origin) => Some(Spanned::new(origin, node.span)),
        Err(fault) => {
            let help = match fault {
                ChartUrlFault::UserInfo => {
                    "write the URL without them: credentials are taken from the configuration of Helm and Docker."
                }
                ChartUrlFault::Scheme(_)
                | ChartUrlFault::Host
                | ChartUrlFault::Query
                | ChartUrlFault::Path => {
                    "write `{ repo: https://charts.example.com }` or `{ oci: oci://registry.example.com/charts }`."
                }
            };
            let finding = Diagnostic::error(&CHARTS_URL_MALFORMED, node.span, fault.to_string());
            reader.lose(finding.with_help(help));
            None
        }
    }
}

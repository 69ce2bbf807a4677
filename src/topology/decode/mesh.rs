//! `mesh` and `istio`.

use super::charts::charts;
use super::reader::Reader;
use super::values::{self, Layer};
use crate::diagnostic::{Diagnostic, listed};
use crate::document::{Entry, Kind, Node, Spanned};
use crate::topology::codes::{ISTIO_VERSION_MALFORMED, ISTIO_VERSION_UNKNOWN};
use crate::topology::{
    Cni, Dns, Istio, IstioVersion, KNOWN_VERSIONS, Mesh, Mtls, NamespaceName, Platform, Profile,
    ReleaseValues, VersionFault, keys,
};

pub(super) fn mesh(entry: &Entry, reader: &mut Reader) -> Option<Mesh> {
    let fields = reader.fields(&entry.value, &keys::MESH, entry.key.span)?;
    let id = fields.get("id").and_then(|node| reader.text(node, "the mesh's ID, such as `mesh1`"));
    let trust_domain =
        fields.get("trustDomain").and_then(|node| reader.text(node, "a domain, such as `cluster.local`"));
    let namespace = fields.get("namespace").and_then(|node| reader.text(node, "a namespace's name"));
    let mtls = reader.word(&fields, "mtls", &[("permissive", Mtls::Permissive), ("strict", Mtls::Strict)]);
    let dns = reader.word(&fields, "dns", &[("capture", Dns::Capture), ("off", Dns::Off)]);
    Some(Mesh {
        id: id?,
        trust_domain_span: trust_domain.as_ref().map(|domain| domain.span),
        trust_domain: trust_domain.map_or_else(|| "cluster.local".to_owned(), |domain| domain.value),
        namespace_span: namespace.as_ref().map(|name| name.span),
        namespace: namespace
            .map_or_else(|| NamespaceName::from("istio-system"), |name| name.value.as_str().into()),
        mtls: mtls.map(|mtls| mtls.value).unwrap_or_default(),
        dns,
    })
}

/// `istio`, and its values as the lowest layer of every cluster's.
pub(super) fn istio<'n>(entry: &'n Entry, reader: &mut Reader) -> (Istio, Layer<'n>) {
    let Some(fields) = reader.fields(&entry.value, &keys::ISTIO, entry.key.span) else {
        return (Istio::default(), Layer::default());
    };
    let version = fields.get("version").and_then(|node| version(node, reader));
    let charts = charts(&fields, reader);
    let profile = reader.word(&fields, "profile", &Profile::ALL);
    let platform = reader.word(&fields, "platform", &Platform::ALL);
    let cni = reader.word(&fields, "cni", &Cni::ALL);
    let layer = fields.entry("values").map(|entry| values::layer(entry, reader)).unwrap_or_default();
    let values: ReleaseValues = values::Shared::of(&[&layer]).release_values();
    (Istio { version, charts, profile, platform, cni, values }, layer)
}

fn version(node: &Node, reader: &mut Reader) -> Option<Spanned<IstioVersion>> {
    // `1.30` without quotes is a number in YAML: its words are kept for this.
    let (Kind::Text(words) | Kind::Number(words)) = &node.kind else {
        reader.mismatch(node, "a version of Istio, such as `1.30.3`");
        return None;
    };
    let minors = KNOWN_VERSIONS.map(|version| format!("1.{}", version.minor));
    let known = listed(minors.iter().map(String::as_str));
    let newest = IstioVersion::NEWEST;
    let (finding, help) = match IstioVersion::parse(words) {
        Ok(version) => return Some(Spanned::new(version, node.span)),
        Err(VersionFault::Malformed) => (
            Diagnostic::error(&ISTIO_VERSION_MALFORMED, node.span, "no version of Istio"),
            format!("known are {known}: write `{newest}`, for example."),
        ),
        Err(VersionFault::TooOld) => (
            Diagnostic::error(&ISTIO_VERSION_UNKNOWN, node.span, "older than all that are known"),
            format!("known are {known}: write `{newest}`, for example."),
        ),
        Err(VersionFault::WithoutPatch) => (
            Diagnostic::error(&ISTIO_VERSION_UNKNOWN, node.span, "which patch of it?"),
            format!("known are {known}; of a newer one write the patch as well: `{words}.0`."),
        ),
    };
    reader.lose(finding.with_help(help));
    None
}

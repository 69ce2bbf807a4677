//! A Helm repository: an index of charts behind HTTP.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};

use super::client::{Ask, Client};
use super::credentials::Basic;
use super::error::FetchError;
use super::{MOST_ARCHIVE, Terms};
use crate::chart::lock::ArchiveDigest;
use crate::document::yaml::{self, Limits, Schema};
use crate::document::{Kind, Node, SourceId};
use crate::topology::{ChartName, RepositoryUrl};

/// The most bytes of an index. Istio's has half a million.
const MOST_INDEX: usize = 32 << 20;

/// A repository whose index was read. Cheap to clone.
#[derive(Clone)]
pub(super) struct Repository {
    client: Client,
    url: RepositoryUrl,
    credentials: Option<Basic>,
    index: Arc<Index>,
}

/// What a repository has.
#[derive(Debug, PartialEq, Eq)]
struct Index {
    charts: Vec<Indexed>,
}

/// A chart of an index.
#[derive(Debug, PartialEq, Eq)]
struct Indexed {
    name: String,
    version: String,
    /// Where it lies, relative to the repository or not.
    file: String,
    digest: Option<String>,
}

impl Repository {
    /// Reads the index.
    pub(super) async fn open(url: &RepositoryUrl, terms: &Terms) -> Result<Self, FetchError> {
        let credentials = terms.config.repository(url)?;
        let terms = match credentials.as_ref().and_then(|basic| basic.ca.clone()) {
            Some(ca) if terms.ca.is_none() => &Terms { ca: Some(ca), ..terms.clone() },
            Some(_) | None => terms,
        };
        let client = Client::new(&url.to_string(), terms)?;
        let file = url.join("index.yaml");
        let mut opened =
            Self { client, url: url.clone(), credentials, index: Arc::new(Index { charts: Vec::new() }) };
        let bytes = opened.file(&file, MOST_INDEX).await?;
        let index = index_of(bytes).map_err(|reason| FetchError::Broken { url: file, reason })?;
        opened.index = Arc::new(index);
        Ok(opened)
    }

    /// The archive of a chart.
    pub(super) async fn archive(&self, chart: ChartName, version: &str) -> Result<Vec<u8>, FetchError> {
        let of_name = || self.index.charts.iter().filter(|indexed| indexed.name == chart.as_str());
        let Some(indexed) = of_name().find(|indexed| indexed.version == version) else {
            return Err(FetchError::NotPublished {
                origin: self.url.to_string(),
                chart: chart.as_str(),
                version: version.to_owned(),
                there: Some(of_name().map(|indexed| indexed.version.clone()).collect()),
            });
        };
        let url = self.url.join(&indexed.file);
        let archive = self.file(&url, MOST_ARCHIVE).await?;
        // An index may go without; the lock has a digest of its own.
        if let Some(announced) = &indexed.digest {
            let found = ArchiveDigest::of(&archive).to_string();
            if found != announced.trim_start_matches("sha256:") {
                let reason =
                    format!("its SHA-256 is {found}, and the index of the repository says {announced}");
                return Err(FetchError::Broken { url, reason });
            }
        }
        Ok(archive)
    }

    async fn file(&self, url: &str, most: usize) -> Result<Vec<u8>, FetchError> {
        let mut ask = Ask::get(url, most);
        // An index may send us to any server: it is told no password of this one.
        let known = self.credentials.as_ref().filter(|_| origin(url) == origin(&self.url.to_string()));
        if let Some(known) = known {
            ask = ask.with(header::AUTHORIZATION, known.authorization());
        }
        let answer = self.client.send(&ask).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(FetchError::Denied {
                url: url.to_owned(),
                status: answer.status.as_u16(),
                credentials: known.map(|known| known.file.clone()),
                host: self.url.to_string(),
                login: "helm repo add NAME --username USER",
            }),
            _ => answer.success(url),
        }
    }
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    Some(&url[..scheme.len() + 3 + host.len()])
}

impl Basic {
    /// The header that says it.
    fn authorization(&self) -> HeaderValue {
        super::credentials::basic(&self.user, &self.password)
    }
}

/// Reads an index; the error says why it is none.
fn index_of(bytes: Vec<u8>) -> Result<Index, String> {
    let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
    let document = yaml::parse_one(SourceId(0), &text, Schema::Core, Limits::MANIFESTS);
    let document =
        document.into_result().map_err(|fault| format!("it is no YAML: {}", fault.primary.text))?;
    let entries = document.as_ref().and_then(|node| node.child("entries"));
    let Some(Node { kind: Kind::Map(entries), .. }) = entries else {
        return Err("it is no index of a Helm repository: it has no `entries`".to_owned());
    };
    let mut charts = Vec::new();
    for entry in entries {
        let Kind::List(versions) = &entry.value.kind else {
            return Err(format!("the entry of `{}` is no list", entry.key.value));
        };
        for version in versions {
            let text = |key: &str| version.child(key).and_then(Node::words).map(str::to_owned);
            let urls = version.child("urls").map(|node| &node.kind);
            let file = match urls {
                Some(Kind::List(urls)) => urls.first().and_then(Node::words),
                Some(_) | None => None,
            };
            // What is of no use to Helm is none to us either, and other charts of the index may be.
            if let (Some(version), Some(file)) = (text("version"), file) {
                let name = entry.key.value.clone();
                charts.push(Indexed { name, version, file: file.to_owned(), digest: text("digest") });
            }
        }
    }
    Ok(Index { charts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_versions_files_and_digests() {
        let text = "
apiVersion: v1
entries:
  base:
  - { version: 1.30.3, urls: [base-1.30.3.tgz, elsewhere.tgz], digest: abc, name: base }
  - { version: 1.30, urls: ['https://cdn.example.com/base.tgz'] }
  - { version: 1.29.0, urls: [] }
  other: []
";
        let chart = |version: &str, file: &str, digest: Option<&str>| Indexed {
            name: "base".to_owned(),
            version: version.to_owned(),
            file: file.to_owned(),
            digest: digest.map(str::to_owned),
        };
        assert_eq!(
            index_of(text.into()).expect("an index").charts,
            [
                chart("1.30.3", "base-1.30.3.tgz", Some("abc")),
                chart("1.30", "https://cdn.example.com/base.tgz", None)
            ]
        );
    }

    #[test]
    fn what_is_no_index_says_why() {
        for (text, reason) in [
            ("<!doctype html>", "it is no index of a Helm repository: it has no `entries`"),
            ("", "it is no index of a Helm repository: it has no `entries`"),
            ("entries: { base: {} }", "the entry of `base` is no list"),
        ] {
            assert_eq!(index_of(text.into()).unwrap_err(), reason);
        }
        assert!(index_of(b"entries: [".to_vec()).unwrap_err().starts_with("it is no YAML: "));
        assert_eq!(index_of(b"\xff".to_vec()).unwrap_err(), "it is no UTF-8 text");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://a.example.com:8443/x/y"), Some("https://a.example.com:8443"));
        assert_ne!(origin("https://a.example.com.evil.example"), origin("https://a.example.com/x"));
        assert_ne!(origin("http://a.example.com"), origin("https://a.example.com"));
    }
}

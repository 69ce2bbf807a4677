//! Where charts are loaded down from: a Helm repository over HTTP, or an OCI registry.
//!
//! A URL as a user writes it enters; its parts leave, or what is wrong with it. Whether anybody answers there
//! is nothing that a text says.

use std::fmt;

use super::ChartName;
use crate::document::Spanned;

/// `istio.charts: {repo: URL}` or `{oci: URL}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartSource {
    /// Where from.
    pub origin: Spanned<ChartOrigin>,
    /// PEM certificates that are trusted there beside the system's own: a file.
    pub ca: Option<Spanned<String>>,
}

/// What serves charts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartOrigin {
    /// A folder behind HTTP with an `index.yaml`.
    Repository(RepositoryUrl),
    /// A folder of a registry, in which every chart is a repository of its own.
    Registry(RegistryUrl),
}

/// The URL of a Helm repository, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryUrl(String);

/// `oci://HOST/FOLDER`, as Helm writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryUrl {
    host: String,
    folder: String,
}

/// Why a text is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChartUrlFault {
    /// Another scheme, or none.
    #[error("it does not begin with {0}")]
    Scheme(&'static str),
    /// Nothing, or what is no host, follows the scheme.
    #[error("it names no host")]
    Host,
    /// A user name or a password: a file in a repository is no place for them.
    #[error("it holds a user name or a password")]
    UserInfo,
    /// A question mark or a number sign: something is to be appended.
    #[error("it has a query or a fragment")]
    Query,
    /// The folder is none that a registry can have.
    #[error("its path is no name of a registry: lower case letters, digits, and . _ - / between them")]
    Path,
}

impl RepositoryUrl {
    /// Reads `https://HOST/PATH` or `http://HOST/PATH`.
    pub fn parse(text: &str) -> Result<Self, ChartUrlFault> {
        let text = text.trim_end_matches('/');
        let rest = ["https://", "http://"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(ChartUrlFault::Scheme("https://"))?;
        host_of(rest)?;
        if text.parse::<http::Uri>().is_err() {
            return Err(ChartUrlFault::Host);
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL of a file of the repository; a chart's may also be one of its own.
    pub fn join(&self, file: &str) -> String {
        match ["https://", "http://"].iter().any(|scheme| file.starts_with(scheme)) {
            true => file.to_owned(),
            false => format!("{}/{}", self.0, file.trim_start_matches('/')),
        }
    }

    /// Whether nobody can read along on the way.
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether the server is this machine.
    pub fn is_loopback(&self) -> bool {
        self.0.split_once("://").is_some_and(|(_, rest)| is_loopback(host_part(rest)))
    }
}

impl RegistryUrl {
    /// Reads `oci://HOST/FOLDER`.
    pub fn parse(text: &str) -> Result<Self, ChartUrlFault> {
        let text = text.trim_end_matches('/');
        let rest = text.strip_prefix("oci://").ok_or(ChartUrlFault::Scheme("oci://"))?;
        host_of(rest)?;
        let host = host_part(rest);
        let folder = rest[host.len()..].trim_start_matches('/');
        // The grammar of a name: distribution-spec v1.1, "Pulling manifests".
        let is_part = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let bytes = part.as_bytes();
            bytes.first().is_some_and(|&byte| plain(byte))
                && bytes.last().is_some_and(|&byte| plain(byte))
                && bytes.iter().all(|&byte| plain(byte) || b"._-".contains(&byte))
        };
        if !folder.is_empty() && !folder.split('/').all(is_part) {
            return Err(ChartUrlFault::Path);
        }
        if format!("https://{rest}").parse::<http::Uri>().is_err() {
            return Err(ChartUrlFault::Host);
        }
        Ok(Self { host: host.to_owned(), folder: folder.to_owned() })
    }

    /// The registry, with its port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository of a chart in the registry: `istio-release/charts/base`.
    pub fn repository(&self, chart: ChartName) -> String {
        match self.folder.as_str() {
            "" => chart.as_str().to_owned(),
            folder => format!("{folder}/{}", chart.as_str()),
        }
    }

    /// Whether the registry is this machine, where it may speak plain HTTP, as Docker has it.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, folder } = self;
        match folder.as_str() {
            "" => write!(f, "oci://{host}"),
            folder => write!(f, "oci://{host}/{folder}"),
        }
    }
}

impl fmt::Display for ChartOrigin {
    /// The URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(url) => url.fmt(f),
            Self::Registry(url) => url.fmt(f),
        }
    }
}

/// What follows the scheme, as far as the first slash.
fn host_part(rest: &str) -> &str {
    rest.split('/').next().unwrap_or_default()
}

fn host_of(rest: &str) -> Result<(), ChartUrlFault> {
    let host = host_part(rest);
    if rest.contains(['?', '#']) {
        return Err(ChartUrlFault::Query);
    }
    if host.contains('@') {
        return Err(ChartUrlFault::UserInfo);
    }
    if host.is_empty() || host.starts_with(':') || rest.contains(char::is_whitespace) {
        return Err(ChartUrlFault::Host);
    }
    Ok(())
}

/// Whether a host of a URL, with its port or without, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_repository_has_a_scheme_and_a_host_and_no_password() {
        let read = |text: &str| RepositoryUrl::parse(text).map(|url| url.to_string());
        assert_eq!(
            read("https://charts.example.com/istio/"),
            Ok("https://charts.example.com/istio".to_owned())
        );
        assert_eq!(read("http://127.0.0.1:8080"), Ok("http://127.0.0.1:8080".to_owned()));
        for (text, fault) in [
            ("charts.example.com", ChartUrlFault::Scheme("https://")),
            ("oci://charts.example.com", ChartUrlFault::Scheme("https://")),
            ("https://", ChartUrlFault::Scheme("https://")),
            ("https:///charts", ChartUrlFault::Host),
            ("https://:443/charts", ChartUrlFault::Host),
            ("https://a b/charts", ChartUrlFault::Host),
            ("https://me:secret@charts.example.com", ChartUrlFault::UserInfo),
            ("https://charts.example.com?token=x", ChartUrlFault::Query),
            ("https://charts.example.com/a#b", ChartUrlFault::Query),
        ] {
            assert_eq!(read(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_chart_lies_in_the_repository_or_wherever_it_says() {
        let url = RepositoryUrl::parse("https://charts.example.com/istio").expect("a URL");
        assert_eq!(url.join("base-1.30.3.tgz"), "https://charts.example.com/istio/base-1.30.3.tgz");
        assert_eq!(url.join("https://cdn.example.com/base.tgz"), "https://cdn.example.com/base.tgz");
    }

    #[test]
    fn a_registry_has_a_host_and_a_folder_of_plain_names() {
        let read = |text: &str| {
            RegistryUrl::parse(text).map(|url| (url.host().to_owned(), url.repository(ChartName::Base)))
        };
        let is = |host: &str, repository: &str| Ok((host.to_owned(), repository.to_owned()));
        assert_eq!(
            read("oci://registry.example.com/istio-release/charts"),
            is("registry.example.com", "istio-release/charts/base")
        );
        assert_eq!(read("oci://localhost:5000/"), is("localhost:5000", "base"));
        for (text, fault) in [
            ("https://registry.example.com/charts", ChartUrlFault::Scheme("oci://")),
            ("oci:///charts", ChartUrlFault::Host),
            ("oci://me@registry.example.com/charts", ChartUrlFault::UserInfo),
            ("oci://registry.example.com/Charts", ChartUrlFault::Path),
            ("oci://registry.example.com/charts//a", ChartUrlFault::Path),
            ("oci://registry.example.com/charts/..", ChartUrlFault::Path),
            ("oci://registry.example.com/charts:1.30.3", ChartUrlFault::Path),
        ] {
            assert_eq!(read(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        let is = |text: &str| RegistryUrl::parse(text).expect("a URL").is_loopback();
        assert!(["oci://localhost:5000/a", "oci://127.0.0.1/a", "oci://[::1]:5000/a"].into_iter().all(is));
        assert!(!["oci://localhost.example.com/a", "oci://10.0.0.1:5000/a"].into_iter().any(is));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", path in "[a-z0-9._/:@?-]*") {
            for text in [text.clone(), format!("https://{text}"), format!("oci://{path}")] {
                let _ = RepositoryUrl::parse(&text);
                if let Ok(url) = RegistryUrl::parse(&text) {
                    prop_assert_eq!(RegistryUrl::parse(&url.to_string()), Ok(url));
                }
            }
        }
    }
}

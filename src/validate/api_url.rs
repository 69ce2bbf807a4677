//! URLs of API servers, as kubeconfigs hold them.

use super::grammar::HostName;

/// A URL of an API server, in the one spelling in which two can be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiUrl {
    /// Its host.
    pub(super) host: HostName,
    /// Its port, 443 where it names none.
    pub(super) port: u16,
    /// Its path without slashes at the end: a proxy keeps clusters apart by it.
    pub(super) path: String,
}

/// Why a text is no URL of an API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UrlFault {
    /// No URL at all.
    NoUrl,
    /// A URL of another scheme, or a host without one.
    NotHttps,
    /// Nothing between the slashes.
    NoHost,
    /// A host that is neither a DNS name nor an address.
    BadHost,
    /// A port that is no number up to 65535, or nought.
    BadPort,
    /// `user:password@`.
    UserInfo,
    /// `?` and what follows it.
    Query,
}

impl ApiUrl {
    /// Reads `https://HOST[:PORT][/PATH]`.
    pub(super) fn parse(text: &str) -> Result<Self, UrlFault> {
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(UrlFault::NoUrl);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme, rest),
            // `api.example.com:6443` lacks its scheme; `hello` is no URL.
            None => ("", text),
        };
        if text.contains(['?', '#']) {
            return Err(UrlFault::Query);
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(UrlFault::UserInfo);
        }
        let (host, port) = split_port(authority);
        if host.is_empty() {
            return Err(UrlFault::NoHost);
        }
        let host = HostName::parse(host).ok_or(UrlFault::BadHost)?;
        let port = match port {
            None => 443,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(UrlFault::BadPort),
                Ok(port) => port,
            },
        };
        if scheme.eq_ignore_ascii_case("https") {
            Ok(Self { host, port, path: path.trim_end_matches('/').to_owned() })
        } else {
            Err(UrlFault::NotHttps)
        }
    }
}

/// The host and what follows its last colon; the colons of `[::1]` are its own.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let end_of_host = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[end_of_host..].find(':') {
        Some(at) => (&authority[..end_of_host + at], Some(&authority[end_of_host + at + 1..])),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(host: &str, port: u16, path: &str) -> Result<ApiUrl, UrlFault> {
        let host = HostName::parse(host).expect("a host of the test");
        Ok(ApiUrl { host, port, path: path.to_owned() })
    }

    #[test]
    fn one_server_has_one_spelling() {
        assert_eq!(ApiUrl::parse("https://API.example.com"), url("api.example.com", 443, ""));
        assert_eq!(ApiUrl::parse("HTTPS://api.example.com:443/"), url("api.example.com", 443, ""));
        assert_eq!(ApiUrl::parse("https://[2001:db8::1]:6443"), url("2001:db8::1", 6443, ""));
        assert_eq!(
            ApiUrl::parse("https://rancher.example.com/k8s/clusters/c-1/"),
            url("rancher.example.com", 443, "/k8s/clusters/c-1")
        );
    }

    #[test]
    fn every_fault_has_its_name() {
        for (text, fault) in [
            ("", UrlFault::NoUrl),
            ("https://a b", UrlFault::NoUrl),
            ("http://api.example.com", UrlFault::NotHttps),
            ("api.example.com:6443", UrlFault::NotHttps),
            ("https://", UrlFault::NoHost),
            ("https://:6443", UrlFault::NoHost),
            ("https://10.0.0.300", UrlFault::BadHost),
            ("https://api_1", UrlFault::BadHost),
            ("https://::1", UrlFault::NoHost),
            ("https://api.example.com:0", UrlFault::BadPort),
            ("https://api.example.com:99999", UrlFault::BadPort),
            ("https://api.example.com:", UrlFault::BadPort),
            ("https://me:secret@api.example.com", UrlFault::UserInfo),
            ("https://api.example.com?x=1", UrlFault::Query),
        ] {
            assert_eq!(ApiUrl::parse(text), Err(fault), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", tail in "[\\[\\]:/@?.0-9a-f]{0,20}") {
            let _ = ApiUrl::parse(&text);
            let _ = ApiUrl::parse(&format!("https://{tail}"));
        }
    }
}

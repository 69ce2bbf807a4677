//! Which proxy a request goes through, as kubectl decides it.
//!
//! `proxy-url` of a kubeconfig's cluster goes before everything. Without it the environment decides:
//! `HTTPS_PROXY` or `HTTP_PROXY` by the server's scheme (small letters too), except for hosts that `NO_PROXY`
//! names and for this machine itself (golang.org/x/net/http/httpproxy).

use std::net::IpAddr;

use ipnet::IpNet;

/// The proxy for a server; none for a direct connection. `variable` looks into the environment.
pub(super) fn proxy_for(
    server: &http::Uri,
    of_cluster: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<http::Uri>, String> {
    let either = |name: &str| {
        let found = variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
        found.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let (whose, url) = match of_cluster.map(str::trim).filter(|url| !url.is_empty()) {
        Some(url) => ("its proxy-url", url.to_owned()),
        None => {
            let name = if server.scheme_str() == Some("http") { "HTTP_PROXY" } else { "HTTPS_PROXY" };
            let Some(url) = either(name) else { return Ok(None) };
            if is_direct(server, &either("NO_PROXY").unwrap_or_default()) {
                return Ok(None);
            }
            (name, if url.contains("://") { url } else { format!("http://{url}") })
        }
    };
    // Neither is quoted: it may hold a password.
    let parsed: http::Uri = url.parse().map_err(|_| format!("{whose} is no URL"))?;
    match parsed.scheme_str() {
        Some("http" | "https" | "socks5") => Ok(Some(parsed)),
        Some(_) | None => Err(format!("{whose} begins with none of http://, https:// and socks5://")),
    }
}

/// Whether a server is reached without the environment's proxy.
fn is_direct(server: &http::Uri, exceptions: &str) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
    exceptions.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let (Ok(net), Some(address)) = (entry.parse::<IpNet>(), address) {
            return net.contains(&address);
        }
        let (name, wanted) = with_port(&entry);
        if name.is_empty() || wanted.is_some_and(|wanted| wanted != port) {
            return false;
        }
        if let Ok(named) = name.parse::<IpAddr>() {
            return address == Some(named);
        }
        if address.is_some() {
            return false;
        }
        match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
            Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
            None => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
        }
    })
}

/// `example.com:6443`, `[::1]:6443`, `::1`.
fn with_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((name, port)) => (name, port.strip_prefix(':').and_then(|port| port.parse().ok())),
            None => (rest, None),
        };
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chosen(
        server: &str,
        of_cluster: Option<&str>,
        environment: &[(&str, &str)],
    ) -> Result<String, String> {
        let server = server.parse().expect("a URL");
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        proxy_for(&server, of_cluster, variable)
            .map(|proxy| proxy.map_or_else(|| "direct".to_owned(), |proxy| proxy.to_string()))
    }

    #[test]
    fn the_clusters_proxy_goes_before_the_environments() {
        let environment = [("HTTPS_PROXY", "http://env:1"), ("NO_PROXY", "*")];
        let server = "https://api.example.com:6443";
        assert_eq!(chosen(server, Some("socks5://own:2"), &environment), Ok("socks5://own:2/".to_owned()));
        assert_eq!(chosen(server, None, &environment), Ok("direct".to_owned()));
        assert_eq!(chosen(server, None, &environment[..1]), Ok("http://env:1/".to_owned()));
        assert_eq!(chosen(server, None, &[("https_proxy", "env:1")]), Ok("http://env:1/".to_owned()));
        assert_eq!(chosen("http://api.example.com", None, &environment[..1]), Ok("direct".to_owned()));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_refused_without_its_password() {
        for url in ["ftp://user:canary@proxy", "user:canary@proxy:1", "http://["] {
            let error = chosen("https://api.example.com", Some(url), &[]).expect_err(url);
            assert!(error.starts_with("its proxy-url ") && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn no_proxy_names_hosts_domains_addresses_and_networks() {
        let goes_direct = |host: &str, exceptions: &str| {
            let environment = [("HTTPS_PROXY", "http://env:1"), ("NO_PROXY", exceptions)];
            chosen(&format!("https://{host}:6443"), None, &environment) == Ok("direct".to_owned())
        };
        let direct = [
            ("localhost", ""),
            ("127.0.0.1", ""),
            ("[::1]", ""),
            ("api.example.com", "example.com"),
            ("example.com", "example.com"),
            ("API.Example.com", " example.COM "),
            ("api.example.com", ".example.com"),
            ("api.example.com", "*.example.com"),
            ("api.example.com", "other, example.com:6443"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3"),
            ("[2001:db8::1]", "2001:db8::/32"),
            ("[2001:db8::1]", "[2001:db8::1]:6443"),
        ];
        for (host, exceptions) in direct {
            assert!(goes_direct(host, exceptions), "{host} {exceptions}");
        }
        let proxied = [
            ("example.com", ".example.com"),
            ("badexample.com", "example.com"),
            ("api.example.com", "example.com:443"),
            ("10.1.2.3", "10.2.0.0/16"),
            ("10.1.2.3", "2.3"),
            ("api.example.com", ",,"),
        ];
        for (host, exceptions) in proxied {
            assert!(!goes_direct(host, exceptions), "{host} {exceptions}");
        }
    }

    proptest! {
        #[test]
        fn no_environment_makes_it_panic(proxy in "\\PC*", exceptions in "\\PC*") {
            let _ = chosen("https://api.example.com:6443", None, &[("HTTPS_PROXY", &proxy), ("NO_PROXY", &exceptions)]);
            let _ = chosen("https://[2001:db8::1]", Some(&proxy), &[]);
        }
    }
}

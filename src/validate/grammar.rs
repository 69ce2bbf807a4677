//! The shapes that Kubernetes and Istio give to names and hosts.

use std::net::IpAddr;

/// The longest DNS label, and the longest label value of Kubernetes.
const LABEL_LENGTH: usize = 63;

/// Says why a text is no DNS-1123 label: lower-case letters, digits and `-`.
pub(super) fn dns_label_fault(text: &str) -> Option<&'static str> {
    label_fault(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(), b"-")
}

/// Says why a text is no DNS-1123 subdomain of at most 63 characters: labels joined by dots.
pub(super) fn dns_subdomain_fault(text: &str) -> Option<&'static str> {
    if text.len() > LABEL_LENGTH {
        return Some("longer than 63 characters");
    }
    text.split('.').find_map(dns_label_fault)
}

/// Says why a text is no value of a Kubernetes label; the empty value is refused too.
pub(super) fn label_value_fault(text: &str) -> Option<&'static str> {
    label_fault(text, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

fn label_fault(text: &str, is_letter: fn(u8) -> bool, between: &[u8]) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return Some("empty");
    };
    if let Some(odd) = bytes.iter().copied().find(|byte| !is_letter(*byte) && !between.contains(byte)) {
        return Some(match odd {
            b'A'..=b'Z' => "has an upper-case letter",
            b'_' => "has an underscore",
            b'.' => "has a dot",
            b' ' => "has a space",
            _ => "has a character that no such name may have",
        });
    }
    if !is_letter(*first) || !is_letter(*last) {
        return Some("does not begin and end with a letter or a digit");
    }
    (bytes.len() > LABEL_LENGTH).then_some("longer than 63 characters")
}

/// The DNS label that is nearest to a text; none where nothing is left of it or too much.
pub(super) fn as_dns_label(text: &str) -> Option<String> {
    as_name(&text.to_lowercase(), |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The DNS subdomain that is nearest to a text.
pub(super) fn as_dns_subdomain(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let name = as_name(&text, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')?;
    dns_subdomain_fault(&name).is_none().then_some(name)
}

/// The label value that is nearest to a text.
pub(super) fn as_label_value(text: &str) -> Option<String> {
    as_name(text, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn as_name(text: &str, may_have: fn(char) -> bool) -> Option<String> {
    let turned: String = text.chars().map(|c| if may_have(c) { c } else { '-' }).collect();
    let trimmed = turned.trim_matches(['-', '_', '.']);
    (!trimmed.is_empty() && trimmed.len() <= LABEL_LENGTH).then(|| trimmed.to_owned())
}

/// A host as a URL or a certificate names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostName {
    /// An address, its brackets taken off.
    Ip(IpAddr),
    /// A DNS name.
    Dns(String),
}

impl HostName {
    /// Reads `api.example.com`, `10.0.0.1`, `::1` or `[::1]`; `None` where it is no host at all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Some(Self::Ip(ip));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_name = name.len() <= 253 && name.split('.').all(|label| dns_label_fault(label).is_none());
        // `10.0.0.300` and `127.1` are addresses gone wrong, not names.
        let is_numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        (is_name && !is_numeric).then_some(Self::Dns(name))
    }

    /// Whether it leads back to the machine that asks.
    pub(super) fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => {
                let ip = ip.to_canonical();
                ip.is_loopback() || ip.is_unspecified()
            }
            Self::Dns(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

/// Says why Kubernetes takes no such address for an endpoint, or nobody could reach it.
///
/// `ValidateEndpointIP` refuses the first four; the broadcast address and the
/// other multicast ones lead nowhere.
pub(super) fn unusable_address(ip: IpAddr) -> Option<&'static str> {
    let ip = ip.to_canonical();
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if ip.is_unspecified() {
        Some("the unspecified address")
    } else if ip.is_loopback() {
        Some("a loopback address")
    } else if link_local {
        Some("a link-local address")
    } else if ip.is_multicast() {
        Some("a multicast address")
    } else if matches!(ip, IpAddr::V4(ip) if ip.is_broadcast()) {
        Some("the broadcast address")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_lower_case_and_at_most_63_long() {
        assert_eq!(dns_label_fault("cluster-1"), None);
        assert_eq!(dns_label_fault(&"a".repeat(63)), None);
        assert_eq!(dns_label_fault(&"a".repeat(64)), Some("longer than 63 characters"));
        assert_eq!(dns_label_fault("Cluster1"), Some("has an upper-case letter"));
        assert_eq!(dns_label_fault("cluster_1"), Some("has an underscore"));
        assert_eq!(dns_label_fault("a.b"), Some("has a dot"));
        assert_eq!(dns_label_fault("-a"), Some("does not begin and end with a letter or a digit"));
        assert_eq!(dns_label_fault(""), Some("empty"));
        assert_eq!(dns_label_fault("clüster"), Some("has a character that no such name may have"));
    }

    #[test]
    fn what_is_suggested_is_itself_well_formed() {
        assert_eq!(as_dns_label("Cluster_1"), Some("cluster-1".to_owned()));
        assert_eq!(as_dns_label("__"), None);
        assert_eq!(as_dns_label(&"a".repeat(64)), None);
        assert_eq!(as_label_value("net/1"), Some("net-1".to_owned()));
        assert_eq!(as_dns_subdomain("Mesh 1.Prod"), Some("mesh-1.prod".to_owned()));
        assert_eq!(as_dns_subdomain("a..b"), None);
    }

    #[test]
    fn an_address_gone_wrong_is_no_name() {
        assert_eq!(HostName::parse("10.0.0.300"), None);
        assert_eq!(HostName::parse("127.1"), None);
        assert_eq!(HostName::parse(""), None);
        assert_eq!(HostName::parse("api_1"), None);
        assert_eq!(HostName::parse("API.example.com."), Some(HostName::Dns("api.example.com".to_owned())));
        assert_eq!(HostName::parse("[::1]"), Some(HostName::Ip(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]))));
    }

    #[test]
    fn every_way_to_write_loopback_is_known() {
        for host in [
            "127.0.0.1",
            "127.8.8.8",
            "[::1]",
            "localhost",
            "LOCALHOST",
            "kind.localhost",
            "0.0.0.0",
            "::ffff:127.0.0.1",
        ] {
            assert!(HostName::parse(host).is_some_and(|host| host.is_loopback()), "{host}");
        }
        for host in ["10.0.0.1", "api.example.com", "localhost.example.com", "[2001:db8::1]"] {
            assert!(HostName::parse(host).is_some_and(|host| !host.is_loopback()), "{host}");
        }
    }

    #[test]
    fn an_endpoint_is_no_special_address() {
        for (ip, why) in [
            ("0.0.0.0", "the unspecified address"),
            ("127.0.0.1", "a loopback address"),
            ("169.254.169.254", "a link-local address"),
            ("fe80::1", "a link-local address"),
            ("224.0.0.1", "a multicast address"),
            ("ff02::1", "a multicast address"),
            ("255.255.255.255", "the broadcast address"),
        ] {
            assert_eq!(ip.parse().map(unusable_address), Ok(Some(why)), "{ip}");
        }
        assert_eq!("10.0.0.1".parse().map(unusable_address), Ok(None));
    }
}

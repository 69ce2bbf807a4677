//! Nodes to plain values: every wrong one is a finding, and reading goes on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::diagnostic::{Code, Diagnostic, NoDuration, did_you_mean, duration, listed};
use crate::document::{Entry, Kind, Node, Span, Spanned, duplicate};
use crate::topology::Host;
use crate::topology::codes::*;
use crate::topology::keys::{Key, Need, Record, Shape};

/// So many findings are kept: a text with more is not a topology, and nobody reads them.
const MOST_FINDINGS: usize = 1000;

/// How much of the text could be read as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// A syntax error hides parts: what is missing is not to be blamed.
    Parts,
}

/// What was found so far, and whether the topology can be told from what was read.
pub(super) struct Reader {
    pub(super) found: Vec<Diagnostic>,
    extent: Extent,
    /// Whether a value was left out on which rules rely, so that they would blame what is right.
    lost: bool,
}

/// The entries of a map that has known keys.
pub(super) struct Fields<'n> {
    record: &'static Record,
    entries: Vec<(&'static Key, &'n Entry)>,
    #[cfg(debug_assertions)]
    asked: std::cell::RefCell<std::collections::BTreeSet<&'static str>>,
}

impl<'n> Fields<'n> {
    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a key, if it is there.
    pub(super) fn entry(&self, key: &'static str) -> Option<&'n Entry> {
        #[cfg(debug_assertions)]
        self.asked.borrow_mut().insert(key);
        debug_assert!(
            self.record.keys.iter().any(|known| known.name == key),
            "{key} is in the table of keys"
        );
        self.entries.iter().find(|(known, _)| known.name == key).map(|(_, entry)| *entry)
    }

    fn takes_words(&self, key: &str, words: &[&str]) -> bool {
        let shape = self.record.keys.iter().find(|known| known.name == key).map(|known| &known.shape);
        matches!(shape, Some(Shape::Words(known)) if *known == words)
    }
}

/// The table of keys and the decoder cannot part: a key that nobody asks for fails every test.
#[cfg(debug_assertions)]
impl Drop for Fields<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let asked = self.asked.borrow();
        for key in self.record.keys {
            debug_assert!(asked.contains(key.name), "{}.{} is asked for", self.record.name, key.name);
        }
    }
}

impl Reader {
    pub(super) fn new(found: Vec<Diagnostic>, extent: Extent) -> Self {
        Self { lost: extent == Extent::Parts, found, extent }
    }

    /// Whether everything that rules rely on was read.
    pub(super) fn is_sound(&self) -> bool {
        !self.lost
    }

    pub(super) fn report(&mut self, finding: Diagnostic) {
        if self.is_full() {
            self.lost = true;
        } else {
            self.found.push(finding);
        }
    }

    /// Whether more findings would help nobody.
    fn is_full(&self) -> bool {
        self.found.len() >= MOST_FINDINGS
    }

    /// Reports that a value is left out on which rules rely.
    pub(super) fn lose(&mut self, finding: Diagnostic) {
        self.report(finding);
        self.lost = true;
    }

    /// The entries of a map with the keys of `record`. `at` is where a missing key is reported.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        record: &'static Record,
        at: Span,
    ) -> Option<Fields<'n>> {
        let entries = self.map(node, || format!("a map of {}", names(record)))?;
        let mut taken: Vec<(&'static Key, &'n Entry)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let Some(key) = record.keys.iter().find(|key| key.name == entry.key.value) else {
                if self.is_full() {
                    self.lost = true;
                    continue;
                }
                self.report(unknown_key(entry, record));
                continue;
            };
            match taken.iter().find(|(other, _)| other.name == key.name) {
                Some((_, first)) => self.report(duplicate(key.name, entry.key.span, first.key.span)),
                None => taken.push((key, entry)),
            }
        }
        for key in record.keys.iter().filter(|key| key.need == Need::Required) {
            if !taken.iter().any(|(known, _)| known.name == key.name) {
                self.missing(record, key.name, at);
            }
        }
        Some(Fields {
            record,
            entries: taken,
            #[cfg(debug_assertions)]
            asked: std::cell::RefCell::default(),
        })
    }

    /// Reports a key that is not there.
    pub(super) fn missing(&mut self, record: &Record, key: &str, at: Span) {
        let about = record.keys.iter().find(|known| known.name == key).map_or("", |known| known.about);
        let finding = Diagnostic::error(&KEY_MISSING, at, format!("`{key}` is missing here"));
        self.absent(finding.with_help(format!("add `{key}`. {about}")));
    }

    /// Reports that something is not there, unless a syntax error may hide it.
    pub(super) fn absent(&mut self, finding: Diagnostic) {
        match self.extent {
            Extent::Whole => self.lose(finding),
            Extent::Parts => self.lost = true,
        }
    }

    /// The entries of any map; nothing is an empty one.
    pub(super) fn map<'n>(&mut self, node: &'n Node, expected: impl Fn() -> String) -> Option<&'n [Entry]> {
        match &node.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Null => Some(&[]),
            Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                self.mismatch(node, &expected());
                None
            }
        }
    }

    /// The entries of a map of names, each name once.
    pub(super) fn named<'n>(&mut self, entries: impl IntoIterator<Item = &'n Entry>) -> Vec<&'n Entry> {
        let mut first: HashMap<&str, Span> = HashMap::new();
        let mut taken = Vec::new();
        for entry in entries {
            match first.get(entry.key.value.as_str()) {
                Some(earlier) => self.report(duplicate(&entry.key.value, entry.key.span, *earlier)),
                None => {
                    first.insert(&entry.key.value, entry.key.span);
                    taken.push(entry);
                }
            }
        }
        taken
    }

    /// The items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) => Some(items),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
                self.mismatch(node, expected);
                None
            }
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, node: &Node, expected: &str) -> Option<Spanned<String>> {
        match &node.kind {
            Kind::Text(text) if !text.trim().is_empty() => Some(Spanned::new(text.clone(), node.span)),
            Kind::Text(_) => {
                let finding = Diagnostic::error(&TYPE_MISMATCH, node.span, "an empty text");
                self.lose(finding.with_help(format!("write {expected}.")));
                None
            }
            Kind::Bool(_) | Kind::Number(_) => {
                let finding = Diagnostic::error(&TYPE_MISMATCH, node.span, node.kind.name());
                self.lose(finding.with_help(format!("write {expected}; in quotes if this is meant.")));
                None
            }
            Kind::Null | Kind::List(_) | Kind::Map(_) => {
                self.mismatch(node, expected);
                None
            }
        }
    }

    /// The value of a key that takes one of some words, which are those of the table of keys.
    pub(super) fn word<T: Copy>(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<Spanned<T>> {
        let known = || words.iter().map(|(word, _)| *word);
        debug_assert!(
            fields.takes_words(key, &known().collect::<Vec<_>>()),
            "{key} takes the words of its table"
        );
        let node = fields.get(key)?;
        let given = match &node.kind {
            Kind::Text(text) => text.as_str(),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => {
                self.mismatch(node, &format!("one of {}", listed(known())));
                return None;
            }
        };
        match words.iter().find(|(word, _)| *word == given) {
            Some((_, value)) => Some(Spanned::new(*value, node.span)),
            None => {
                let finding = Diagnostic::error(&VALUE_UNKNOWN, node.span, "no value of this key");
                self.lose(finding.with_help(did_you_mean(given, "Values", known())));
                None
            }
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn whole(
        &mut self,
        node: &Node,
        (least, most): (u32, u32),
        code: &'static Code,
    ) -> Option<Spanned<u32>> {
        let Kind::Number(words) = &node.kind else {
            self.mismatch(node, &format!("a whole number from {least} to {most}"));
            return None;
        };
        match words.parse::<u32>() {
            Ok(number) if (least..=most).contains(&number) => Some(Spanned::new(number, node.span)),
            Ok(_) | Err(_) => {
                let finding = Diagnostic::error(code, node.span, "out of range");
                self.lose(finding.with_help(format!("write a whole number from {least} to {most}.")));
                None
            }
        }
    }

    /// A span of time.
    pub(super) fn duration(&mut self, node: &Node) -> Option<Duration> {
        const FORM: &str = "write numbers with their units, the largest first: `90s`, `5m`, `1h30m`.";
        let (label, help) = match &node.kind {
            Kind::Text(text) => match duration(text) {
                Ok(time) => return Some(time),
                Err(NoDuration::Malformed) => ("no span of time", FORM.to_owned()),
                Err(NoDuration::Zero) => {
                    ("no time at all", "write how long the step may take: `5m`.".to_owned())
                }
            },
            Kind::Number(number) => ("a number without a unit", format!("for seconds write `{number}s`.")),
            Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => {
                self.mismatch(node, "a span of time: `5m`");
                return None;
            }
        };
        self.lose(Diagnostic::error(&DURATION_MALFORMED, node.span, label).with_help(help));
        None
    }

    /// An address or a DNS name.
    pub(super) fn host(&mut self, node: &Node) -> Option<Spanned<Host>> {
        let text = self.text(node, "an address or a DNS name")?;
        match host(&text.value) {
            Ok(host) => Some(Spanned::new(host, text.span)),
            Err(why) => {
                let finding = Diagnostic::error(&ADDRESS_MALFORMED, text.span, why);
                self.lose(
                    finding.with_help(
                        "write an address (`203.0.113.7`) or a DNS name, without scheme and port.",
                    ),
                );
                None
            }
        }
    }

    /// A list of blocks of addresses; those that are none are left out, which no rule relies on.
    pub(super) fn cidrs(&mut self, node: &Node) -> Option<Vec<Spanned<IpNet>>> {
        let items = self.list(node, "a list of blocks of addresses, such as [10.1.0.0/16]")?;
        Some(items.iter().filter_map(|item| self.cidr(item)).collect())
    }

    fn cidr(&mut self, node: &Node) -> Option<Spanned<IpNet>> {
        let text = self.text(node, "a block of addresses, such as 10.1.0.0/16")?;
        if let Ok(net) = text.value.parse::<IpNet>() {
            return Some(Spanned::new(net, text.span));
        }
        let (why, help) = match text.value.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => {
                ("an address without its length", format!("for this one address write `{address}/32`."))
            }
            Ok(IpAddr::V6(address)) => {
                ("an address without its length", format!("for this one address write `{address}/128`."))
            }
            Err(_) => ("no block of addresses", "write an address and a length: `10.1.0.0/16`.".to_owned()),
        };
        self.report(Diagnostic::error(&CIDR_MALFORMED, text.span, why).with_help(help));
        None
    }

    /// Reports a value of a wrong kind.
    pub(super) fn mismatch(&mut self, node: &Node, expected: &str) {
        let label = match node.kind {
            Kind::Null => "nothing is written here",
            Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
                node.kind.name()
            }
        };
        let finding = Diagnostic::error(&TYPE_MISMATCH, node.span, label);
        self.lose(finding.with_help(format!("write {expected}.")));
    }
}

fn names(record: &Record) -> String {
    listed(record.keys.iter().map(|key| key.name))
}

fn unknown_key(entry: &Entry, record: &Record) -> Diagnostic {
    let key = entry.key.value.as_str();
    let help = match record.elsewhere.iter().find(|(name, _)| *name == key) {
        Some((_, help)) => (*help).to_owned(),
        None => did_you_mean(key, "Keys", record.keys.iter().map(|key| key.name)),
    };
    Diagnostic::error(&KEY_UNKNOWN, entry.key.span, format!("no key of `{}`", record.name)).with_help(help)
}

/// Reads an address or a DNS name, or says what it is instead.
fn host(text: &str) -> Result<Host, &'static str> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Host::Ip(address));
    }
    if text.contains("://") {
        return Err("a URL, not a host");
    }
    if text.parse::<std::net::SocketAddr>().is_ok()
        || text.split_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    {
        return Err("a host with a port");
    }
    if text.parse::<IpNet>().is_ok() {
        return Err("a block of addresses, not one");
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or(text);
    // A name whose last label is a number would be taken for an address (RFC 1123, section 2.1).
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("no address");
    }
    if text.len() > 253 || !text.split('.').all(label) {
        return Err("neither an address nor a DNS name");
    }
    Ok(Host::Name(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_dns_name() {
        assert_eq!(host("203.0.113.7"), Ok(Host::Ip("203.0.113.7".parse().expect("an address"))));
        assert_eq!(host("2001:db8::1"), Ok(Host::Ip("2001:db8::1".parse().expect("an address"))));
        assert_eq!(host("gw.example.com"), Ok(Host::Name("gw.example.com".to_owned())));
        for (text, why) in [
            ("300.1.1.1", "no address"),
            ("10.0.0.1.5", "no address"),
            ("7", "no address"),
            ("https://gw.example.com", "a URL, not a host"),
            ("gw.example.com:15443", "a host with a port"),
            ("203.0.113.7:15443", "a host with a port"),
            ("[2001:db8::1]:15443", "a host with a port"),
            ("10.0.0.0/8", "a block of addresses, not one"),
            ("-a.example.com", "neither an address nor a DNS name"),
            ("a..b", "neither an address nor a DNS name"),
            ("a_b", "neither an address nor a DNS name"),
        ] {
            assert_eq!(host(text), Err(why), "{text}");
        }
    }
}

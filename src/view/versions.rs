//! Which versions of Istio are known, and what differs between them.

use std::fmt::Write as _;

use crate::diagnostic::listed;
use crate::topology::{EMBEDDED_MINORS, IstioVersion, KNOWN_VERSIONS, VERSION_RULES, VERSION_RULES_READ};

/// What `stolos explain versions` prints.
pub fn table() -> String {
    let mut text = format!("Versions of Istio, as read in {VERSION_RULES_READ}\n\n");
    text.push_str("minor  newest patch  charts\n");
    for version in KNOWN_VERSIONS {
        let IstioVersion { minor, .. } = version;
        let charts = if version.is_embedded() { "Istio's own, or embedded" } else { "Istio's own" };
        let newest = version.to_string();
        put(&mut text, format_args!("1.{minor:<4} {newest:<13} {charts}\n"));
    }
    let embedded = EMBEDDED_MINORS.map(|minor| format!("1.{minor}"));
    let embedded = listed(embedded.iter().map(String::as_str));
    put(
        &mut text,
        format_args!(
            "\n`istio.version: 1.30` is the newest patch above. A newer minor is taken with its patch and a warning on\n\
             Istio's own charts, and refused on the embedded ones, which are for {embedded}.\n\nWhat differs\n"
        ),
    );
    for row in VERSION_RULES {
        let spans: Vec<String> = row.spans.iter().map(|span| span.words()).collect();
        put(
            &mut text,
            format_args!(
                "\n  {}\n      {}:\n      {}\n      {}\n",
                spans.join(", "),
                row.fact,
                row.effect,
                row.source
            ),
        );
    }
    text
}

fn put(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("a String takes everything");
}

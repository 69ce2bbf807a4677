//! istiod is to wait for its remote clusters for ever.

use serde_json::Value;

use super::*;
use crate::topology::ChartName;

static CODE: Code = Code {
    name: "remote-cluster-timeout-zero",
    summary: "one dead cluster would keep istiod from starting",
    page: include_str!("../pages/remote-cluster-timeout-zero.md"),
};

pub(super) const RULE: Rule = Rule::new(&CODE, check);

fn check(topology: &Topology, found: &mut Vec<Diagnostic>) {
    for values in user_values(topology, ChartName::Istiod) {
        let path = ["pilot", "env", "PILOT_REMOTE_CLUSTER_TIMEOUT"];
        let Some((value, span)) = value_at(values, &path) else { continue };
        let is_zero = match value {
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => is_zero_duration(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        };
        if is_zero {
            found.push(
                Diagnostic::warning(&CODE, span, "zero is no limit at all")
                    .with_help("remove it for Istio's 30s, or write a time, such as `10s`."),
            );
        }
    }
}

/// Whether a duration of Go (`0`, `0s`, `0h0m0.0s`) is nothing.
fn is_zero_duration(text: &str) -> bool {
    let mut digits = text.chars().filter(char::is_ascii_digit).peekable();
    digits.peek().is_some() && digits.all(|digit| digit == '0')
}

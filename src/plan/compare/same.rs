//! When two values mean the same to Kubernetes.

use serde_json::{Number, Value};

use crate::object::{FieldPath, PathElement};

/// How exactly a live value must be what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exactness {
    /// What the server adds within a value is a default of its own: the topology asks for the same as
    /// when it was applied.
    Subset,
    /// It must be the same: something may have been taken away since it was applied.
    Whole,
}

/// Whether a live value is what is asked for. `agrees` says it of a text that still holds markers.
pub(super) fn same(
    desired: &Value,
    live: &Value,
    path: &FieldPath,
    exactness: Exactness,
    agrees: &dyn Fn(&str, &Value) -> bool,
) -> bool {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            let has_each = desired.iter().all(|(key, value)| match live.get(key) {
                Some(live) => same(value, live, &path.then(PathElement::field(key)), exactness, agrees),
                None => is_nothing(value),
            });
            let has_more = live.keys().any(|key| !desired.contains_key(key));
            has_each && (exactness == Exactness::Subset || !has_more)
        }
        (Value::Array(desired), Value::Array(live)) => {
            desired.len() == live.len()
                && desired
                    .iter()
                    .zip(live)
                    .all(|(desired, live)| same(desired, live, path, exactness, agrees))
        }
        (Value::Number(a), Value::Number(b)) if same_number(a, b) => true,
        (Value::String(text), _) if agrees(text, live) => true,
        (Value::String(_) | Value::Number(_), Value::String(_) | Value::Number(_))
            if holds_quantity(path) =>
        {
            desired == live || matches!((quantity(desired), quantity(live)), (Some(a), Some(b)) if a == b)
        }
        _ => desired == live,
    }
}

/// Whether a value asks for nothing: a server leaves such fields out.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b && a.abs() < 9e15)
}

/// Whether Kubernetes reads a quantity here, which it writes back in a form of its own.
fn holds_quantity(path: &FieldPath) -> bool {
    path.0.iter().any(|element| {
        let PathElement::Field(name) = element else { return false };
        matches!(name.as_str(), "limits" | "requests" | "averageValue" | "sizeLimit" | "divisor" | "storage")
    })
}

/// A quantity in thousand-millionths: `500m`, `0.5`, `1Gi`, `1e3`. None where it is no quantity.
fn quantity(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let digits = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    if !number.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 || whole.len() + fraction.len() > 20 || fraction.contains(['+', '-']) {
        return None;
    }
    let scaled: i128 = format!("{whole}{fraction:0<9}").parse().ok()?;
    let (multiplier, divisor): (i128, i128) = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let factor = 10_i128.checked_pow(power.unsigned_abs())?;
            if power < 0 { (1, factor) } else { (factor, 1) }
        }
    };
    let scaled = scaled.checked_mul(multiplier)?;
    (scaled % divisor == 0).then_some(scaled / divisor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn same(desired: &Value, live: &Value, path: &FieldPath, exactness: Exactness) -> bool {
        super::same(desired, live, path, exactness, &|_, _| false)
    }

    #[test]
    fn quantities_are_the_same_in_whatever_form_they_are_written() {
        let path = FieldPath::of_fields(["resources", "requests", "cpu"]);
        let equal = |a: Value, b: Value| same(&a, &b, &path, Exactness::Whole);
        for (a, b) in [
            (json!("500m"), json!("0.5")),
            (json!("1Gi"), json!("1024Mi")),
            (json!(1), json!("1")),
            (json!(0.5), json!("500m")),
            (json!("1e3"), json!("1k")),
            (json!("2000m"), json!(2)),
        ] {
            assert!(equal(a.clone(), b.clone()), "{a} {b}");
        }
        assert!(!equal(json!("1G"), json!("1Gi")));
        assert!(!equal(json!("x"), json!("1")));
        let elsewhere = FieldPath::of_fields(["spec", "replicas"]);
        assert!(!same(&json!("1"), &json!(1), &elsewhere, Exactness::Whole));
    }

    #[test]
    fn numbers_are_the_same_with_and_without_fraction() {
        let path = FieldPath::of_fields(["spec", "weight"]);
        assert!(same(&json!(1), &json!(1.0), &path, Exactness::Whole));
        assert!(!same(&json!(1), &json!(2), &path, Exactness::Whole));
    }

    #[test]
    fn what_a_server_adds_within_a_value_is_its_own_unless_all_must_be_the_same() {
        let path = FieldPath::of_fields(["webhooks"]);
        let (desired, live) = (json!([{"a": 1}]), json!([{"a": 1, "scope": "*"}]));
        assert!(same(&desired, &live, &path, Exactness::Subset));
        assert!(!same(&desired, &live, &path, Exactness::Whole));
        assert!(!same(&live, &desired, &path, Exactness::Subset));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_quantity_panic(text in "\\PC{0,24}") {
            let _ = quantity(&Value::from(text));
        }
    }
}

//! Trees to JSON values, as charts and API servers take them.

use serde_json::{Map, Number, Value};

use super::{Kind, Node};

/// Largest magnitude up to which every whole number is a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Node {
    /// The value as JSON; of equal keys the last counts, as in Go.
    ///
    /// A number becomes the number that its words say: `1.30` is `1.3`, and `2.0` is `2`, which
    /// is what Go's JSON makes of it.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(truth) => Value::Bool(*truth),
            Kind::Number(words) => number(words),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(entries) => {
                let mut map = Map::new();
                for entry in entries {
                    map.insert(entry.key.value.clone(), entry.value.to_json());
                }
                Value::Object(map)
            }
        }
    }
}

fn number(words: &str) -> Value {
    if let Ok(number) = words.parse::<i64>() {
        return number.into();
    }
    if let Ok(number) = words.parse::<u64>() {
        return number.into();
    }
    let Ok(float) = words.parse::<f64>() else { return Value::String(words.to_owned()) };
    if float.fract() == 0.0 && float.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return (float as i64).into();
    }
    Number::from_f64(float).map_or_else(|| Value::String(words.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_becomes_what_its_words_say() {
        for (words, value) in [
            ("1.30", json!(1.3)),
            ("2.0", json!(2)),
            ("010", json!(10)),
            ("+7", json!(7)),
            ("-0.0", json!(0)),
            ("1e3", json!(1000)),
            ("5.", json!(5)),
            (".5", json!(0.5)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
        ] {
            assert_eq!(number(words), value, "{words}");
        }
    }
}

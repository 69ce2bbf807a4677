//! What a plain word is: a number, a boolean, nothing or a text.

use super::Schema;
use crate::document::Kind;

/// A plain scalar's value, or why it has none.
pub(super) enum Plain {
    Is(Kind),
    /// An infinity or no number at all, which JSON cannot say.
    NotFinite,
}

/// Reads a plain scalar.
pub(super) fn plain(words: &str, schema: Schema) -> Plain {
    // Most words start with a letter that starts nothing but texts.
    let hint = words.as_bytes().first().copied().unwrap_or(b'~');
    match hint {
        b'0'..=b'9' | b'+' | b'-' | b'.' => match number(words, schema) {
            Some(number) => Plain::Is(Kind::Number(number)),
            None if is_not_finite(words) => Plain::NotFinite,
            None => Plain::Is(Kind::Text(words.to_owned())),
        },
        b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'y' | b'Y' | b'o' | b'O' => {
            Plain::Is(if is_null(words) {
                Kind::Null
            } else if let Some(truth) = boolean(words, schema) {
                Kind::Bool(truth)
            } else {
                Kind::Text(words.to_owned())
            })
        }
        _ => Plain::Is(Kind::Text(words.to_owned())),
    }
}

pub(in crate::document) fn is_null(words: &str) -> bool {
    matches!(words, "" | "~" | "null" | "Null" | "NULL")
}

pub(in crate::document) fn boolean(words: &str, schema: Schema) -> Option<bool> {
    match words {
        "true" | "True" | "TRUE" => return Some(true),
        "false" | "False" | "FALSE" => return Some(false),
        _ => {}
    }
    match (schema, words) {
        (Schema::Core, _) => None,
        (Schema::Go, "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON") => Some(true),
        (Schema::Go, "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF") => Some(false),
        (Schema::Go, _) => None,
    }
}

pub(in crate::document) fn is_not_finite(words: &str) -> bool {
    let unsigned = words.strip_prefix(['+', '-']).unwrap_or(words);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(words, ".nan" | ".NaN" | ".NAN")
}

/// The words of a number: as written when it is decimal, else its decimal words.
pub(in crate::document) fn number(words: &str, schema: Schema) -> Option<String> {
    match schema {
        Schema::Core => {
            if is_decimal(words) {
                return Some(words.to_owned());
            }
            let radix = |prefix, radix| {
                let digits: &str = words.strip_prefix(prefix)?;
                let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
                u64::from_str_radix(digits, radix).ok().filter(|_| plain)
            };
            radix("0o", 8).or_else(|| radix("0x", 16)).map(|number| number.to_string())
        }
        Schema::Go => go_number(words),
    }
}

/// `resolve` of go-yaml v2: `strconv.ParseInt(plain, 0, 64)`, then `ParseUint`, then its float.
fn go_number(words: &str) -> Option<String> {
    let without;
    let plain = if words.contains('_') {
        // What starts with a point is one of Go's own floats, where digits are on both sides of a `_`.
        if words.starts_with('.') && !separates_digits(words) {
            return None;
        }
        without = words.replace('_', "");
        without.as_str()
    } else {
        words
    };
    let (sign, digits) = match plain.as_bytes().first() {
        Some(b'-') => ("-", &plain[1..]),
        Some(b'+') => ("+", &plain[1..]),
        _ => ("", plain),
    };
    let lower =
        |prefix: &str, upper: &str| digits.strip_prefix(prefix).or_else(|| digits.strip_prefix(upper));
    let (radix, rest) = if let Some(rest) = lower("0x", "0X") {
        (16, rest)
    } else if let Some(rest) = lower("0o", "0O") {
        (8, rest)
    } else if let Some(rest) = lower("0b", "0B") {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        (8, &digits[1..])
    } else {
        return is_decimal(plain).then(|| plain.to_owned());
    };
    // go-yaml looks for the sign of a binary once more behind its prefix.
    let (sign, rest) = match rest.as_bytes().first() {
        Some(b'+') if plain.starts_with("0b") => ("+", &rest[1..]),
        Some(b'-') if plain.starts_with("0b") => ("-", &rest[1..]),
        Some(b'+' | b'-') => return None,
        _ => (sign, rest),
    };
    let fits = |number: u64| match sign {
        "-" => number <= i64::MIN.unsigned_abs(),
        "+" => number <= i64::MAX.unsigned_abs(),
        _ => true,
    };
    match u64::from_str_radix(rest, radix) {
        Ok(number) if fits(number) => Some(format!("{}{number}", sign.trim_start_matches('+'))),
        // `08` is no octal, but go-yaml's pattern of a float takes it.
        _ if radix == 8 => is_decimal(plain).then(|| plain.to_owned()),
        _ => None,
    }
}

/// Whether each `_` has a digit before and behind it.
fn separates_digits(words: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = words.as_bytes();
    let mut underscores = (0..bytes.len()).filter(|at| bytes[*at] == b'_');
    underscores.all(|at| at > 0 && is_digit(bytes.get(at - 1)) && is_digit(bytes.get(at + 1)))
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, and finite.
fn is_decimal(words: &str) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = words.as_bytes();
    if let [b'+' | b'-', tail @ ..] = rest {
        rest = tail;
    }
    let whole = digits(rest);
    rest = &rest[whole..];
    let mut fraction = 0;
    let mut is_float = false;
    if let [b'.', tail @ ..] = rest {
        fraction = digits(tail);
        rest = &tail[fraction..];
        is_float = true;
    }
    if whole + fraction == 0 {
        return false;
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        let tail = match tail {
            [b'+' | b'-', tail @ ..] => tail,
            tail => tail,
        };
        let exponent = digits(tail);
        if exponent == 0 {
            return false;
        }
        rest = &tail[exponent..];
        is_float = true;
    }
    let finite = || words.parse::<f64>().is_ok_and(f64::is_finite);
    rest.is_empty() && ((!is_float && whole < 300) || finite())
}

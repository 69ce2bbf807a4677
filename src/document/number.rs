//! Numbers in Go's words: how `fmt`, `encoding/json` and go-yaml write them.

/// Writes a float as `%v` does, and `strconv.FormatFloat(x, 'g', -1, 64)`: `1.5e+06`.
pub(crate) fn go_general(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    general(&shortest(x))
}

/// Writes a float as sigs.k8s.io/yaml does where it is a key: of the digits that a 32-bit float needs.
pub(crate) fn go_key(x: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "what it is written for")]
    let x = x as f32;
    if x.is_infinite() {
        return if x > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    general(&digits_of(x.into(), &format!("{:e}", x.abs())))
}

fn general(Digits { negative, digits, point }: &Digits) -> String {
    let exponent = point - 1;
    let mut out = sign(*negative);
    if !(-4..6).contains(&exponent) {
        push_exponent(&mut out, digits, exponent, 2);
    } else {
        push_fixed(&mut out, digits, *point);
    }
    out
}

/// Writes a float as `%.3g` does, of as many digits as `most` says.
pub(crate) fn go_general_to(x: f64, most: usize) -> String {
    let most = most.max(1);
    let Digits { negative, digits, point } = digits_of(x, &format!("{:.*e}", most - 1, x.abs()));
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let most = i32::try_from(most).unwrap_or(i32::MAX);
    // strconv/ftoa.go: a number whose digits all stand before the point is written out as far as they go.
    let fixed = if most > length && length >= point { length } else { most };
    let mut out = sign(negative);
    if x != 0.0 && !(-4..fixed).contains(&(point - 1)) {
        push_exponent(&mut out, &digits, point - 1, 2);
    } else {
        push_fixed(&mut out, &digits, point);
    }
    out
}

/// Writes a float as `encoding/json` does: fixed, but for the very small and the very large.
pub(crate) fn go_json(x: f64) -> String {
    let Digits { negative, digits, point } = shortest(x);
    let mut out = sign(negative);
    if x != 0.0 && !(1e-6..1e21).contains(&x.abs()) {
        push_exponent(&mut out, &digits, point - 1, 1);
    } else {
        push_fixed(&mut out, &digits, point);
    }
    out
}

/// Writes a float as Helm's `toYaml` does: as JSON, read again by go-yaml, so that a whole
/// number is an integer.
pub(crate) fn go_yaml(x: f64) -> String {
    if !x.is_finite() {
        return if x.is_nan() {
            ".nan"
        } else if x > 0.0 {
            ".inf"
        } else {
            "-.inf"
        }
        .to_owned();
    }
    let json = go_json(x);
    let whole = json.parse::<i64>().is_ok() || json.parse::<u64>().is_ok();
    match (whole, json.as_str()) {
        // go-yaml reads the integer zero, which has no sign.
        (true, "-0") => "0".to_owned(),
        (true, _) => json,
        (false, _) => go_general(x),
    }
}

struct Digits {
    negative: bool,
    /// Without zeros at the end, `0` for zero.
    digits: String,
    /// Where the decimal point stands: `0.<digits> * 10^point`.
    point: i32,
}

/// The fewest digits that read back as the same float.
fn shortest(x: f64) -> Digits {
    digits_of(x, &format!("{:e}", x.abs()))
}

fn digits_of(x: f64, written: &str) -> Digits {
    let (mantissa, exponent) = written.split_once('e').expect("Rust writes an exponent");
    let mut digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.truncate(digits.trim_end_matches('0').len().max(1));
    let exponent: i32 = exponent.parse().expect("Rust writes a whole exponent");
    Digits { negative: x.is_sign_negative(), digits, point: exponent + 1 }
}

fn sign(negative: bool) -> String {
    let mut out = String::with_capacity(24);
    if negative {
        out.push('-');
    }
    out
}

fn push_exponent(out: &mut String, digits: &str, exponent: i32, at_least: usize) {
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    out.push('e');
    out.push(if exponent < 0 { '-' } else { '+' });
    let exponent = exponent.unsigned_abs();
    out.push_str(&format!("{exponent:0at_least$}"));
}

fn push_fixed(out: &mut String, digits: &str, point: i32) {
    let Ok(whole) = usize::try_from(point) else {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
        out.push_str(digits);
        return;
    };
    match digits.len() {
        _ if whole == 0 => {
            out.push_str("0.");
            out.push_str(digits);
        }
        length if length <= whole => {
            out.push_str(digits);
            out.extend(std::iter::repeat_n('0', whole - length));
        }
        _ => {
            out.push_str(&digits[..whole]);
            out.push('.');
            out.push_str(&digits[whole..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `strconv.FormatFloat(x, 'g', most, 64)` of Go 1.26 gave.
    #[test]
    fn floats_have_as_many_digits_as_go_gives_them() {
        for (x, most, words) in [
            (1234.5678, 3, "1.23e+03"),
            (100.0, 10, "100"),
            (123.0, 10, "123"),
            (0.0, 3, "0"),
            (0.00001234, 2, "1.2e-05"),
            (99.99, 2, "1e+02"),
            (1e21, 3, "1e+21"),
            (1_234_567.0, 10, "1234567"),
            (0.5, 0, "0.5"),
            (2.5, 1, "2"),
        ] {
            assert_eq!(go_general_to(x, most), words);
        }
    }

    /// What `strconv.FormatFloat(x, 'g', -1, 32)` of Go 1.26 gave, and sigs.k8s.io/yaml 1.6 made of its infinities.
    #[test]
    fn keys_are_written_as_floats_of_32_bits() {
        for (x, words) in [
            (1e31, "1e+31"),
            (1.23456789, "1.2345679"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1e300, ".inf"),
            (-1e300, "-.inf"),
            (1e-50, "0"),
            (123_456_789.0, "1.2345679e+08"),
        ] {
            assert_eq!(go_key(x), words);
        }
    }

    /// The words that Go 1.26 printed for these floats: `%v`, JSON.
    #[test]
    fn floats_read_as_go_writes_them() {
        let go = [
            (0.0, "0", "0"),
            (100000.0, "100000", "100000"),
            (1000000.0, "1e+06", "1000000"),
            (15012.0, "15012", "15012"),
            (1500000.0, "1.5e+06", "1500000"),
            (123456789.0, "1.23456789e+08", "123456789"),
            (1e20, "1e+20", "100000000000000000000"),
            (1e21, "1e+21", "1e+21"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "0.00001"),
            (1e-7, "1e-07", "1e-7"),
            (-1.5, "-1.5", "-1.5"),
            (123456789012345678.0, "1.2345678901234568e+17", "123456789012345680"),
        ];
        for (x, general, json) in go {
            assert_eq!((go_general(x).as_str(), go_json(x).as_str()), (general, json));
        }
    }

    #[test]
    fn a_whole_float_is_an_integer_in_yaml() {
        let words: Vec<String> = [1500000.0, 1.5, 1e20, 1e21, 0.00001, -0.0].map(go_yaml).into();
        assert_eq!(words, ["1500000", "1.5", "1e+20", "1e+21", "1e-05", "0"]);
    }
}

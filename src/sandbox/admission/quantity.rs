//! Resource quantities: `500m`, `2Gi`, in the one form that servers keep.

const BINARY: &[(&str, u32)] =
    &[("", 0), ("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
const DECIMAL: &[(&str, i32)] = &[
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

/// The canonical form; none where the text is no quantity.
///
/// Smaller parts than a billionth are rounded up, as servers do.
pub(super) fn canonical(text: &str) -> Option<String> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || number.len() > 30 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?;
    let ten = |power: i32| 10_i128.checked_pow(u32::try_from(power).ok()?);

    if let Some((_, shift)) = BINARY.iter().skip(1).find(|(name, _)| *name == suffix) {
        let scaled = digits.checked_mul(1_i128.checked_shl(*shift)?)?;
        let divisor = ten(scale)?;
        if scaled % divisor != 0 {
            // A part of a byte: kept in thousandths, as decimals are.
            return Some(decimal(sign, scaled.checked_mul(ten(9)?)?.div_euclid(divisor)));
        }
        let value = scaled / divisor;
        let shift_of = |shift: u32| 1_i128 << shift;
        let (name, shift) = BINARY
            .iter()
            .rev()
            .find(|(_, shift)| value % shift_of(*shift) == 0 && value >= shift_of(*shift))
            .unwrap_or(&BINARY[0]);
        return Some(format!("{}{}{name}", if value == 0 { "" } else { sign }, value >> shift));
    }
    let exponent = match DECIMAL.iter().find(|(name, _)| *name == suffix) {
        Some((_, exponent)) => *exponent,
        None => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            if exponent.abs() > 18 {
                return None;
            }
            exponent
        }
    };
    let nanos = exponent + 9 - scale;
    let value = if nanos >= 0 {
        digits.checked_mul(ten(nanos)?)?
    } else {
        let divisor = ten(-nanos)?;
        (digits + divisor - 1) / divisor
    };
    let form = if suffix.starts_with('e') || (suffix.starts_with('E') && suffix.len() > 1) {
        exponential(sign, value)
    } else {
        decimal(sign, value)
    };
    Some(form)
}

/// The canonical form of an amount of a container: nothing finer than a thousandth, rounded up.
pub(super) fn of_container(text: &str) -> Option<String> {
    let canonical = canonical(text)?;
    let is_fine = canonical.ends_with('n') || canonical.ends_with('u');
    let Some(number) = canonical.strip_suffix(['n', 'u']).filter(|_| is_fine) else { return Some(canonical) };
    let per_thousandth: i128 = if canonical.ends_with('n') { 1_000_000 } else { 1_000 };
    let number: i128 = number.parse().ok()?;
    let sign = if number < 0 { "-" } else { "" };
    let thousandths = (number.abs() + per_thousandth - 1) / per_thousandth;
    Some(decimal(sign, thousandths.checked_mul(1_000_000)?))
}

fn largest(nanos: i128) -> (i128, i32, &'static str) {
    let units = DECIMAL
        .iter()
        .rev()
        .map(|(name, exponent)| (10_i128.pow((*exponent + 9).unsigned_abs()), *exponent, *name));
    for (unit, exponent, name) in units {
        if nanos % unit == 0 && nanos != 0 {
            return (nanos / unit, exponent, name);
        }
    }
    (0, 0, "")
}

fn decimal(sign: &str, nanos: i128) -> String {
    let (value, _, name) = largest(nanos);
    format!("{}{value}{name}", if value == 0 { "" } else { sign })
}

fn exponential(sign: &str, nanos: i128) -> String {
    let (value, exponent, _) = largest(nanos);
    match exponent {
        0 => format!("{sign}{value}"),
        _ => format!("{sign}{value}e{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn quantities_have_one_form() {
        for (written, kept) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1500m", "1500m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000Mi", "1000Mi"),
            ("0", "0"),
            ("0Mi", "0"),
            ("2048", "2048"),
            ("1000", "1k"),
            ("1e3", "1e3"),
            ("-1", "-1"),
        ] {
            assert_eq!(canonical(written).as_deref(), Some(kept), "{written}");
        }
        for wrong in ["", "m", "1x", "1.2.3", "ten", "1 Gi", "1e99", "999999999999999999999999999999999999E"]
        {
            assert_eq!(canonical(wrong), None, "{wrong}");
        }
    }
}

//! Whether a text may stand in YAML as a plain word, as go-yaml v2 decides it.

use super::yaml::{Schema, scalar};

/// Whether a reader of YAML 1.1 takes the plain word for a text.
pub(crate) fn reads_as_text(word: &str) -> bool {
    match word.as_bytes() {
        [] => false,
        [b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~', ..] => {
            !scalar::is_null(word) && scalar::boolean(word, Schema::Go).is_none()
        }
        [b'+' | b'-' | b'.' | b'0'..=b'9', ..] => {
            scalar::number(word, Schema::Go).is_none()
                && !(scalar::is_not_finite(word) || is_timestamp(word) || is_base_60_float(word))
        }
        _ => true,
    }
}

/// `^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`: quoted for other readers' sake.
fn is_base_60_float(word: &str) -> bool {
    let body = word.strip_prefix(['+', '-']).unwrap_or(word);
    let (body, fraction) = match body.split_once('.') {
        Some((body, fraction)) => (body, fraction),
        None => (body, ""),
    };
    let mut parts = body.split(':');
    let first = parts.next().unwrap_or_default();
    let mut sixties = parts.peekable();
    sixties.peek().is_some()
        && first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && sixties.all(|part| match part.as_bytes() {
            [digit] => digit.is_ascii_digit(),
            [b'0'..=b'5', digit] => digit.is_ascii_digit(),
            _ => false,
        })
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// The four forms of go-yaml: a date, a date and a time, with `T` or `t` and a zone or a space.
fn is_timestamp(word: &str) -> bool {
    let Some((year, rest)) = word.split_once('-') else { return false };
    if year.len() != 4 || !year.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let Some((month, rest)) = rest.split_once('-') else { return false };
    let day_length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (day, rest) = rest.split_at(day_length);
    let (Some(year), Some(month), Some(day)) = (small(year, 4), small(month, 2), small(day, 2)) else {
        return false;
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return false;
    }
    match rest.as_bytes() {
        [] => true,
        [b' ', ..] => is_clock(&rest[1..]),
        [b'T' | b't', ..] => {
            let time = &rest[1..];
            match time.strip_suffix('Z') {
                Some(clock) => is_clock(clock),
                None => time.rfind(['+', '-']).is_some_and(|at| {
                    let (clock, zone) = time.split_at(at);
                    is_clock(clock)
                        && matches!(zone.as_bytes(), [_, h1, h2, b':', m1, m2]
                            if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()))
                        && zone[1..3].parse::<u32>().is_ok_and(|h| h <= 24)
                        && zone[4..].parse::<u32>().is_ok_and(|m| m < 60)
                }),
            }
        }
        _ => false,
    }
}

fn is_clock(clock: &str) -> bool {
    let (whole, fraction) = match clock.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (clock, None),
    };
    let mut parts = whole.split(':');
    let fits = |part: Option<&str>, below| part.and_then(|p| small(p, 2)).is_some_and(|x| x < below);
    fits(parts.next(), 24)
        && fits(parts.next(), 60)
        && fits(parts.next(), 60)
        && parts.next().is_none()
        && fraction.is_none_or(|f| !f.is_empty() && f.bytes().all(|b| b.is_ascii_digit()))
}

fn small(digits: &str, longest: usize) -> Option<u32> {
    let fits = (1..=longest).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if fits { digits.parse().ok() } else { None }
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_yaml_1_1_takes_for_something_else_are_no_texts() {
        let not_texts = [
            "",
            "~",
            "null",
            "yes",
            "N",
            "on",
            "OFF",
            "True",
            "1",
            "-1",
            "+1",
            "0x1F",
            "0o17",
            "017",
            "08",
            "1_000",
            "0b101",
            "1.",
            "1.5",
            ".5",
            "1e3",
            "-.inf",
            "+.INF",
            ".nan",
            "2024-01-31",
            "2024-1-1",
            "2001-12-14T21:59:43.10-05:00",
            "2001-12-14 21:59:43",
            "1:30",
            "190:20:30.15",
            "18446744073709551615",
        ];
        let read: Vec<&str> = not_texts.into_iter().filter(|word| reads_as_text(word)).collect();
        assert_eq!(read, Vec::<&str>::new());
    }

    #[test]
    fn other_words_are_texts() {
        let texts = [
            "yEs",
            "a",
            "1.30.3",
            "1.2.3.4",
            "0x",
            "0xg",
            "1e999",
            "-",
            "+",
            ".",
            "..",
            "2024-13-01",
            "2024-02-30",
            "10.0.0.0/8",
            "1:60:1a",
            "<<",
            "=",
            "--.inf",
            "nan",
            "truely",
            "1 2",
        ];
        let misread: Vec<&str> = texts.into_iter().filter(|word| !reads_as_text(word)).collect();
        assert_eq!(misread, Vec::<&str>::new());
    }
}

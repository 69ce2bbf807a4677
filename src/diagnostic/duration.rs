//! Spans of time as a person writes them: `90s`, `5m`, `1h30m`.

use std::time::Duration;

/// Why a text is no span of time that anything can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoDuration {
    /// It is written in another way.
    #[error("a span of time is written 90s, 5m or 1h30m")]
    Malformed,
    /// It is no time at all.
    #[error("it must be longer than no time")]
    Zero,
}

/// Reads a span of time; every number has its unit, the largest first.
pub fn duration(text: &str) -> Result<Duration, NoDuration> {
    let fault = || NoDuration::Malformed;
    let mut seconds: u64 = 0;
    let mut last = u64::MAX;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(fault());
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(fault)?;
        let count: u64 = rest[..end].parse().map_err(|_| fault())?;
        let unit = rest[end..].chars().next().ok_or_else(fault)?;
        let worth = match unit {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(fault()),
        };
        if worth >= last {
            return Err(fault());
        }
        last = worth;
        seconds = count.checked_mul(worth).and_then(|part| seconds.checked_add(part)).ok_or_else(fault)?;
        rest = &rest[end + unit.len_utf8()..];
    }
    match seconds {
        0 => Err(NoDuration::Zero),
        // A year is as good as for ever, and never leaves what a clock can hold.
        _ => Ok(Duration::from_secs(seconds.min(365 * 24 * 3600))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_span_of_time_has_units() {
        let read = |text: &str| duration(text).ok().map(|time| time.as_secs());
        assert_eq!(["90s", "5m", "1h30m", "1h1m1s"].map(read), [Some(90), Some(300), Some(5400), Some(3661)]);
        assert_eq!(
            ["", "5", "0s", "m", "5d", "1m1h", "1s1s", "-5s", "5.5s", "5µ", "99999999999999999999h"]
                .map(read),
            [None; 11]
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = duration(&text);
        }

        #[test]
        fn a_span_reads_back_as_it_is_said(seconds in 1_u64..10_000_000) {
            let time = Duration::from_secs(seconds);
            prop_assert_eq!(duration(&crate::diagnostic::lasting(time)), Ok(time));
        }
    }
}

//! Words that findings of every stage share: the nearest name, a list that stays short.

use std::time::Duration;

/// How many names a list shows before it says how many more there are.
const SHOWN: usize = 8;

/// How alike two names must be to be offered for one another, from 0 to 1.
const ALIKE: f32 = 0.6;

/// The candidate that a mistyped name most likely means.
///
/// Candidates that differ in case alone come first. A name that is like none
/// of them gets none, since a wrong suggestion costs more than a missing one.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near: Vec<&str> = candidates
        .into_iter()
        .filter(|other| other.len().abs_diff(name.len()) <= name.len().max(4))
        .collect();
    if let Some(same) = near.iter().find(|other| other.eq_ignore_ascii_case(name)) {
        return Some(same);
    }
    similar::get_close_matches(name, &near, 1, ALIKE).first().copied()
}

/// Joins names as a sentence does, and counts those past the eighth: `a, b and 3 more`.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN),
        _ => names.join(", "),
    }
}

/// Says what a mistyped name may mean and what there is: the help of every unknown name.
///
/// `what` begins the list: `Declared`, `Keys`.
pub fn did_you_mean<'a>(name: &str, what: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let known = listed(candidates.iter().copied());
    match nearest(name, candidates) {
        Some(meant) => format!("did you mean `{meant}`? {what}: {known}."),
        None => format!("{}: {known}.", what.to_lowercase()),
    }
}

/// A count with its noun: `1 cluster`, `2 clusters`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A span of time as a person says it: `0.4s`, `12s`, `1m30s`, `5m`, `1h30m`.
pub fn lasting(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 10 && time.subsec_millis() >= 50 {
        return format!("{:.1}s", time.as_secs_f64());
    }
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let text: String =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_finds_its_name() {
        assert_eq!(nearest("netwrok2", ["network1", "network2"]), Some("network2"));
        assert_eq!(nearest("Primary", ["remote", "primary"]), Some("primary"));
        assert_eq!(nearest("primry", ["primary"]), Some("primary"));
    }

    #[test]
    fn a_name_that_is_like_none_gets_no_suggestion() {
        assert_eq!(nearest("zebra", ["network1", "network2"]), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let names: Vec<String> = (1..=11).map(|n| format!("c{n}")).collect();
        assert_eq!(listed(names.iter().map(String::as_str)), "c1, c2, c3, c4, c5, c6, c7, c8 and 3 more");
        assert_eq!(listed([]), "none");
    }

    #[test]
    fn a_span_of_time_is_short() {
        let said =
            [0, 40, 400, 1_250, 12_345, 90_000, 300_000, 5_400_000].map(Duration::from_millis).map(lasting);
        assert_eq!(said, ["0s", "0s", "0.4s", "1.2s", "12s", "1m30s", "5m", "1h30m"]);
    }

    #[test]
    fn the_help_of_an_unknown_name_suggests_and_lists() {
        assert_eq!(
            did_you_mean("netwrok2", "Declared", ["network1", "network2"]),
            "did you mean `network2`? Declared: network1, network2."
        );
        assert_eq!(did_you_mean("zebra", "Declared", ["network1"]), "declared: network1.");
    }
}

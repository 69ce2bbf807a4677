//! The order of keys that go-yaml writes: letters as letters, numbers as numbers.

use std::cmp::Ordering;

/// Sorts entries by key, `a2` before `a10`.
///
/// A merge sort of our own, as the order is not total for every set of keys
/// (numbers of more than 18 digits overflow) and the library's sort may panic
/// on such an order.
pub(crate) fn sort_naturally<T>(entries: &mut Vec<(&str, T)>) {
    let sorted = entries.is_sorted_by(|a, b| !less(b.0, a.0));
    if !sorted {
        let taken = std::mem::take(entries);
        *entries = merge_sort(taken);
    }
}

fn merge_sort<T>(mut entries: Vec<(&str, T)>) -> Vec<(&str, T)> {
    if entries.len() < 2 {
        return entries;
    }
    let right = merge_sort(entries.split_off(entries.len() / 2));
    let left = merge_sort(entries);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let from_right = less(b.0, a.0);
        merged.extend(if from_right { right.next() } else { left.next() });
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// go-yaml's `keyList.Less` for two texts.
fn less(a: &str, b: &str) -> bool {
    let mut ours = a.char_indices();
    let mut theirs = b.chars();
    loop {
        match (ours.next(), theirs.next()) {
            (Some((_, x)), Some(y)) if x == y => {}
            // Up to here both are equal, so one index serves both.
            (Some((at, x)), Some(y)) => return differs(&a[..at], (x, &a[at..]), (y, &b[at..])),
            (None, Some(_)) => return true,
            (Some(_) | None, None) => return false,
        }
    }
}

/// Decides at the first character that differs.
fn differs(before: &str, (x, a): (char, &str), (y, b): (char, &str)) -> bool {
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x < y,
        (true, false) => return false,
        (false, true) => return true,
        (false, false) => {}
    }
    // A zero inside a number is a digit of it, at its start it is not.
    let inside = (x == '0' || y == '0')
        && before.chars().rev().take_while(char::is_ascii_digit).any(|digit| digit != '0');
    let start = i64::from(inside);
    let (an, al) = number(a, start);
    let (bn, bl) = number(b, start);
    match an.cmp(&bn).then(al.cmp(&bl)) {
        Ordering::Less => true,
        Ordering::Greater => false,
        Ordering::Equal => x < y,
    }
}

fn number(text: &str, start: i64) -> (i64, usize) {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold((start, 0), |(value, length), digit| {
        (value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')), length + 1)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_in_the_order_of_go_yaml() {
        let mut keys: Vec<(&str, ())> =
            ["b10", "b2", "a", "_x", "B", "a-b", "a.b", "a0", "a00", "10", "9", "a1b", "a10b"]
                .map(|key| (key, ()))
                .into();
        sort_naturally(&mut keys);
        let order: Vec<&str> = keys.into_iter().map(|(key, ())| key).collect();
        assert_eq!(order, ["_x", "9", "10", "B", "a", "a-b", "a.b", "a0", "a00", "a10b", "a1b", "b2", "b10"]);
    }

    proptest! {
        #[test]
        fn sorting_keeps_every_key(keys in prop::collection::vec("[a-c0-9._é]{0,6}", 0..40)) {
            let mut entries: Vec<(&str, ())> = keys.iter().map(|key| (key.as_str(), ())).collect();
            sort_naturally(&mut entries);
            let mut after: Vec<&str> = entries.into_iter().map(|(key, ())| key).collect();
            let mut before: Vec<&str> = keys.iter().map(String::as_str).collect();
            after.sort_unstable();
            before.sort_unstable();
            prop_assert_eq!(before, after);
        }
    }
}

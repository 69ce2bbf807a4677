//! A regular expression of Go (`regexp/syntax`, 1.26) in the language of the `regex` crate.
//!
//! Both come from RE2. What they read in different ways is written so that it means what it means
//! in Go; what the crate has not is refused by name.

/// Why a pattern has no translation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is none in Go either.
    Broken(&'static str),
    /// What Go has and this engine has not.
    Missing(&'static str),
}

/// The most that a repetition may count to.
const MOST_REPEATS: u32 = 1000;

const DIGITS: &str = "0-9";
const WORDS: &str = "0-9A-Za-z_";
const SPACES: &str = r"\t\n\f\r ";

/// The pattern for the `regex` crate.
pub(super) fn translated(pattern: &str) -> Result<String, Refused> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    // Whether a repetition has just ended, of which there is no repetition.
    let mut is_repeated = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let was_repeated = std::mem::take(&mut is_repeated);
        rest = match c {
            '\\' => escape(after, &mut out)?,
            '[' => class(after, &mut out)?,
            '(' => group(after, &mut out)?,
            '*' | '+' | '?' | '{' => match repetition(rest)? {
                Some(_) if was_repeated => return broken("a repetition of a repetition"),
                Some(length) => {
                    let (repetition, after) = rest.split_at(length);
                    out.push_str(repetition);
                    is_repeated = true;
                    after
                }
                None => {
                    out.push_str(r"\{");
                    after
                }
            },
            '.' | '^' | '$' | '|' | ')' => {
                out.push(c);
                after
            }
            literal => {
                out.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
                after
            }
        };
    }
    Ok(out)
}

fn broken<T>(what: &'static str) -> Result<T, Refused> {
    Err(Refused::Broken(what))
}

/// The length of `*`, `+`, `?`, `{2,}` and whatever else repeats, with the `?` that makes it lazy.
fn repetition(pattern: &str) -> Result<Option<usize>, Refused> {
    let length = match pattern.strip_prefix('{') {
        None if pattern.starts_with(['*', '+', '?']) => 1,
        None => return Ok(None),
        Some(inner) => {
            let Some((counts, _)) = inner.split_once('}') else { return Ok(None) };
            let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
            let is_count = |count: &str| !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
            if !is_count(least) || !(most.is_empty() || is_count(most)) {
                return Ok(None);
            }
            let fits =
                |count: &str| count.is_empty() || count.parse().is_ok_and(|count: u32| count <= MOST_REPEATS);
            if !fits(least) || !fits(most) {
                return broken("a repetition of more than 1000");
            }
            counts.len() + 2
        }
    };
    Ok(Some(length + usize::from(pattern[length..].starts_with('?'))))
}

/// What follows a `(`.
fn group<'p>(after: &'p str, out: &mut String) -> Result<&'p str, Refused> {
    out.push('(');
    let Some(inner) = after.strip_prefix('?') else { return Ok(after) };
    if inner.starts_with("P<") || inner.starts_with('<') {
        return Ok(after);
    }
    match inner.trim_start_matches(['i', 'm', 's', 'U', '-']) {
        flags if flags.starts_with(':') => Ok(after),
        flags if flags.starts_with(')') => match repetition(&flags[1..])? {
            // In Go it is what stands before the flags that is repeated.
            Some(_) => Err(Refused::Missing("a repetition behind flags")),
            None => Ok(after),
        },
        _ => broken("an unknown kind of group"),
    }
}

/// What follows a `\` outside of a class.
fn escape<'p>(after: &'p str, out: &mut String) -> Result<&'p str, Refused> {
    let Some(c) = after.chars().next() else { return broken("a backslash at the end") };
    let rest = &after[c.len_utf8()..];
    match c {
        'd' => out.push_str(&format!("[{DIGITS}]")),
        'D' => out.push_str(&format!("[^{DIGITS}]")),
        'w' => out.push_str(&format!("[{WORDS}]")),
        'W' => out.push_str(&format!("[^{WORDS}]")),
        's' => out.push_str(&format!("[{SPACES}]")),
        'S' => out.push_str(&format!("[^{SPACES}]")),
        'b' => out.push_str(r"(?-u:\b)"),
        'A' | 'z' => out.extend(['\\', c]),
        'B' => return Err(Refused::Missing(r"`\B`")),
        'C' => return Err(Refused::Missing(r"`\C`")),
        'Q' => {
            let (literal, rest) = rest.split_once(r"\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(literal));
            return Ok(rest);
        }
        'p' | 'P' => return property(after, out),
        _ => {
            let (literal, rest) = letter(after)?;
            out.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
            return Ok(rest);
        }
    }
    Ok(rest)
}

/// `pL`, `p{Greek}` and their opposites.
fn property<'p>(after: &'p str, out: &mut String) -> Result<&'p str, Refused> {
    let name = &after[1..];
    let length = match (name.strip_prefix('{'), name.chars().next()) {
        (Some(inner), _) => inner.find('}').map(|end| end + 2),
        (None, first) => first.map(char::len_utf8),
    };
    let Some(length) = length else { return broken("a kind of letters without a name") };
    let (property, rest) = after.split_at(1 + length);
    match (property.strip_prefix("p{^"), property.strip_prefix("P{^")) {
        (Some(name), _) => out.extend([r"\P{", name]),
        (None, Some(name)) => out.extend([r"\p{", name]),
        (None, None) => out.extend(["\\", property]),
    }
    Ok(rest)
}

/// The letter that an escape stands for: `\n`, `\x41`, `\x{1F600}`, `\101`, `\.`.
fn letter(after: &str) -> Result<(char, &str), Refused> {
    let Some(c) = after.chars().next() else { return broken("a backslash at the end") };
    let rest = &after[c.len_utf8()..];
    let coded =
        |digits: &str, base: u32, rest| match u32::from_str_radix(digits, base).ok().and_then(char::from_u32)
        {
            Some(c) => Ok((c, rest)),
            None => broken("an escape that is no letter"),
        };
    match c {
        'a' => Ok(('\u{7}', rest)),
        'f' => Ok(('\u{c}', rest)),
        't' => Ok(('\t', rest)),
        'n' => Ok(('\n', rest)),
        'r' => Ok(('\r', rest)),
        'v' => Ok(('\u{b}', rest)),
        'x' => match rest.strip_prefix('{').map(|inner| inner.split_once('}')) {
            Some(Some((digits, rest))) if is_hexadecimal(digits) => coded(digits, 16, rest),
            None if rest.get(..2).is_some_and(is_hexadecimal) => coded(&rest[..2], 16, &rest[2..]),
            Some(_) | None => broken("an escape that is no letter"),
        },
        '0'..='7' => {
            let length = after.bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            // A single digit names a group in Perl, which RE2 has not.
            match length == 1 && c != '0' {
                true => broken("a reference to a group"),
                false => coded(&after[..length], 8, &after[length..]),
            }
        }
        c if c.is_ascii_punctuation() || c.is_ascii_control() || c == ' ' => Ok((c, rest)),
        _ => broken("an unknown escape"),
    }
}

fn is_hexadecimal(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What follows a `[`.
fn class<'p>(after: &'p str, out: &mut String) -> Result<&'p str, Refused> {
    out.push('[');
    let mut rest = after;
    if let Some(inner) = rest.strip_prefix('^') {
        out.push('^');
        rest = inner;
    }
    let start = rest;
    loop {
        if rest.starts_with(']') && rest.len() < start.len() {
            out.push(']');
            return Ok(&rest[1..]);
        }
        if let Some(inner) = rest.strip_prefix("[:")
            && let Some((name, after)) = inner.split_once(":]")
        {
            out.push_str(&format!("[:{name}:]"));
            rest = after;
            continue;
        }
        if let Some(inner) = rest.strip_prefix('\\') {
            let set = match inner.chars().next() {
                Some('d') => DIGITS.to_owned(),
                Some('w') => WORDS.to_owned(),
                Some('s') => SPACES.to_owned(),
                Some('D') => format!("[^{DIGITS}]"),
                Some('W') => format!("[^{WORDS}]"),
                Some('S') => format!("[^{SPACES}]"),
                Some('p' | 'P') => {
                    rest = property(inner, out)?;
                    continue;
                }
                _ => String::new(),
            };
            if !set.is_empty() {
                out.push_str(&set);
                rest = &inner[1..];
                continue;
            }
        }
        let (low, after) = member(rest)?;
        rest = after;
        out.push_str(&regex::escape(low.encode_utf8(&mut [0; 4])));
        // A `-` before the `]` is one of the letters.
        if let Some(after) = rest.strip_prefix('-').filter(|after| !after.starts_with(']')) {
            let (high, after) = member(after)?;
            out.push('-');
            out.push_str(&regex::escape(high.encode_utf8(&mut [0; 4])));
            rest = after;
        }
    }
}

/// One letter of a class.
fn member(class: &str) -> Result<(char, &str), Refused> {
    match class.strip_prefix('\\') {
        Some(after) => letter(after),
        None => match class.chars().next() {
            Some(c) => Ok((c, &class[c.len_utf8()..])),
            None => broken("a class that does not end"),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn what_both_read_in_different_ways_means_what_it_means_in_go() {
        for (pattern, text, found) in [
            (r"\d+", "१२ 12", "12"),
            (r"[\w-]+", "ü-a", "-a"),
            (r"[^\D]", "a1", "1"),
            ("[a&&b]+", "xa&b", "a&b"),
            ("[[a]+", "x[a]", "[a"),
            ("[]-]+", "a]-", "]-"),
            ("a{,2}", "aa{,2}", "a{,2}"),
            (r"\Q.*\E+", "a.**", ".**"),
            (r"\101\x{fc}\x41", "AüA", "AüA"),
        ] {
            let regex = Regex::new(&translated(pattern).expect(pattern)).expect(pattern);
            assert_eq!(regex.find(text).map(|found| found.as_str()), Some(found), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_in_go_is_none_here() {
        for pattern in ["a**", "a{2}{3}", "a{1001}", "(?x)a", r"\1", "[a", r"\", "(?=a)", r"\u0041"] {
            assert!(matches!(translated(pattern), Err(Refused::Broken(_))), "{pattern}");
        }
        for pattern in [r"a\B", r"\C", "a(?i)*"] {
            assert!(matches!(translated(pattern), Err(Refused::Missing(_))), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(pattern in r"[\\\[\](){}?*+|^$.:a-zQE0-9ü,<>&~-]{0,24}") {
            if let Ok(translation) = translated(&pattern) {
                let _ = Regex::new(&translation);
            }
        }

        #[test]
        fn a_quoted_text_matches_itself(text in ".{0,24}") {
            let translation = translated(&regex::escape(&text)).expect("a pattern");
            let regex = Regex::new(&format!("^(?s:{translation})$")).expect("a pattern");
            prop_assert!(regex.is_match(&text));
        }
    }
}

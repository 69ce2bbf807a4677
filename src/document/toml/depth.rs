//! How deep a TOML text nests, seen from its dots and brackets alone.

/// The byte at which a text nests deeper than `limit`: dots of keys plus open brackets.
pub(super) fn deeper_than(text: &str, limit: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    // The dots of the keys that each open bracket stands under, with the bracket itself.
    let mut open: Vec<usize> = Vec::new();
    let mut under = 0;
    let mut dots = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = behind_string(bytes, at);
                continue;
            }
            b'#' => {
                at += bytes[at..].iter().take_while(|byte| **byte != b'\n').count();
                continue;
            }
            b'.' => dots += 1,
            b'[' | b'{' => {
                open.push(dots + 1);
                under += dots + 1;
                dots = 0;
            }
            b']' | b'}' => {
                let closed = open.pop().unwrap_or(0);
                under -= closed;
                dots = 0;
            }
            b',' | b'\n' => dots = 0,
            _ => {}
        }
        if under + dots > limit {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The byte behind the string that starts at `at`, closed or not.
fn behind_string(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let spans_lines = bytes[at..].starts_with(&[quote; 3]);
    let mut next = at + if spans_lines { 3 } else { 1 };
    while let Some(byte) = bytes.get(next) {
        match byte {
            b'\\' if quote == b'"' => next += 2,
            b'\n' if !spans_lines => return next,
            byte if *byte == quote && !spans_lines => return next + 1,
            byte if *byte == quote && bytes[next..].starts_with(&[quote; 3]) => return next + 3,
            _ => next += 1,
        }
    }
    bytes.len()
}

//! A value as one line of JSONL.

use serde::Serialize;

/// Returns `value` as compact JSON with its line end.
///
/// JSON escapes `\n` and its like, but not U+0085, U+2028 and U+2029, at which Python's `splitlines` and some editors
/// break a line. They are escaped here; they can only stand inside strings, so every reader gets them back.
///
/// # Errors
/// A value that JSON cannot hold, such as a map with keys that are not strings.
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_string(value)?;
    let mut line = Vec::with_capacity(json.len() + 1);
    let mut rest = json.as_bytes();
    // The three begin with C2 85, E2 80 A8 and E2 80 A9.
    while let Some(at) = memchr::memchr2(0xC2, 0xE2, rest) {
        let (before, from) = rest.split_at(at);
        line.extend_from_slice(before);
        let (escape, length): (&[u8], usize) = match from {
            [0xC2, 0x85, ..] => (b"\\u0085", 2),
            [0xE2, 0x80, 0xA8, ..] => (b"\\u2028", 3),
            [0xE2, 0x80, 0xA9, ..] => (b"\\u2029", 3),
            _ => (&from[..1], 1),
        };
        line.extend_from_slice(escape);
        rest = &from[length..];
    }
    line.extend_from_slice(rest);
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_what_breaks_lines_elsewhere() {
        let line = encode(&"a\u{85}b\u{2028}c\u{2029}d\u{a9}e\u{2026}f\ng").unwrap();
        assert_eq!(String::from_utf8(line).unwrap(), "\"a\\u0085b\\u2028c\\u2029d\u{a9}e\u{2026}f\\ng\"\n");
    }

    proptest! {
        #[test]
        fn every_text_comes_back_and_stays_on_its_line(text in "(\\PC|[\u{0}-\u{1f}\u{85}\u{2028}\u{2029}])*") {
            let line = encode(&text).unwrap();
            let breaks = |c: &char| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
            prop_assert_eq!(std::str::from_utf8(&line).unwrap().chars().filter(|c| breaks(c)).count(), 1);
            prop_assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), text);
        }
    }
}

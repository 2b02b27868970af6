//! A cursor over one line of JSON. It knows no row, copies only strings that have escapes, and accepts no raw control
//! character: strings end at one, and between values only blanks are passed over.
//!
//! `None` means "not accepted", never "wrong": whoever asks explains the line the slow way.

use std::borrow::Cow;

use wide::u8x16;

/// A place in a line.
pub struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning of `line`.
    pub fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    /// Skips blanks and returns the next byte without taking it.
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.line.as_bytes();
        while bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Takes `byte`, past blanks.
    pub fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Whether only blanks are left.
    pub fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Takes `null` if it stands here.
    pub fn null(&mut self) -> bool {
        let here = self.peek().is_some() && self.line.as_bytes()[self.at..].starts_with(b"null");
        if here {
            self.at += 4;
        }
        here
    }

    /// Takes the string that is written as `quoted`, if it stands here.
    pub fn known(&mut self, quoted: &str) -> bool {
        let here = self.peek().is_some() && self.line.as_bytes()[self.at..].starts_with(quoted.as_bytes());
        if here {
            self.at += quoted.len();
        }
        here
    }

    /// Takes a string.
    pub fn string(&mut self) -> Option<Cow<'a, str>> {
        self.string_into(String::new)
    }

    /// Takes a string. Where it has escapes, what it says is written to the end of `buffer`.
    pub fn string_into(&mut self, buffer: impl FnOnce() -> String) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let piece = self.piece()?;
        if self.line.as_bytes()[self.at - 1] == b'"' {
            return Some(Cow::Borrowed(piece));
        }
        let mut text = buffer();
        text.push_str(piece);
        loop {
            text.push(self.escape()?);
            text.push_str(self.piece()?);
            if self.line.as_bytes()[self.at - 1] == b'"' {
                return Some(Cow::Owned(text));
            }
        }
    }

    /// Takes what stands before the next quote or backslash, and that one byte too.
    fn piece(&mut self) -> Option<&'a str> {
        let start = self.at;
        let rest = &self.line.as_bytes()[start..];
        let length = special(rest).filter(|at| rest[*at] >= b' ')?;
        self.at += length + 1;
        Some(&self.line[start..start + length])
    }

    /// Takes what follows a backslash.
    fn escape(&mut self) -> Option<char> {
        let bytes = self.line.as_bytes();
        let (char, length) = match *bytes.get(self.at)? {
            byte @ (b'"' | b'\\' | b'/') => (char::from(byte), 1),
            b'n' => ('\n', 1),
            b't' => ('\t', 1),
            b'r' => ('\r', 1),
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'u' => code_point(&bytes[self.at - 1..]).map(|(char, length)| (char, length - 1))?,
            _ => return None,
        };
        self.at += length;
        Some(char)
    }

    /// Takes a number that is a plain whole one, at most `max`.
    pub fn whole(&mut self, max: u64) -> Option<u64> {
        let number = self.number()?;
        let plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let value: u64 = if plain { number.parse().ok()? } else { return None };
        (value <= max).then_some(value)
    }

    /// Takes a number.
    pub fn float(&mut self) -> Option<f64> {
        self.number()?.parse().ok().filter(|value: &f64| value.is_finite())
    }

    fn number(&mut self) -> Option<&'a str> {
        self.peek()?;
        let rest = &self.line[self.at..];
        let length = rest
            .bytes()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        self.at += length;
        Some(&rest[..length]).filter(|number| is_number(number.as_bytes()))
    }

    /// Takes an object. `field` takes the value of a key and returns the key's bit; a key met twice, escaped or
    /// refused by `field` ends it. Returns the bits that were met.
    pub fn object(&mut self, mut field: impl FnMut(&mut Self, &str) -> Option<u32>) -> Option<u32> {
        let mut met = 0;
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(met);
        }
        loop {
            let Cow::Borrowed(key) = self.string()? else { return None };
            self.take(b':')?;
            let bit = field(self, key)?;
            if met & bit != 0 {
                return None;
            }
            met |= bit;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(met);
                }
                _ => return None,
            }
        }
    }
}

/// Where the first quote, backslash or control character stands. Written out here because the pieces between are short:
/// a call for each costs more than the look itself.
#[inline]
fn special(bytes: &[u8]) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<16>();
    for (at, chunk) in chunks.iter().enumerate() {
        let chunk = u8x16::new(*chunk);
        let ends = chunk.simd_eq(u8x16::splat(b'"')) | chunk.simd_eq(u8x16::splat(b'\\'));
        let controls = chunk.min(u8x16::splat(b' ' - 1)).simd_eq(chunk);
        let found = (ends | controls).to_bitmask();
        if found != 0 {
            return Some(16 * at + found.trailing_zeros() as usize);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' '))?;
    Some(16 * chunks.len() + at)
}

/// Reads `\uXXXX`, or a surrogate pair of them, at the start of `bytes`: the character and the bytes it took. NUL is
/// not accepted, because no text may hold it.
fn code_point(bytes: &[u8]) -> Option<(char, usize)> {
    let first = unit(bytes)?;
    match first {
        0 => None,
        0xD800..=0xDBFF => {
            let second = unit(&bytes[6..])?;
            let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
            char::from_u32(0x10000 + ((first - 0xD800) << 10) + low).map(|char| (char, 12))
        }
        _ => char::from_u32(first).map(|char| (char, 6)),
    }
}

fn unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.get(..6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |value, byte| Some(value << 4 | char::from(*byte).to_digit(16)?))
}

/// JSON's grammar of numbers: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
fn is_number(bytes: &[u8]) -> bool {
    fn digits(bytes: &[u8]) -> Option<&[u8]> {
        let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then(|| &bytes[count..])
    }
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let Some(mut rest) = (match bytes {
        [b'0', rest @ ..] => Some(rest),
        _ => digits(bytes),
    }) else {
        return false;
    };
    if let [b'.', fraction @ ..] = rest {
        match digits(fraction) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent =
            exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
        return digits(exponent).is_some_and(<[u8]>::is_empty);
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_follow_the_grammar() {
        for good in ["0", "-0", "10", "1.5", "1e9", "1.25E-3"] {
            assert!(is_number(good.as_bytes()), "{good}");
        }
        for bad in ["", "-", "01", "1.", ".5", "1e", "+1", "1-2", "0x1"] {
            assert!(!is_number(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn strings_that_serde_refuses_are_not_accepted() {
        for bad in [
            r#""\x""#,
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\u0041""#,
            r#""\u00g1""#,
            r#""\u1"#,
            r#""abc"#,
            r#""\"#,
        ] {
            assert!(Cursor::new(bad).string().is_none(), "{bad}");
            assert!(serde_json::from_str::<String>(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_string_comes_back(text in "(\\PC|[\"\\\\/\n\t\r\u{8}\u{c}\u{2028}]){0,40}", ascii in any::<bool>()) {
            let mut json = serde_json::to_string(&text).unwrap();
            if ascii {
                json = json.chars().flat_map(|char| {
                    let mut units = [0; 2];
                    let escape = !char.is_ascii();
                    let units = char.encode_utf16(&mut units).to_vec();
                    if escape { units.iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>() } else { vec![char.to_string()] }
                }).collect();
            }
            // Other control characters are escaped by serde and are read back as they were.
            prop_assert_eq!(Cursor::new(&json).string().unwrap(), text);
        }

        #[test]
        fn numbers_agree_with_serde(number in "-?[0-9]{1,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,2})?") {
            prop_assert_eq!(is_number(number.as_bytes()), serde_json::from_str::<f64>(&number).is_ok());
        }
    }
}

//! No text that was UTF-8, was read as Windows-1252 and written again (`donâ€™t`), and no replacement character.

use super::Failure;
use crate::context::ArmContext;
use crate::excerpt;
use crate::view::Subject;

/// See the module.
pub fn check(_: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    let at = find(subject.text)?;
    let message = match subject.text[at..].starts_with('\u{fffd}') {
        true => "a replacement character (U+FFFD) stands where a character was lost",
        false => "the text was decoded as Windows-1252 and was UTF-8",
    };
    Failure::new(message, excerpt::around(subject.text, at))
}

/// The byte where `text` shows damage.
fn find(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // Lead bytes of UTF-8 read as Latin letters are U+00C2 to U+00F4, which begin with 0xC3; U+FFFD begins with 0xEF.
    memchr::memchr2_iter(0xC3, 0xEF, bytes).find(|&at| {
        let mut chars = text[at..].chars();
        match chars.next() {
            Some('\u{fffd}') => true,
            Some(lead @ 'Â'..='ô') => is_sequence(lead, chars),
            _ => false,
        }
    })
}

/// Whether `lead` and what follows are the bytes of one character, each shown as a letter of Windows-1252.
fn is_sequence(lead: char, mut rest: impl Iterator<Item = char>) -> bool {
    let Some(second) = rest.next() else { return false };
    // These do follow a word that ends in an accented letter: `«\u{a0}là\u{a0}»`, `“café”…`.
    let ends_words = matches!(second, '\u{a0}' | '«' | '»' | '‹' | '›' | '‘'..='‟' | '–' | '—' | '…' | '•');
    let shown = |char: Option<char>| char.is_some_and(|char| continuation(char).is_some());
    if ends_words || !shown(Some(second)) {
        return false;
    }
    match lead {
        // Two bytes are little to go by, so the second must be one that Latin-1 shows alike.
        'Â' | 'Ã' => second <= '\u{bf}',
        'à'..='ï' => shown(rest.next()),
        'ð'..='ô' => shown(rest.next()) && shown(rest.next()),
        _ => false,
    }
}

/// The byte 0x80 to 0xBF that Windows-1252 shows as `char`.
fn continuation(char: char) -> Option<u8> {
    // U+0081 and its like have no sign of their own and pass through as controls.
    const SIGNS: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match char {
        '\u{80}'..='\u{bf}' => Some(char as u8),
        _ => SIGNS.iter().position(|sign| *sign == char).map(|index| 0x80 + index as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an editor shows that takes UTF-8 for Windows-1252.
    fn damage(text: &str) -> String {
        let show = |byte: u8| match byte {
            0x80..=0x9f => (0..=0x2fff)
                .filter_map(char::from_u32)
                .find(|c| continuation(*c) == Some(byte) && !('\u{80}'..='\u{9f}').contains(c)),
            _ => Some(char::from(byte)),
        };
        text.bytes().map(|byte| show(byte).unwrap_or(char::from(byte))).collect()
    }

    #[test]
    fn languages_that_use_these_letters_are_let_be() {
        for text in [
            "São João, NÃO",
            "Âge d’or – « Là »",
            "“Ã” — à “ô”",
            "naïve café, l’été…",
            "Ångström",
            "日本語 😀",
            "à la “carte”",
            "« là\u{a0}»",
            "“café”…",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn damage_is_found() {
        assert_eq!(damage("don’t"), "donâ€™t");
        for text in ["don’t", "“quoted”", "a – b", "café", "5 £", "😀", "naïve"] {
            assert!(find(&damage(text)).is_some(), "{} ", damage(text));
        }
        assert_eq!(find("lost \u{fffd}"), Some(5));
    }

    proptest! {
        #[test]
        fn any_word_with_an_accent_is_found_once_damaged(before in "[a-z ]{0,9}", letter in "[äöüéèçñ–—’“]", after in "[a-z ]{0,9}") {
            let text = format!("{before}{letter}{after}");
            prop_assert!(find(&text).is_none());
            prop_assert!(find(&damage(&text)).is_some(), "{}", damage(&text));
        }
    }
}

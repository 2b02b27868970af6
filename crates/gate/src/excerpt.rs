//! A few words of a text that nobody has vouched for, on one line.

/// Characters of an excerpt, marks of omission not counted.
const LENGTH: usize = 80;

/// Shows `text` around the byte `at`, with line ends as blanks and with invisible and direction-changing characters
/// spelled out, so that a report cannot be made to look otherwise than it is.
pub fn around(text: &str, at: usize) -> String {
    let at = floor(text, at.min(text.len()));
    // A quarter of the excerpt stands before the place.
    let start = text[..at].char_indices().rev().take(LENGTH / 4).last().map_or(at, |(index, _)| index);
    let mut shown = String::new();
    if start > 0 {
        shown.push('…');
    }
    let mut rest = text[start..].chars();
    for char in rest.by_ref().take(LENGTH) {
        match char {
            '\n' | '\r' | '\t' => shown.push(' '),
            _ if char.is_control() || is_invisible(char) => shown.extend(char.escape_unicode()),
            _ => shown.push(char),
        }
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    // A log of GitHub Actions takes `##[` for a command wherever it stands.
    shown.trim().replace("##[", "# #[")
}

/// The start of `text`.
pub fn start(text: &str) -> String {
    around(text, 0)
}

/// The start of bytes that need not be text.
pub fn lossy(bytes: &[u8], at: usize) -> String {
    let from = at.saturating_sub(LENGTH / 4);
    let until = bytes.len().min(at + 4 * LENGTH);
    start(&String::from_utf8_lossy(&bytes[from..until]))
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn is_invisible(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_place_on_one_line() {
        let text = format!("{}\nHERE\u{202e}x{}", "a".repeat(200), "é".repeat(200));
        let shown = around(&text, 201);
        assert!(shown.starts_with("…aaa") && shown.ends_with("é…"), "{shown}");
        assert!(shown.contains("a HERE\\u{202e}x"), "{shown}");
        assert_eq!(around("short", 400), "short");
        assert_eq!(start("é"), "é");
        assert_eq!(start("a ##[add-mask]b"), "a # #[add-mask]b");
    }
}

//! Telling a row's thinking from its answer.

/// A text with one sound block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split<'t> {
    /// Between the tags, trimmed.
    pub think: &'t str,
    /// After the block, trimmed.
    pub answer: &'t str,
}

/// Why a text has no sound block: what, and the byte where it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// For a person.
    pub what: &'static str,
    /// Byte offset into the text.
    pub at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Open,
    Close,
    /// `<Think>`, `< /think >`: a reader of the canonical tags does not see it.
    Odd,
}

/// Splits `text` at its one block, which comes first, is closed, and is followed by no other tag.
///
/// # Errors
/// [`Fault`] at the first tag that is out of order.
pub fn split(text: &str) -> Result<Split<'_>, Fault> {
    let fault = |what, at| Err(Fault { what, at });
    let mut tags = Tags { text, at: 0 };
    let Some((open, tag)) = tags.next() else {
        return fault("there is no <think> block", 0);
    };
    match tag {
        Tag::Odd => return fault("a tag is spelled otherwise than <think> or </think>", open),
        Tag::Close => return fault("</think> comes before <think>", open),
        Tag::Open => {}
    }
    if !text[..open].trim().is_empty() {
        return fault("there is text before <think>", 0);
    }
    let start = open + "<think>".len();
    let Some((close, tag)) = tags.next() else {
        return fault("<think> is not closed", open);
    };
    match tag {
        Tag::Odd => return fault("a tag is spelled otherwise than <think> or </think>", close),
        Tag::Open => return fault("a second <think> opens before the first is closed", close),
        Tag::Close => {}
    }
    if let Some((at, tag)) = tags.next() {
        return fault(
            match tag {
                Tag::Open => "there is a second <think>",
                Tag::Close => "there is a second </think>",
                Tag::Odd => "a tag is spelled otherwise than <think> or </think>",
            },
            at,
        );
    }
    Ok(Split { think: text[start..close].trim(), answer: text[close + "</think>".len()..].trim() })
}

struct Tags<'t> {
    text: &'t str,
    at: usize,
}

impl Iterator for Tags<'_> {
    type Item = (usize, Tag);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        loop {
            let at = self.at + memchr::memchr(b'<', &bytes[self.at..])?;
            self.at = at + 1;
            if let Some(tag) = tag(&bytes[at..]) {
                return Some((at, tag));
            }
        }
    }
}

/// The tag at the start of `bytes`, in any spelling: `<`, perhaps `/`, `think`, `>`, with blanks between.
fn tag(bytes: &[u8]) -> Option<Tag> {
    if bytes.starts_with(b"<think>") {
        return Some(Tag::Open);
    }
    if bytes.starts_with(b"</think>") {
        return Some(Tag::Close);
    }
    let rest = bytes[1..].trim_ascii_start();
    let rest = rest.strip_prefix(b"/").unwrap_or(rest).trim_ascii_start();
    let (word, rest) = rest.split_at_checked(5)?;
    (word.eq_ignore_ascii_case(b"think") && rest.trim_ascii_start().starts_with(b">")).then_some(Tag::Odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_block_is_split() {
        let split = split("\n<think>\n a < b </ c \n</think>\n\n answer <thinking> ").unwrap();
        assert_eq!(split, Split { think: "a < b </ c", answer: "answer <thinking>" });
    }

    #[test]
    fn every_fault_has_words_and_a_place() {
        for (text, what, at) in [
            ("answer", "no <think>", 0),
            ("Hm <think>t</think>a", "text before", 0),
            ("<think>t", "not closed", 0),
            ("</think>t<think>", "comes before", 0),
            ("<think>a<think>b</think>", "opens before", 8),
            ("<think>a</think>b<think>", "a second <think>", 17),
            ("<think>a</think>b</think>", "a second </think>", 17),
            ("<Think>a</think>b", "spelled otherwise", 0),
            ("<think>a< / THINK >b", "spelled otherwise", 8),
            ("<think>a</think>b</Think>", "spelled otherwise", 17),
        ] {
            let fault = split(text).unwrap_err();
            assert!(fault.what.contains(what), "{text}: {}", fault.what);
            assert_eq!(fault.at, at, "{text}");
        }
    }
}

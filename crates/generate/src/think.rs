//! The form of an answer: exactly one `<think>` block, first, closed, with text in it and after it.
//!
//! It says yes or no and changes nothing. The gate reads every row again with a reader of its own.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// What is wrong with an answer's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// No `<think>` at the start.
    #[error("the answer does not begin with <think>")]
    NotFirst,
    /// No `</think>`.
    #[error("the <think> block is not closed")]
    NotClosed,
    /// A second tag of either kind, in whatever spelling.
    #[error("there is more than one <think> block")]
    NotOne,
    /// Nothing between the tags.
    #[error("the <think> block is empty")]
    NoThought,
    /// Nothing after the block.
    #[error("there is no answer after the <think> block")]
    NoAnswer,
}

/// Checks the form of a whole visible answer.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(text: &str) -> Result<(), FormError> {
    let rest = text.trim_start().strip_prefix(OPEN).ok_or(FormError::NotFirst)?;
    let (thought, answer) = rest.split_once(CLOSE).ok_or(FormError::NotClosed)?;
    if has_tag(thought) || has_tag(answer) {
        return Err(FormError::NotOne);
    }
    if thought.trim().is_empty() {
        return Err(FormError::NoThought);
    }
    if answer.trim().is_empty() {
        return Err(FormError::NoAnswer);
    }
    Ok(())
}

/// Whether a tag stands in `text`, also as `</THINK>` or `< think >`.
fn has_tag(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let rest = text[at + 1..].trim_start();
        let rest = rest.strip_prefix('/').unwrap_or(rest).trim_start();
        let is_think = rest.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("think"));
        is_think && rest[5..].trim_start().starts_with('>')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_first_closed_and_filled() {
        let cases = [
            ("<think>\na\n</think>\n\nb", Ok(())),
            ("\n<think>a < b, I think > c</think>b <thinking>", Ok(())),
            ("b", Err(FormError::NotFirst)),
            ("x<think>a</think>b", Err(FormError::NotFirst)),
            ("<think>a", Err(FormError::NotClosed)),
            ("<think>a</think>b<think>c</think>", Err(FormError::NotOne)),
            ("<think>a<think>c</think>b", Err(FormError::NotOne)),
            ("<think>a</think>b</think>", Err(FormError::NotOne)),
            ("<think>a</think>b< / Think >", Err(FormError::NotOne)),
            ("<think> \n</think>b", Err(FormError::NoThought)),
            ("<think>a</think>\n", Err(FormError::NoAnswer)),
            ("<think>ä</think>é<éééé", Ok(())),
        ];
        for (text, expected) in cases {
            assert_eq!(check(text), expected, "{text}");
        }
    }
}

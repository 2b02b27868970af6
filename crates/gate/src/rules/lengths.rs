//! Thinking and answer are long enough to be any. Characters are counted, without the blanks around.

use super::Failure;
use crate::context::ArmContext;
use crate::excerpt;
use crate::view::Subject;

/// The thinking is long enough.
pub fn think(context: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    short("thinking", subject.think()?, context.shared.thresholds.min_think_chars)
}

/// The answer is long enough.
pub fn answer(context: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    short("answer", subject.answer()?, context.shared.thresholds.min_answer_chars)
}

fn short(what: &str, text: &str, least: usize) -> Option<Failure> {
    // Four bytes are at most one character, so most texts need no counting.
    if text.len() / 4 >= least {
        return None;
    }
    let count = text.chars().count();
    if count >= least {
        return None;
    }
    Failure::new(format!("the {what} has {count} characters; at least {least}"), excerpt::start(text))
}

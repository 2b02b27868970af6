//! `total = input + output + thoughts`; where the thoughts are not stated, the total leaves room for them. Cached
//! tokens are part of the input.

use super::Failure;
use crate::context::ArmContext;
use crate::view::Subject;

/// See the module.
pub fn check(_: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    let tokens = &subject.row.tokens;
    if let Some(cached) = tokens.cached.filter(|cached| *cached > tokens.input) {
        return Failure::plain(format!("{cached} cached tokens are more than the {} of input", tokens.input));
    }
    let visible = tokens.input + tokens.output;
    let total = tokens.total;
    match tokens.thoughts {
        Some(thoughts) if visible + thoughts != total => Failure::plain(format!(
            "input {} + output {} + thoughts {thoughts} is {}, and the total says {total}",
            tokens.input,
            tokens.output,
            visible + thoughts
        )),
        None if visible > total => Failure::plain(format!(
            "input {} + output {} is {visible}, more than the total of {total}",
            tokens.input, tokens.output
        )),
        _ => None,
    }
}

//! There is a text: not null, not empty, not blank.

use super::Failure;
use crate::context::ArmContext;
use crate::view::Subject;

/// See the module.
pub fn check(_: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    match &subject.row.output {
        None => Failure::plain("the output is null"),
        Some(text) if text.is_empty() => Failure::plain("the output is empty"),
        Some(_) if subject.blank() => Failure::plain("the output is blank"),
        Some(_) => None,
    }
}

//! Exactly one `<think>` block: first, closed, in order, and spelled so. Blank texts are `empty-text`'s.

use super::Failure;
use crate::context::ArmContext;
use crate::excerpt;
use crate::view::Subject;

/// See the module.
pub fn check(_: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    let fault = subject.split.as_ref().err().filter(|_| !subject.blank())?;
    Failure::new(fault.what, excerpt::around(subject.text, fault.at))
}

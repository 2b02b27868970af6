//! The row says that it is of the arm in whose file it stands.

use super::Failure;
use crate::context::ArmContext;
use crate::excerpt;
use crate::view::Subject;

/// See the module.
pub fn check(context: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    let arm = &*subject.row.meta.model_type;
    if arm == context.arm.name {
        return None;
    }
    Failure::plain(format!(
        "the row is of arm `{}`; this is the file of `{}`",
        excerpt::start(arm),
        context.arm.name
    ))
}

//! The row was given under the arm's system prompt, to the letter. Rows of the Python script do not state theirs.

use super::Failure;
use crate::context::ArmContext;
use crate::excerpt;
use crate::view::Subject;

/// See the module.
pub fn check(context: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    let stated = subject.row.system_prompt.as_deref()?;
    let expected = context.arm.system_prompt.as_str();
    if stated == expected {
        return None;
    }
    let others = &context.shared.experiment.arms;
    if let Some(other) = others.iter().find(|arm| arm.system_prompt == stated) {
        return Failure::plain(format!("the system prompt is that of arm `{}`", other.name));
    }
    let same = stated.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
    let message = format!("the system prompt differs from the arm's at byte {}", same + 1);
    Failure::new(message, excerpt::around(stated, same))
}

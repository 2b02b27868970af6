//! Visible tokens, thinking block included, keep to the budget that the system prompts name.

use super::Failure;
use crate::context::ArmContext;
use crate::view::Subject;

/// See the module.
pub fn check(context: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    let thresholds = context.shared.thresholds;
    let most = (thresholds.token_budget as f64 * (1.0 + thresholds.token_tolerance)).round() as u64;
    let tokens = subject.row.tokens.output;
    if tokens <= most {
        return None;
    }
    let budget = thresholds.token_budget;
    Failure::plain(format!("{tokens} visible tokens; the budget is {budget}, and {most} are let pass"))
}

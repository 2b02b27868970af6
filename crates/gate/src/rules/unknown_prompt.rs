//! The experiment asks this prompt, and in this category.

use super::Failure;
use crate::context::ArmContext;
use crate::excerpt;
use crate::view::Subject;

/// See the module.
pub fn check(context: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    let row = subject.row;
    let category = &*row.meta.category;
    let Some(prompt) = context.shared.prompt(&row.instruction) else {
        return Failure::new("the experiment does not ask this prompt", excerpt::start(&row.instruction));
    };
    if prompt.category == category {
        return None;
    }
    let shown = excerpt::start(category);
    if !context.shared.experiment.categories.contains_key(category) {
        return Failure::plain(format!("the experiment has no category `{shown}`"));
    }
    Failure::plain(format!(
        "the category is `{shown}`; the experiment asks this prompt under `{}`",
        prompt.category
    ))
}

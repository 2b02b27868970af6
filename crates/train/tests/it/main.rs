//! What the trainer does before any tensor: recipes, templates, masks, plans and reports.

mod real_templates;

#[cfg(feature = "libtorch")]
mod step;

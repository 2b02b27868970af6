//! What the trainer does before any tensor: recipes, templates, masks, plans and reports.

mod help;
mod limits;
mod real_templates;
mod templates;

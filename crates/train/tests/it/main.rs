//! What the trainer does before any tensor: recipes, templates, masks, plans and reports.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails, and helpers are tests too")]

mod export;
mod help;
mod limits;
mod preparation;
mod real_templates;
mod templates;
mod tensorboard;

#[cfg(feature = "libtorch")]
mod step;

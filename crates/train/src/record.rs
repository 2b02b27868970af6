//! What a run leaves beside its adapter: a line a step, event files, a card, and where everything came from.
//!
//! `metrics.jsonl` is the truth; event files and the curve are made from it.

pub mod metrics;

pub mod tensorboard;

pub mod chart;

pub mod card;

pub mod provenance;

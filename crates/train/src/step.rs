//! The training step and the loop around it: everything in this crate that touches a tensor.
//!
//! Rows come in as token ids, an adapter goes out. It chooses no settings (that is `recipe`), no order (that is
//! `plan`), renders no text and prints nothing: what happened in a step is handed to the caller.

// The arithmetic of one step.
pub mod loss;

pub mod gradient;

pub mod optimizer;

mod moments;

// The loop, and what survives it.
pub mod trainer;

pub mod checkpoint;

pub mod interrupt;

pub mod reload;

// For others to read.
pub mod dense;

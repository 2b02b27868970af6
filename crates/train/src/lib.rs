//! QLoRA training of both arms under one plan: from rows that the gate has passed to adapters that PEFT loads.
//!
//! Everything outside `step` is plain Rust and is tested without libtorch: what was typed becomes a [`recipe`], rows
//! become token ids and a mask, and the [`plan`] says which rows each step sees. This crate never asks the network for
//! anything, never changes a row, and prints only from its binary.

pub mod flags;
pub mod recipe;

pub mod template;
pub mod tokenizer;

pub mod mask;

pub mod data;

pub mod hold;
pub mod order;
pub mod plan;
pub mod schedule;

#[cfg(feature = "libtorch")]
pub mod step;

pub mod record;

pub mod tokens;

pub mod prepare;

pub mod forecast;

pub mod report;

pub mod pace;

pub mod export;

pub mod lock;

#[cfg(feature = "libtorch")]
pub mod run;

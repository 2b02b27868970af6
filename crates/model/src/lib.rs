//! The transformer, its quantised weights and its adapters, on libtorch.
//!
//! The first modules are plain Rust and need nothing installed. Those behind the feature `libtorch` touch tensors.
//! A binary made with this crate calls `device::open_cuda` before anything else, and writes the rpath of libtorch in
//! its own build script, out of `DEP_MODEL_LIBTORCH_LIB`.
//!
//! This crate knows nothing of data sets, templates, losses or optimizers, opens no socket, and prints nothing.

// What a base is, and where its numbers lie.
pub mod config;

pub mod base;

pub mod weights;

pub mod gguf;

pub mod dtype;

// What is made of them.
pub mod nf4;

pub mod lora;

pub mod adapter;

pub mod forecast;

// What computes.
#[cfg(feature = "libtorch")]
pub mod device;

#[cfg(feature = "libtorch")]
pub mod transformer;

#[cfg(feature = "libtorch")]
pub mod layer;

#[cfg(feature = "libtorch")]
pub mod backward;

#[cfg(feature = "libtorch")]
mod attention;

#[cfg(feature = "libtorch")]
mod norm;

#[cfg(feature = "libtorch")]
pub mod rope;

#[cfg(feature = "libtorch")]
mod weight;

//! Held against transformers, PEFT and bitsandbytes: `fixtures/models/make.py` made the values.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

mod adapter;
mod base;
mod gguf;
mod nf4;
mod reference;

#[cfg(feature = "libtorch")]
mod device;
#[cfg(feature = "libtorch")]
mod gradient;
#[cfg(feature = "libtorch")]
mod logits;
#[cfg(feature = "libtorch")]
mod smollm2;

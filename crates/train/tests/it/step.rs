//! The training step, on tiny models of `fixtures/models` and on SmolLM2 where `setup` has fetched it.

mod adamw8bit;
mod answer;
mod binary;
mod gradient;
mod initial;
mod killed;
mod memory;
mod misuse;
mod parity;
mod peft;
mod placement;
mod resume;
mod support;

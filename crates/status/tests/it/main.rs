//! The real binaries on folders as the other stages leave them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod help;
mod screens;

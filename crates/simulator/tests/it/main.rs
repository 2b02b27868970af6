//! The simulator as its clients meet it: over a socket, and as the `sim` binary.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod client;

mod command;
mod faults;
mod presets;
mod quotas;
mod replies;
mod scenario_errors;
mod scripts;
mod sdk;
mod shapes;
mod stills;
mod streams;
mod validation;

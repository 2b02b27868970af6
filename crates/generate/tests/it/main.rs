//! The real `generate` binary against a simulated Vertex.
//!
//! Nothing here sleeps: a test waits for a counter of the simulator or for the end of the process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod driver;

mod answers;
mod bad_input;
#[cfg(target_os = "linux")]
mod clock;
mod crash;
mod forecast;
mod form;
mod help;
#[cfg(target_os = "linux")]
mod memory;
mod recorded;
mod resume;
mod secrets;
mod stop;
mod storm;

//! A simulated Vertex on loopback: quotas, faults and written answers, for tests, the demo and people.
//!
//! Start one with [`Simulator::start`]; it stops when it is dropped. A [`Scenario`] says how the service behaves, from
//! `calm` to `storm`. Clients need nothing but [`Simulator::base_url`].
//!
//! This crate never opens a connection to anywhere but itself, and shares no type with `vertex`: the JSON is built
//! from Google's documentation, so that a mistake in our own wire types cannot cancel itself out here.

mod counters;
mod scenario;
mod simulator;

mod fault;
mod latency;
mod number;
mod pool;
mod quota;
mod script;
mod thoughts;
mod token;
mod version;

mod ask;
mod dice;
mod google_error;
mod refusal;
mod reply;
mod route;
mod safety;
mod service;
mod state;
mod stream;
mod usage;

pub mod answers;

mod front;
mod http;
mod stills;
mod wire;

pub use counters::{Counters, Tokens};
pub use scenario::{PRESETS, Scenario, ScenarioError};
pub use simulator::{Simulator, StartError};

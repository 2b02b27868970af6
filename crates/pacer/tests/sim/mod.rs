//! A discrete-event simulation in virtual time, shared by the tests and the bench: services, clients, and what a run cost
//!
//! Nothing here waits: time is a number that jumps from one event to the next.

#![allow(dead_code, reason = "the tests and the bench each use a part")]
#![allow(missing_docs, reason = "not an interface")]

pub mod client;
pub mod run;
pub mod scenario;
pub mod service;

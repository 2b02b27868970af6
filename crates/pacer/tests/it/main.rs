//! The pacer from outside: its limits, its outages, its invariants, and the bars that it must clear in virtual time

mod bars;
mod clock;
mod invariants;
mod limits;
mod outage;

#[path = "../sim/mod.rs"]
mod sim;

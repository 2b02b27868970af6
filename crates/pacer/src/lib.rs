//! Rate control: one shared, learned rate; pure policy without clock, socket or runtime.
//!
//! A quota is a rate, and latency wanders, so what is controlled here is requests a second and not how many are under
//! way. [`Pacer::admit`] says whether a request may go now; [`Pacer::report`] tells how it ended. Time is an argument
//! to both: this crate never reads a clock, never sleeps, never opens a socket and never prints.
//!
//! - Not told a quota, it starts slowly, learns from 429s, and probes (`rate`).
//! - Told one by a person, it stays just under it and does not probe; a server's word is kept to as well, and tried again
//!   after a long quiet time, since quotas are raised (`limits`, `tokens`).
//! - A 429 holds everything for as long as the server asks (`hold`); when nothing succeeds any more, a circuit breaker
//!   opens and lets one request try now and then (`breaker`).

mod pacer;

mod limits;
mod outcome;
mod snapshot;

mod breaker;
mod hold;
mod in_flight;
mod rate;
mod tokens;

mod clock;
mod history;

pub use limits::{DEFAULT_MAX_IN_FLIGHT, DEFAULT_TOKENS_PER_REQUEST, LimitError, Limits};
pub use outcome::{Outcome, Throttle};
pub use pacer::{Admission, OpenReason, Pacer, Ticket};
pub use snapshot::{Phase, Snapshot};

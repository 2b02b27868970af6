//! What the pacer is doing, for bars and for `status`

use std::time::Duration;

/// The state of a pacer at one moment
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Snapshot {
    /// What it is doing
    pub phase: Phase,
    /// Requests a second that it would send now; `None` where only tokens bound it
    pub rate: Option<f64>,
    /// Requests a minute that a person or the server named
    pub requests_per_minute: Option<f64>,
    /// Tokens a minute that a person or the server named
    pub tokens_per_minute: Option<f64>,
    /// Requests under way
    pub in_flight: usize,
    /// Requests that may be under way at once now
    pub in_flight_limit: usize,
    /// When the hold or the open breaker ends, on the caller's clock
    pub hold_until: Option<Duration>,
    /// Requests admitted so far
    pub admitted: u64,
    /// Requests answered so far
    pub succeeded: u64,
    /// 429s so far
    pub throttled: u64,
    /// Requests that ended in an error other than 429 so far
    pub failed: u64,
}

/// What a pacer is doing
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Doubling up from a low rate: no 429 seen yet
    SlowStart,
    /// Just under a quota that is known
    Pinned,
    /// On the way back to the last good rate
    Regrowing,
    /// At the last good rate and gently beyond it
    Probing,
    /// Waiting after a 429
    Held,
    /// The circuit breaker is open: nothing succeeds
    Broken,
    /// The day's quota is spent
    Spent,
}

impl Phase {
    /// One or two lower-case words for a bar
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::SlowStart => "slow start",
            Phase::Pinned => "pinned",
            Phase::Regrowing => "regrowing",
            Phase::Probing => "probing",
            Phase::Held => "held",
            Phase::Broken => "broken",
            Phase::Spent => "spent",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

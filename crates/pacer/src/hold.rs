//! The hold that all requests share after a 429

use std::time::Duration;

/// How long a 429 without a hint holds, in seconds, before jitter of a quarter either way
const FIRST: f64 = 1.5;
/// The first hold of a fast service is this many requests long, since at 50 a second 1.5 s would be 75 of them
const FIRST_REQUESTS: f64 = 4.0;
/// but at least this many times what a 429 takes, so that the burst is over
const LAGS: f64 = 2.0;
/// Each burst with nothing accepted since the last one holds twice as long as that, up to this: the lowest rate there is
const LAST: f64 = 48.0;

/// Until when nothing is sent, and how many bursts of 429s came with nothing accepted between them
#[derive(Debug)]
pub(crate) struct Hold {
    until: Duration,
    level: u32,
    /// Seconds that the latest burst holds, before jitter
    length: f64,
    lowest: bool,
}

impl Hold {
    pub(crate) fn until(&self) -> Duration {
        self.until
    }

    pub(crate) fn new() -> Hold {
        Hold { until: Duration::ZERO, level: 0, length: FIRST, lowest: false }
    }

    /// Whether a burst followed on the longest hold
    pub(crate) fn is_below_lowest(&self) -> bool {
        self.lowest
    }

    /// Bursts in a row with nothing accepted between them, less one
    pub(crate) fn level(&self) -> u32 {
        self.level
    }

    /// A new burst begins at `rate` requests a second, of 429s that take `lag` seconds; `accepted`: whether anything was
    /// since the last one
    pub(crate) fn burst(
        &mut self,
        now: Duration,
        accepted: bool,
        retry_after: Option<Duration>,
        (rate, lag): (f64, f64),
        rng: &mut fastrand::Rng,
    ) {
        self.level = if accepted { 0 } else { self.level.saturating_add(1) };
        self.lowest = self.level > 0 && self.length >= LAST;
        self.length = match self.level {
            0 => (FIRST_REQUESTS / rate).max(LAGS * lag).min(FIRST),
            _ => (2.0 * self.length).min(LAST),
        };
        let own = Duration::from_secs_f64(self.length * (0.75 + 0.5 * rng.f64()));
        let hold = match retry_after {
            // At least what the server asks. Others were told the same moment, hence the jitter.
            Some(asked) if self.level == 0 => asked.saturating_add(own.mul_f64(0.1)),
            Some(asked) => asked.max(own),
            None => own,
        };
        self.extend(now.saturating_add(hold));
    }

    /// Holds until `until` at least
    pub(crate) fn extend(&mut self, until: Duration) {
        self.until = self.until.max(until);
    }

    /// Something was answered that had been sent after the last burst
    pub(crate) fn accepted(&mut self) {
        self.level = 0;
        self.lowest = false;
    }
}

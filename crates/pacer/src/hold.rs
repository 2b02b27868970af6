//! The hold that all requests share after a 429

use std::time::Duration;

/// How long a 429 without a hint holds, in seconds, before jitter of a quarter either way
const FIRST: f64 = 1.5;
/// Doublings: at the last one, a request goes every 48 seconds or so, which is the lowest rate there is
pub(crate) const LOWEST_RATE_LEVEL: u32 = 5;

/// Until when nothing is sent, and how many bursts of 429s came with nothing accepted between them
#[derive(Debug, Default)]
pub(crate) struct Hold {
    until: Duration,
    level: u32,
}

impl Hold {
    pub(crate) fn until(&self) -> Duration {
        self.until
    }

    /// Bursts in a row with nothing accepted between them, less one
    pub(crate) fn level(&self) -> u32 {
        self.level
    }

    /// A new burst begins; `accepted`: whether anything was since the last one
    pub(crate) fn burst(
        &mut self,
        now: Duration,
        accepted: bool,
        retry_after: Option<Duration>,
        rng: &mut fastrand::Rng,
    ) {
        self.level = if accepted { 0 } else { self.level.saturating_add(1) };
        let doubled = FIRST * f64::from(1_u32 << self.level.min(LOWEST_RATE_LEVEL));
        let own = Duration::from_secs_f64(doubled * (0.75 + 0.5 * rng.f64()));
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
    }
}

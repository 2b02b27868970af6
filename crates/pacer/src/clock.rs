//! The caller's clock, folded into one that only goes forward

use std::time::Duration;

/// A leap of more than this counts as this: no hold, window or quota lasts longer, and sums stay far from overflow
const LONGEST_LEAP: Duration = Duration::from_secs(86_400);

/// Adds up the steps forward of the caller's clock; a step back counts as no time at all
///
/// After an hour's step back nothing waits an hour: the next step forward is counted from where the clock went.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    last: Option<Duration>,
    elapsed: Duration,
}

impl Clock {
    /// Takes the caller's time and returns ours
    pub(crate) fn advance(&mut self, now: Duration) -> Duration {
        self.elapsed = self.peek(now);
        self.last = Some(now);
        self.elapsed
    }

    /// Our time for the caller's, without taking note of it
    pub(crate) fn peek(&self, now: Duration) -> Duration {
        let step = self.last.map_or(Duration::ZERO, |last| now.saturating_sub(last));
        self.elapsed.saturating_add(step.min(LONGEST_LEAP))
    }
}

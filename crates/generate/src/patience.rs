//! How long a run goes on when nothing succeeds. Pure: times are durations since the start of the run.

use std::time::Duration;

/// Nothing succeeded for this long: the run ends, since whoever started it would want to know.
pub const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Since when nothing has succeeded although it was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Patience {
    failing_since: Option<Duration>,
}

impl Patience {
    /// A request was answered.
    pub fn succeeded(&mut self) {
        self.failing_since = None;
    }

    /// A request failed, or was answered by 429.
    pub fn failed(&mut self, now: Duration) {
        self.failing_since.get_or_insert(now);
    }

    /// Whether nothing has succeeded for [`PATIENCE`]. A run that asked nothing in that time, as at a quota of a few
    /// requests a day, has not failed.
    pub fn is_over(&self, now: Duration) -> bool {
        self.failing_since.is_some_and(|since| now.saturating_sub(since) >= PATIENCE)
    }
}

/// Whether the service asks for a wait, until `hold`, that is longer than a run waits for anything.
pub fn is_too_long(now: Duration, hold: Option<Duration>) -> bool {
    hold.is_some_and(|hold| hold.saturating_sub(now) > PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[test]
    fn is_over_half_an_hour_after_the_first_failure_that_no_success_followed() {
        let mut patience = Patience::default();
        assert!(!patience.is_over(minutes(600)), "nothing was asked");
        patience.failed(minutes(10));
        patience.failed(minutes(39));
        assert!(!patience.is_over(minutes(40) - Duration::from_nanos(1)));
        assert!(patience.is_over(minutes(40)));
        patience.succeeded();
        assert!(!patience.is_over(minutes(100)));
        patience.failed(minutes(100));
        assert!(!patience.is_over(minutes(129)), "the earlier outage is forgotten");
        assert!(patience.is_over(minutes(130)));
    }

    #[test]
    fn a_wait_of_more_than_half_an_hour_is_too_long() {
        let cases = [
            (None, false),
            (Some(0), false),
            (Some(40), false),
            (Some(41), true),
            (Some(u64::MAX / 60), true),
        ];
        for (hold, expected) in cases {
            assert_eq!(is_too_long(minutes(10), hold.map(minutes)), expected, "{hold:?}");
        }
    }
}

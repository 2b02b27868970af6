//! How long a failed request waits before it goes again, alone.
//!
//! Decorrelated jitter (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015): the next wait is
//! drawn between the base and three times the last one, and capped. Pure: the random number is an argument.

use std::time::Duration;

/// Bounds of the wait. The default is 1 s to 60 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The shortest wait.
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// The wait after `previous` (`None` before the first), with `random` drawn uniformly from 0.0 to 1.0. A
    /// `floor` that the server asked for is kept even above the cap.
    pub fn next(&self, previous: Option<Duration>, floor: Option<Duration>, random: f64) -> Duration {
        let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 0.5 };
        let highest =
            previous.unwrap_or(self.base).saturating_mul(3).clamp(self.base, self.cap.max(self.base));
        let wait = self.base + (highest - self.base).mul_f64(random);
        wait.max(floor.unwrap_or(Duration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn grows_threefold_at_most_up_to_the_cap() {
        let backoff = Backoff::default();
        let mut wait = None;
        let waits: Vec<u64> = std::iter::repeat_with(|| {
            let next = backoff.next(wait, None, 1.0);
            wait = Some(next);
            next.as_secs()
        })
        .take(6)
        .collect();
        assert_eq!(waits, [3, 9, 27, 60, 60, 60]);
    }

    #[test]
    fn never_comes_before_the_server_allows() {
        let asked = Duration::from_secs(90);
        assert_eq!(Backoff::default().next(None, Some(asked), 0.3), asked);
    }

    proptest! {
        #[test]
        fn stays_within_base_and_cap(previous in 0u64..1_000_000, random in any::<f64>()) {
            let backoff = Backoff::default();
            let wait = backoff.next(Some(Duration::from_millis(previous)), None, random);
            prop_assert!(backoff.base <= wait && wait <= backoff.cap);
        }
    }
}

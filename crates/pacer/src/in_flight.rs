//! How many requests may be under way at once
//!
//! Little's law (J. D. C. Little, "A Proof for the Queuing Formula L = λW", Operations Research 9, 1961): at λ requests
//! a second that take W seconds each, L = λW are under way. Twice that leaves room for the spread of W; more would only
//! pile up behind a service that has stopped answering.

use std::time::Duration;

/// Room above twice Little's law, so that a low rate is not held up by two slow answers
const SLACK: f64 = 8.0;
/// A latency above this is a machine that slept, not a service that thought
const LONGEST: f64 = 600.0;

/// Counts the requests under way and bounds them
#[derive(Debug)]
pub(crate) struct InFlight {
    count: usize,
    cap: usize,
    latency: Option<f64>,
}

impl InFlight {
    pub(crate) fn new(cap: usize) -> InFlight {
        InFlight { count: 0, cap, latency: None }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Requests that may be under way at `rate` requests a second, whichever quota that comes from
    pub(crate) fn limit(&self, rate: f64) -> usize {
        let Some(latency) = self.latency else { return self.cap };
        // The cast saturates, so that an unbounded rate means the cap.
        ((2.0 * rate * latency + SLACK).ceil() as usize).clamp(1, self.cap)
    }

    pub(crate) fn enter(&mut self) {
        self.count += 1;
    }

    pub(crate) fn leave(&mut self) {
        self.count = self.count.saturating_sub(1);
    }

    /// Learns how long an answer took; faster upwards, since a limit that is too low costs throughput
    pub(crate) fn answered(&mut self, latency: Duration) {
        let sample = latency.as_secs_f64().min(LONGEST);
        self.latency = Some(match self.latency {
            None => sample,
            Some(known) => known + (sample - known) * if sample > known { 0.3 } else { 0.05 },
        });
    }
}

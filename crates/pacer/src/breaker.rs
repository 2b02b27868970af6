//! The circuit breaker: when nothing succeeds at the lowest rate, stop, and let one request try now and then
//!
//! Closed → open when every request fails; open → half open when the pause is over; half open → closed when the one
//! request that may then go succeeds, else open again for twice as long.

use std::time::Duration;

use crate::pacer::OpenReason;

/// The first pause; each further one is twice as long
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// So many failures in a row, over at least so long, are an outage
const FAILURES: u32 = 20;
const FAILING_FOR: Duration = Duration::from_secs(30);

/// Whether requests may go
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    Open {
        until: Duration,
        reason: OpenReason,
    },
    /// One request may go, and none while it is under way
    HalfOpen {
        trying: Option<u64>,
        reason: OpenReason,
    },
}

#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    pause: Duration,
    failures: u32,
    failing_since: Duration,
}

impl Breaker {
    pub(crate) fn new() -> Breaker {
        Breaker { state: State::Closed, pause: FIRST_PAUSE, failures: 0, failing_since: Duration::ZERO }
    }

    /// The state at `now`; an open breaker whose pause is over becomes half open
    pub(crate) fn state(&mut self, now: Duration) -> State {
        if let State::Open { until, reason } = self.state
            && now >= until
        {
            self.state = State::HalfOpen { trying: None, reason };
        }
        self.state
    }

    /// The state as it was last seen
    pub(crate) fn seen(&self) -> State {
        self.state
    }

    /// The request `number` goes; if half open, it is the one that tries
    pub(crate) fn sent(&mut self, number: u64) {
        if let State::HalfOpen { trying, .. } = &mut self.state {
            *trying = Some(number);
        }
    }

    /// Whether this request is the one that tries
    pub(crate) fn is_trial(&self, number: u64) -> bool {
        matches!(self.state, State::HalfOpen { trying: Some(trying), .. } if trying == number)
    }

    /// Closes; returns whether it was not closed
    pub(crate) fn succeeded(&mut self, number: u64) -> bool {
        self.failures = 0;
        // The late answer of a request that was sent before the outage says nothing about its end.
        let closes = self.is_trial(number);
        if closes {
            self.state = State::Closed;
            self.pause = FIRST_PAUSE;
        }
        closes
    }

    /// Counts a failure that is no 429, and opens after too many
    pub(crate) fn failed(&mut self, now: Duration, number: u64) {
        if self.is_trial(number) {
            self.open(now, OpenReason::Failing);
            return;
        }
        if self.failures == 0 {
            self.failing_since = now;
        }
        self.failures = self.failures.saturating_add(1);
        let outage = self.failures >= FAILURES && now.saturating_sub(self.failing_since) >= FAILING_FOR;
        if outage && self.state == State::Closed {
            self.open(now, OpenReason::Failing);
        }
    }

    /// Opens, for twice as long as the last time in a row
    pub(crate) fn open(&mut self, now: Duration, reason: OpenReason) {
        self.state = State::Open { until: now.saturating_add(self.pause), reason };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.failures = 0;
    }

    /// The request that tried was given up: another may try
    pub(crate) fn cancelled(&mut self, number: u64) {
        if self.is_trial(number)
            && let State::HalfOpen { trying, .. } = &mut self.state
        {
            *trying = None;
        }
    }
}

//! The pacer: asks each part in turn whether a request may go, and tells each part how it ended

use std::time::Duration;

use crate::breaker::{Breaker, State};
use crate::clock::Clock;
use crate::history::History;
use crate::hold::Hold;
use crate::in_flight::InFlight;
use crate::limits::{LimitError, Limits, is_quota};
use crate::outcome::{Outcome, Throttle};
use crate::rate::Rate;
use crate::snapshot::{Phase, Snapshot};
use crate::tokens::Tokens;

/// A request that comes this much later than it might have was not waiting for its turn
const IDLE: Duration = Duration::from_millis(250);
/// While nothing has been accepted, one request goes and the others wait at least this long for its 429
const TRIAL: Duration = Duration::from_secs(1);

/// The answer to "may a request go now?"; times are on the caller's clock
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// Send it, and report with this ticket how it ended
    Go(Ticket),
    /// Ask again then
    Wait(Duration),
    /// As many are under way as may be: ask again after the next report
    Full,
    /// The circuit breaker is open: nothing succeeds; ask again then, or stop and say why
    Open {
        /// When one request may try
        until: Duration,
        /// What went wrong
        reason: OpenReason,
    },
    /// The day's quota is spent: nothing will go any more
    Spent,
}

/// Why the circuit breaker opened
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenReason {
    /// Every request is answered by 429, even at one a minute
    Throttled,
    /// Every request ends in an error other than 429
    Failing,
}

impl std::fmt::Display for OpenReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            OpenReason::Throttled => "every request is answered by 429, even at the lowest rate",
            OpenReason::Failing => "every request fails",
        })
    }
}

/// A request under way; to be handed back in [`Pacer::report`], whatever happens, or it counts as under way for ever
#[derive(Debug)]
#[must_use = "a ticket that is not reported counts as a request under way for ever"]
pub struct Ticket {
    number: u64,
    lane: usize,
    sent: Duration,
    tokens: f64,
}

/// Admits requests at one rate that all lanes share, and learns that rate from how they end
#[derive(Debug)]
pub struct Pacer {
    clock: Clock,
    rate: Rate,
    tokens: Tokens,
    hold: Hold,
    in_flight: InFlight,
    breaker: Breaker,
    history: History,
    rng: fastrand::Rng,
    /// The turn of the latest request, which is when it should have gone
    turn: Option<Duration>,
    /// When the latest burst of 429s began
    burst: Option<Duration>,
    /// Seconds that a 429 takes to come
    lag: f64,
    spent: bool,
    succeeded: u64,
    throttled: u64,
    failed: u64,
}

impl Pacer {
    /// A pacer that starts at its quota, if one is known, and low otherwise; `seed` decides the jitter of holds
    ///
    /// # Errors
    /// A limit that makes no sense: see [`Limits::check`].
    pub fn new(limits: Limits, seed: u64) -> Result<Pacer, LimitError> {
        limits.check()?;
        Ok(Pacer {
            clock: Clock::default(),
            rate: Rate::new(limits.requests_per_minute, limits.tokens_per_minute.is_some()),
            tokens: Tokens::new(limits.tokens_per_minute, limits.tokens_per_request),
            hold: Hold::new(),
            in_flight: InFlight::new(limits.max_in_flight),
            breaker: Breaker::new(),
            history: History::default(),
            rng: fastrand::Rng::with_seed(seed),
            turn: None,
            burst: None,
            lag: 0.0,
            spent: false,
            succeeded: 0,
            throttled: 0,
            failed: 0,
        })
    }

    /// Asks to send a request of `lane` (the index of its arm) at `now`, which is time since any fixed moment
    ///
    /// A `now` before an earlier one is taken as that one: a clock that is set back neither stalls nor frees anything.
    pub fn admit(&mut self, now: Duration, lane: usize) -> Admission {
        let time = self.clock.advance(now);
        let theirs = |until: Duration| now.saturating_add(until.saturating_sub(time));
        if self.spent {
            return Admission::Spent;
        }
        match self.breaker.state(time) {
            State::Open { until, reason } => return Admission::Open { until: theirs(until), reason },
            State::HalfOpen { trying: Some(_), .. } => return Admission::Full,
            State::HalfOpen { trying: None, .. } | State::Closed => {}
        }
        if self.in_flight.count() >= self.in_flight.limit(self.pace()) {
            return Admission::Full;
        }
        let interval = interval(self.rate.per_second());
        let turn = self.turn.map_or(time, |turn| turn.saturating_add(interval));
        let ready = turn.max(self.tokens.ready(time, self.rate.lift())).max(self.hold.until());
        if ready > time {
            return Admission::Wait(theirs(ready));
        }
        // A timer that fires late is forgiven a little, or every late one would lower the rate.
        self.turn = Some(turn.max(time.saturating_sub(patience(interval))));
        let idle = time.saturating_sub(ready) > IDLE;
        Admission::Go(self.send(time, lane, !idle))
    }

    /// Tells how an admitted request ended
    pub fn report(&mut self, now: Duration, ticket: Ticket, outcome: Outcome) {
        let time = self.clock.advance(now);
        self.in_flight.leave();
        match outcome {
            Outcome::Success { tokens } => self.success(time, &ticket, tokens),
            Outcome::Throttled(throttle) => self.throttle(time, &ticket, throttle),
            Outcome::DayQuota => {
                self.throttled += 1;
                self.spent = true;
            }
            Outcome::Failed => {
                self.failed += 1;
                self.breaker.failed(time, ticket.number);
            }
            Outcome::Cancelled => self.breaker.cancelled(ticket.number),
        }
    }

    /// What the pacer is doing at `now`, for bars and for `status`
    #[must_use]
    pub fn snapshot(&self, now: Duration) -> Snapshot {
        let time = self.clock.peek(now);
        let per_second = self.rate.per_second();
        let limit = self.in_flight.limit(self.pace());
        let (open, open_until) = match self.breaker.seen() {
            State::Closed => (false, Duration::ZERO),
            State::Open { until, .. } => (true, until),
            State::HalfOpen { .. } => (true, Duration::ZERO),
        };
        let until = self.hold.until().max(open_until);
        Snapshot {
            phase: match () {
                () if self.spent => Phase::Spent,
                () if open => Phase::Broken,
                () if until > time => Phase::Held,
                () => self.rate.phase(),
            },
            rate: per_second.is_finite().then_some(per_second),
            requests_per_minute: self.rate.quota(),
            tokens_per_minute: self.tokens.quota(),
            in_flight: self.in_flight.count(),
            in_flight_limit: limit,
            hold_until: (until > time).then(|| now.saturating_add(until - time)),
            admitted: self.history.count(),
            succeeded: self.succeeded,
            throttled: self.throttled,
            failed: self.failed,
        }
    }

    /// Requests a second that go at most, by the rate and by the tokens
    fn pace(&self) -> f64 {
        self.rate.per_second().min(self.tokens.requests_per_second(self.rate.lift()))
    }

    fn send(&mut self, time: Duration, lane: usize, paced: bool) -> Ticket {
        let tokens = self.tokens.debit(time, lane, self.rate.lift());
        if self.hold.level() > 0 && !self.accepted_since_burst(time) {
            let trial = TRIAL.max(Duration::from_secs_f64(4.0 * self.lag));
            self.hold.extend(time.saturating_add(trial));
        }
        let number = self.history.sent(time);
        self.rate.sent(time, number, paced);
        self.breaker.sent(number);
        self.in_flight.enter();
        Ticket { number, lane, sent: time, tokens }
    }

    fn success(&mut self, time: Duration, ticket: &Ticket, tokens: Option<u64>) {
        self.succeeded += 1;
        let latency = time.saturating_sub(ticket.sent);
        self.in_flight.answered(latency);
        if let Some(actual) = tokens {
            self.tokens.settle(ticket.lane, ticket.sent, ticket.tokens, actual);
        }
        self.rate.answered(ticket.number, latency.as_secs_f64());
        if self.burst.is_none_or(|burst| ticket.sent >= burst) {
            self.hold.accepted();
        }
        if self.breaker.succeeded(ticket.number) {
            self.rate.restart();
            self.history.forget();
        }
    }

    fn throttle(&mut self, time: Duration, ticket: &Ticket, throttle: Throttle) {
        self.throttled += 1;
        self.history.throttled(ticket.number);
        self.tokens.refund(ticket.sent, ticket.tokens);
        let lag = time.saturating_sub(ticket.sent).as_secs_f64().min(10.0);
        self.lag += (lag - self.lag) * if self.lag == 0.0 { 1.0 } else { 0.1 };
        let news = self.take_hints(time, throttle);
        // What was sent before the cut belongs to the burst that caused it.
        if self.burst.is_some_and(|burst| ticket.sent < burst) {
            if let Some(asked) = throttle.retry_after {
                self.hold.extend(time.saturating_add(asked));
            }
            return;
        }
        let accepted = self.burst.is_none() || self.accepted_since_burst(ticket.sent);
        let achieved = self.history.achieved(ticket.sent);
        let pace = self.pace().min(achieved.unwrap_or(f64::INFINITY));
        self.hold.burst(time, accepted, throttle.retry_after, (pace, self.lag), &mut self.rng);
        self.burst = Some(time);
        if self.hold.is_below_lowest() || self.breaker.is_trial(ticket.number) {
            self.breaker.open(time, OpenReason::Throttled);
        }
        if news {
            return;
        }
        if self.rate.phase() == Phase::Pinned || self.rate.lift() > 1.0 {
            self.tokens.refused(time, throttle.retry_after, self.in_flight.count(), false);
        }
        // With nothing accepted since the last cut there is no new rate to cut to: the hold grows instead.
        if accepted {
            self.rate.cut(ticket.number, achieved, self.lag);
        }
    }

    /// Pins the rate when a 429 names a quota that was not known; returns whether it did
    fn take_hints(&mut self, time: Duration, throttle: Throttle) -> bool {
        let requests = throttle.requests_per_minute.filter(|&quota| is_quota(quota));
        let tokens = throttle.tokens_per_minute.filter(|&quota| is_quota(quota));
        let new_requests = requests.is_some_and(|quota| self.rate.hint(quota));
        let new_tokens = tokens.is_some_and(|quota| self.tokens.hint(quota));
        if new_tokens {
            self.tokens.refused(time, throttle.retry_after, self.in_flight.count(), true);
        }
        if new_requests || new_tokens {
            let pace = self.rate.ceiling().min(self.tokens.requests_per_second(1.0));
            self.rate.pin(tokens.is_some(), 1.0 + pace * self.lag);
        }
        new_requests || new_tokens
    }

    fn accepted_since_burst(&self, until: Duration) -> bool {
        self.burst.is_some_and(|burst| self.history.accepted_between(burst, until))
    }
}

fn interval(per_second: f64) -> Duration {
    Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(Duration::MAX)
}

/// How late a request may be without losing its turn: timers fire up to some milliseconds late
fn patience(interval: Duration) -> Duration {
    interval.mul_f64(0.4).clamp(Duration::from_millis(4), Duration::from_millis(100))
}

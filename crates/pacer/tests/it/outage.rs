//! Holds, the circuit breaker, and the end of a day's quota

use std::time::Duration;

use pacer::{Admission, Limits, OpenReason, Outcome, Pacer, Phase, Throttle, Ticket};

/// A pacer and its clock
struct Bench {
    pacer: Pacer,
    now: Duration,
}

impl Bench {
    fn new(limits: Limits) -> Bench {
        Bench { pacer: Pacer::new(limits, 3).expect("limits that make sense"), now: Duration::from_secs(50) }
    }

    /// Waits for the next ticket, unless something other than waiting is asked for
    fn ticket(&mut self) -> Result<Ticket, Admission> {
        loop {
            match self.pacer.admit(self.now, 0) {
                Admission::Go(ticket) => return Ok(ticket),
                Admission::Wait(until) => {
                    assert!(until > self.now, "a wait that is over");
                    self.now = until;
                }
                other => return Err(other),
            }
        }
    }

    fn report(&mut self, ticket: Ticket, outcome: Outcome) {
        self.now += Duration::from_millis(300);
        self.pacer.report(self.now, ticket, outcome);
    }

    /// Sends until the breaker opens
    fn until_open(&mut self, outcome: Outcome) -> (usize, Duration, OpenReason) {
        for sent in 0..1_000 {
            match self.ticket() {
                Ok(ticket) => self.report(ticket, outcome),
                Err(Admission::Open { until, reason }) => return (sent, until, reason),
                Err(other) => panic!("{other:?}"),
            }
        }
        panic!("the breaker never opened");
    }
}

const THROTTLED: Outcome =
    Outcome::Throttled(Throttle { retry_after: None, requests_per_minute: None, tokens_per_minute: None });
const SUCCESS: Outcome = Outcome::Success { tokens: None };

#[test]
fn a_retry_delay_holds_every_lane_for_at_least_that_long() {
    let mut bench = Bench::new(Limits::default());
    let ticket = bench.ticket().expect("a ticket");
    let asked = Duration::from_secs(38);
    bench.report(ticket, Outcome::Throttled(Throttle { retry_after: Some(asked), ..Throttle::default() }));
    for lane in 0..3 {
        let Admission::Wait(until) = bench.pacer.admit(bench.now, lane) else { panic!("not held") };
        assert!(until >= bench.now + asked);
    }
    assert_eq!(bench.pacer.snapshot(bench.now).phase, Phase::Held);
}

#[test]
fn a_hint_pins_the_rate_just_under_the_quota() {
    let mut bench = Bench::new(Limits::default());
    let ticket = bench.ticket().expect("a ticket");
    let hint = Throttle { requests_per_minute: Some(120.0), ..Throttle::default() };
    bench.report(ticket, Outcome::Throttled(hint));
    let snapshot = bench.pacer.snapshot(bench.now + Duration::from_secs(60));
    assert_eq!(snapshot.phase, Phase::Pinned);
    assert_eq!(snapshot.rate, Some(0.995 * 2.0));
}

#[test]
fn a_hint_that_is_no_quantity_is_ignored() {
    for quota in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut bench = Bench::new(Limits::default());
        let ticket = bench.ticket().expect("a ticket");
        let hint = Throttle {
            requests_per_minute: Some(quota),
            tokens_per_minute: Some(quota),
            ..Throttle::default()
        };
        bench.report(ticket, Outcome::Throttled(hint));
        let snapshot = bench.pacer.snapshot(bench.now);
        assert_eq!((snapshot.requests_per_minute, snapshot.tokens_per_minute), (None, None));
        assert!(bench.ticket().is_ok());
    }
}

#[test]
fn a_hint_above_what_a_person_told_does_not_raise_it() {
    let mut bench = Bench::new(Limits { requests_per_minute: Some(30.0), ..Limits::default() });
    let ticket = bench.ticket().expect("a ticket");
    let hint = Throttle { requests_per_minute: Some(120.0), ..Throttle::default() };
    bench.report(ticket, Outcome::Throttled(hint));
    assert_eq!(bench.pacer.snapshot(bench.now).requests_per_minute, Some(30.0));
}

#[test]
fn one_burst_of_429s_cuts_once() {
    let mut bench = Bench::new(Limits::default());
    for _ in 0..12 {
        let ticket = bench.ticket().expect("a ticket");
        bench.report(ticket, SUCCESS);
    }
    let burst: Vec<Ticket> = (0..5).map(|_| bench.ticket().expect("a ticket")).collect();
    let mut rates = Vec::new();
    for ticket in burst {
        bench.report(ticket, THROTTLED);
        rates.push(bench.pacer.snapshot(bench.now).rate);
    }
    assert!(rates.iter().all(|rate| *rate == rates[0]), "{rates:?}");
}

#[test]
fn errors_are_no_signal_of_the_rate() {
    let mut bench = Bench::new(Limits { requests_per_minute: Some(600.0), ..Limits::default() });
    let before = bench.pacer.snapshot(bench.now).rate;
    for _ in 0..10 {
        let ticket = bench.ticket().expect("a ticket");
        bench.report(ticket, Outcome::Failed);
    }
    assert_eq!(bench.pacer.snapshot(bench.now).rate, before);
}

#[test]
fn the_breaker_opens_when_nothing_succeeds_at_the_lowest_rate() {
    let mut bench = Bench::new(Limits::default());
    let (sent, _, reason) = bench.until_open(THROTTLED);
    assert_eq!(reason, OpenReason::Throttled);
    assert!((5..=8).contains(&sent), "{sent} requests");
    assert_eq!(bench.pacer.snapshot(bench.now).phase, Phase::Broken);
}

#[test]
fn the_breaker_opens_when_every_request_fails() {
    let mut bench = Bench::new(Limits { requests_per_minute: Some(60.0), ..Limits::default() });
    let (sent, _, reason) = bench.until_open(Outcome::Failed);
    assert_eq!((sent, reason), (31, OpenReason::Failing));
}

#[test]
fn one_request_tries_and_a_success_closes_the_breaker() {
    let mut bench = Bench::new(Limits::default());
    let (_, until, _) = bench.until_open(THROTTLED);
    bench.now = until;
    let trial = bench.ticket().expect("the one that tries");
    assert!(matches!(bench.pacer.admit(bench.now, 1), Admission::Full));
    bench.report(trial, SUCCESS);
    assert!(bench.ticket().is_ok());
    assert_eq!(bench.pacer.snapshot(bench.now).phase, Phase::SlowStart);
}

#[test]
fn a_trial_that_fails_doubles_the_pause_up_to_five_minutes() {
    let mut bench = Bench::new(Limits::default());
    let (_, until, _) = bench.until_open(THROTTLED);
    bench.now = until;
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let trial = bench.ticket().expect("the one that tries");
        bench.report(trial, THROTTLED);
        let Err(Admission::Open { until, .. }) = bench.ticket() else { panic!("not open") };
        pauses.push((until - bench.now).as_secs());
        bench.now = until;
    }
    assert_eq!(pauses, [120, 240, 300, 300]);
}

#[test]
fn a_trial_that_is_given_up_lets_another_try() {
    let mut bench = Bench::new(Limits::default());
    let (_, until, _) = bench.until_open(THROTTLED);
    bench.now = until;
    let trial = bench.ticket().expect("the one that tries");
    bench.report(trial, Outcome::Cancelled);
    assert!(bench.ticket().is_ok());
}

#[test]
fn a_spent_day_is_the_end() {
    let mut bench = Bench::new(Limits::default());
    let ticket = bench.ticket().expect("a ticket");
    bench.report(ticket, Outcome::DayQuota);
    bench.now += Duration::from_secs(86_400);
    assert!(matches!(bench.ticket(), Err(Admission::Spent)));
    assert_eq!(bench.pacer.snapshot(bench.now).phase, Phase::Spent);
}

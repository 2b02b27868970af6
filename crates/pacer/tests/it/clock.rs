//! Clocks that leap

use std::time::Duration;

use pacer::{Admission, Limits, Outcome, Pacer, Throttle};

fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value)
}

fn told(rpm: f64) -> Pacer {
    let limits = Limits { requests_per_minute: Some(rpm), ..Limits::default() };
    Pacer::new(limits, 0).expect("limits that make sense")
}

fn go(pacer: &mut Pacer, now: f64) -> pacer::Ticket {
    match pacer.admit(seconds(now), 0) {
        Admission::Go(ticket) => ticket,
        other => panic!("{other:?} at {now}"),
    }
}

fn wait(pacer: &mut Pacer, now: f64) -> f64 {
    match pacer.admit(seconds(now), 0) {
        Admission::Wait(until) => until.as_secs_f64() - now,
        other => panic!("{other:?} at {now}"),
    }
}

#[test]
fn a_clock_set_back_an_hour_costs_no_more_than_a_turn() {
    let mut pacer = told(60.0);
    let _first = go(&mut pacer, 10_000.0);
    assert!(wait(&mut pacer, 6_400.0) <= 1.01);
    let _second = go(&mut pacer, 6_401.1);
}

#[test]
fn a_clock_set_forward_a_week_frees_one_request() {
    let mut pacer = told(60.0);
    let _first = go(&mut pacer, 0.0);
    let _second = go(&mut pacer, 604_800.0);
    assert!(wait(&mut pacer, 604_800.0) > 0.89);
}

#[test]
fn a_hold_outlives_a_clock_set_back() {
    let mut pacer = told(60.0);
    let ticket = go(&mut pacer, 5_000.0);
    let throttle = Throttle { retry_after: Some(seconds(38.0)), ..Throttle::default() };
    pacer.report(seconds(5_000.2), ticket, Outcome::Throttled(throttle));
    let left = wait(&mut pacer, 100.0);
    assert!((38.0..39.0).contains(&left), "{left}");
}

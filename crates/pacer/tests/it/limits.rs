//! Limits that make no sense are refused by name

use std::time::Duration;

use pacer::{Admission, Limits, Outcome, Pacer};

fn check(limits: Limits, says: &str) {
    let error = Pacer::new(limits, 0).expect_err("these limits make no sense").to_string();
    assert!(error.starts_with(says), "{error:?} does not start with {says:?}");
}

fn rpm(value: f64) -> Limits {
    Limits { requests_per_minute: Some(value), ..Limits::default() }
}

fn tpm(value: f64) -> Limits {
    Limits { tokens_per_minute: Some(value), ..Limits::default() }
}

#[test]
fn a_quota_that_is_no_quantity_is_named() {
    check(rpm(0.0), "requests per minute is 0, but");
    check(rpm(-0.0), "requests per minute is -0, but");
    check(rpm(-5.0), "requests per minute is -5, but");
    check(rpm(f64::NAN), "requests per minute is NaN, but");
    check(rpm(f64::INFINITY), "requests per minute is inf, but");
    check(tpm(0.0), "tokens per minute is 0, but");
    check(tpm(f64::NAN), "tokens per minute is NaN, but");
}

#[test]
fn the_message_names_the_flag() {
    let error = Pacer::new(tpm(0.0), 0).expect_err("zero").to_string();
    assert!(error.contains("--tpm"), "{error}");
}

#[test]
fn room_for_no_request_is_refused() {
    check(
        Limits { max_in_flight: 0, ..Limits::default() },
        "at most 0 requests in flight would send nothing",
    );
}

#[test]
fn an_estimate_that_is_no_quantity_is_refused() {
    check(Limits { tokens_per_request: f64::NAN, ..Limits::default() }, "tokens per request is NaN");
}

#[test]
fn limits_that_make_sense_are_taken() {
    for limits in [Limits::default(), rpm(60.0), tpm(500_000.0), rpm(0.01)] {
        assert!(Pacer::new(limits, 0).is_ok(), "{limits:?}");
    }
}

#[test]
fn a_quota_of_tokens_alone_bounds_what_is_under_way_by_littles_law() {
    let mut pacer = Pacer::new(tpm(60_000.0), 0).expect("limits that make sense");
    let mut now = Duration::ZERO;
    for _ in 0..20 {
        let ticket = loop {
            match pacer.admit(now, 0) {
                Admission::Go(ticket) => break ticket,
                Admission::Wait(until) => now = until,
                other => panic!("{other:?}"),
            }
        };
        now += Duration::from_secs(4);
        pacer.report(now, ticket, Outcome::Success { tokens: Some(1_000) });
    }
    // Little over one request a second, four seconds each: about four under way, twice that, and eight to spare.
    let limit = pacer.snapshot(now).in_flight_limit;
    assert!((12..=17).contains(&limit), "{limit}");
}

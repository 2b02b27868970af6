//! What holds for any sequence of calls, times that go backwards included

use std::time::Duration;

use pacer::{Admission, Limits, Outcome, Pacer, Throttle, Ticket};
use proptest::prelude::*;

/// One call
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The clock goes to any time at all
    Leap(u64),
    /// The clock goes on by this many milliseconds
    Pass(u64),
    Ask(usize),
    /// Asks, and lets the clock go on to when it is told to ask again
    AskInTime(usize),
    Report(usize, Outcome),
}

fn quota() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![Just(None), any::<f64>().prop_map(Some), (0.1..1e6).prop_map(Some)]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let delay = prop_oneof![Just(None), (0_u64..100_000).prop_map(Some), any::<u64>().prop_map(Some)];
    let throttled = (delay, quota(), quota()).prop_map(|(delay, requests_per_minute, tokens_per_minute)| {
        let retry_after = delay.map(Duration::from_millis);
        Outcome::Throttled(Throttle { retry_after, requests_per_minute, tokens_per_minute })
    });
    prop_oneof![
        4 => any::<Option<u64>>().prop_map(|tokens| Outcome::Success { tokens }),
        4 => (0_u64..20_000).prop_map(|tokens| Outcome::Success { tokens: Some(tokens) }),
        6 => throttled,
        2 => Just(Outcome::Failed),
        1 => Just(Outcome::Cancelled),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => any::<u64>().prop_map(Step::Leap),
        4 => (0_u64..5_000).prop_map(Step::Pass),
        4 => any::<usize>().prop_map(Step::Ask),
        8 => (0_usize..2).prop_map(Step::AskInTime),
        8 => (any::<usize>(), outcome()).prop_map(|(which, outcome)| Step::Report(which, outcome)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn nothing_panics_and_what_is_under_way_is_counted_exactly(
        rpm in prop_oneof![Just(None), (0.01..1e6).prop_map(Some)],
        tpm in prop_oneof![Just(None), (0.01..1e9).prop_map(Some)],
        cap in 1_usize..40,
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let limits =
            Limits { requests_per_minute: rpm, tokens_per_minute: tpm, max_in_flight: cap, ..Limits::default() };
        let mut pacer = Pacer::new(limits, 1).expect("limits that make sense");
        let mut now = Duration::from_secs(1_000);
        let mut tickets: Vec<Ticket> = Vec::new();
        let mut admitted = 0;
        for step in steps {
            match step {
                Step::Leap(to) => now = Duration::from_millis(to),
                Step::Pass(millis) => now = now.saturating_add(Duration::from_millis(millis)),
                Step::Ask(lane) | Step::AskInTime(lane) => match pacer.admit(now, lane) {
                    Admission::Go(ticket) => {
                        tickets.push(ticket);
                        admitted += 1;
                    }
                    Admission::Wait(until) | Admission::Open { until, .. } => {
                        prop_assert!(until >= now);
                        if matches!(step, Step::AskInTime(_)) {
                            now = until;
                        }
                    }
                    Admission::Full => prop_assert!(!tickets.is_empty(), "full, with nothing under way"),
                    Admission::Spent => prop_assert!(false, "spent, with no day's quota"),
                },
                Step::Report(which, outcome) if !tickets.is_empty() => {
                    let ticket = tickets.swap_remove(which % tickets.len());
                    pacer.report(now, ticket, outcome);
                }
                Step::Report(..) => {}
            }
            let snapshot = pacer.snapshot(now);
            prop_assert_eq!(snapshot.in_flight, tickets.len());
            prop_assert_eq!(snapshot.admitted, admitted);
            prop_assert!(snapshot.in_flight <= cap && snapshot.in_flight_limit <= cap);
            prop_assert!(snapshot.rate.is_none_or(|rate| rate.is_finite() && rate > 0.0), "{:?}", snapshot.rate);
        }
    }

    /// In any span of time no more go than the quota allows for it, one more, and what a late timer may make up
    #[test]
    fn no_more_go_than_a_quota_that_was_told_allows(
        rpm in 1.0..2_000.0,
        steps in prop::collection::vec((0_u64..400, 0_u8..6), 50..300),
    ) {
        let limits = Limits { requests_per_minute: Some(rpm), ..Limits::default() };
        let mut pacer = Pacer::new(limits, 1).expect("limits that make sense");
        let mut now = Duration::from_secs(9);
        let mut went: Vec<Duration> = Vec::new();
        for (millis, act) in steps {
            now += Duration::from_millis(millis);
            match pacer.admit(now, 0) {
                Admission::Go(ticket) => {
                    went.push(now);
                    let outcome = match act {
                        0 => Outcome::Throttled(Throttle::default()),
                        1 => Outcome::Failed,
                        _ => Outcome::Success { tokens: Some(1_000) },
                    };
                    pacer.report(now, ticket, outcome);
                }
                Admission::Wait(until) | Admission::Open { until, .. } if act != 5 => now = until,
                _ => {}
            }
        }
        let per_second = 0.995 * rpm / 60.0;
        let late = (0.4 / per_second).clamp(0.004, 0.1);
        for (first, from) in went.iter().enumerate() {
            for (last, until) in went.iter().enumerate().skip(first) {
                let span = (*until - *from).as_secs_f64() + late;
                let most = 1.0 + per_second * span + 1e-3;
                prop_assert!((last - first + 1) as f64 <= most, "{} in {span} s at {per_second}/s", last - first + 1);
            }
        }
    }

    #[test]
    fn a_quota_that_is_no_quantity_is_an_error(value in prop_oneof![any::<f64>(), Just(0.0), Just(f64::NAN)]) {
        let limits = Limits { requests_per_minute: Some(value), ..Limits::default() };
        prop_assert_eq!(Pacer::new(limits, 0).is_ok(), value.is_finite() && value > 0.0);
    }
}

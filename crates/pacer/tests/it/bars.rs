//! The bars that the pacer must clear, in virtual time: φ and w as means over eight seeds, losses for every seed

use crate::sim::run::Load;
use crate::sim::scenario::{FIRST_RUN, Figures, Kind, Knowledge, Who, measure, measure_under, once};

/// Told or hinted: φ ≥ 0.98 and w ≤ 0.01; else φ ≥ 0.93 and w ≤ 0.05; never anything lost
fn check(kind: Kind, knowledge: Knowledge) {
    let figures = measure(kind, Who::Ours(knowledge));
    let (phi, waste) = match knowledge {
        Knowledge::Told | Knowledge::Hinted => (0.98, 0.01),
        Knowledge::RetryOnly | Knowledge::Blind => (0.93, 0.05),
    };
    assert!(figures.phi >= phi, "{kind:?}, {knowledge:?}: φ below {phi}: {figures:?}");
    assert!(figures.waste <= waste, "{kind:?}, {knowledge:?}: w above {waste}: {figures:?}");
    whole(&figures);
}

fn whole(figures: &Figures) {
    assert_eq!((figures.lost, figures.left), (0, 0), "{figures:?}");
}

const ALL: [Knowledge; 4] = [Knowledge::Told, Knowledge::Hinted, Knowledge::RetryOnly, Knowledge::Blind];

#[test]
fn a_request_bucket_is_used_up_with_few_429s() {
    ALL.into_iter().for_each(|knowledge| check(Kind::RequestBucket, knowledge));
}

#[test]
fn a_token_bucket_is_used_up_with_few_429s() {
    ALL.into_iter().for_each(|knowledge| check(Kind::TokenBucket, knowledge));
}

#[test]
fn a_fixed_window_is_used_up_with_few_429s() {
    ALL.into_iter().for_each(|knowledge| check(Kind::FixedWindow, knowledge));
}

#[test]
fn a_drifting_shared_pool_with_brown_outs_is_used_up_with_few_429s() {
    check(Kind::SharedPool, Knowledge::Blind);
}

#[test]
fn steps_of_half_the_capacity_are_followed() {
    check(Kind::Steps, Knowledge::Blind);
    let figures = measure(Kind::Steps, Who::Ours(Knowledge::Blind));
    assert!(figures.up.is_some_and(|seconds| seconds <= 60.0), "{figures:?}");
    assert!(figures.down.is_some_and(|seconds| seconds <= 60.0), "{figures:?}");
}

#[test]
fn a_day_quota_ends_the_run_after_everything_it_holds() {
    for knowledge in ALL {
        for seed in 0..8 {
            let report = once(Kind::DayQuota, Who::Ours(knowledge), &FIRST_RUN, seed);
            // What was under way is answered; what was not sent is left to another day.
            assert_eq!((report.succeeded, report.lost), (500, 0), "{knowledge:?}");
            assert_eq!(report.left, 478, "{knowledge:?}");
        }
    }
}

#[test]
fn errors_and_hung_requests_lose_nothing_and_do_not_lower_the_rate() {
    let faulty = Load { failing: 0.05, hanging: 0.01, ..FIRST_RUN };
    for kind in [Kind::RequestBucket, Kind::TokenBucket, Kind::SharedPool] {
        let figures = measure_under(kind, Who::Ours(Knowledge::Blind), &faulty);
        whole(&figures);
        assert!(figures.waste <= 0.05, "{kind:?}: {figures:?}");
    }
    // The oracle meets the same shares of errors, so that what is lost here is lost to the quota they used up.
    let figures = measure_under(Kind::RequestBucket, Who::Ours(Knowledge::Told), &faulty);
    assert!(figures.phi >= 0.90, "{figures:?}");
}

#[test]
fn ten_minutes_of_nothing_but_429s_are_survived() {
    for knowledge in ALL {
        let figures = measure(Kind::Outage, Who::Ours(knowledge));
        whole(&figures);
        assert!(figures.waste <= 0.05, "{knowledge:?}: {figures:?}");
        // An open breaker looks again at most five minutes after the outage.
        assert!(figures.phi >= 0.70, "{knowledge:?}: {figures:?}");
    }
}

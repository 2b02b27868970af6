//! Bodies that are no replies: cut, garbled, HTML, empty.

use std::time::Duration;

use proptest::prelude::*;
use vertex::{FatalKind, Outcome, Reply, TransientKind, judge};

use crate::{fixture, fixtures, place};

fn judged(status: u16, body: &[u8]) -> Outcome {
    judge(Reply { status, retry_after: None, body }, &place(), "gemini-3.1-pro-preview")
}

fn kind(outcome: &Outcome) -> Option<TransientKind> {
    let Outcome::Transient(transient) = outcome else { return None };
    Some(transient.kind)
}

#[test]
fn a_200_that_is_no_reply_goes_again() {
    for (body, expected) in [
        ("", TransientKind::EmptyBody),
        (" \r\n", TransientKind::EmptyBody),
        ("{\"candidates\":[{\"content\":{\"parts\":[{\"te", TransientKind::Cut),
        ("<!DOCTYPE html><title>Error 502 (Bad Gateway)!!1</title>", TransientKind::NotJson),
        ("{\"candidates\":]", TransientKind::NotJson),
        ("upstream connect error", TransientKind::NotJson),
    ] {
        assert_eq!(kind(&judged(200, body.as_bytes())), Some(expected), "{body}");
    }
}

#[test]
fn another_shape_stops_the_run() {
    for body in ["{\"candidates\":\"none\"}", "[{},{}]", "[]"] {
        let Outcome::Fatal(fatal) = judged(200, body.as_bytes()) else {
            panic!("{body} should stop the run")
        };
        assert_eq!(fatal.kind, FatalKind::Contract, "{body}");
    }
}

#[test]
fn an_error_without_json_is_judged_by_its_status() {
    let html = b"<html>\n<h1>502 Bad Gateway</h1>\n</html>";
    for status in [408, 500, 502, 503, 504, 599] {
        assert_eq!(kind(&judged(status, html)), Some(TransientKind::Server(status)));
        assert_eq!(kind(&judged(status, b"")), Some(TransientKind::Server(status)));
    }
    let Outcome::Transient(transient) = judged(502, html) else { panic!("a 502 goes again") };
    assert_eq!(transient.message, "502: status 502: <html> <h1>502 Bad Gateway</h1> </html>");
    assert!(matches!(judged(429, html), Outcome::Throttled(_)));
    assert!(matches!(judged(401, b""), Outcome::Unauthorized(_)));
    assert!(matches!(judged(404, html), Outcome::Fatal(_)));
}

#[test]
fn retry_info_and_the_header_hold_for_a_503_too() {
    let (status, body) = fixture("503-overloaded");
    for (header, expected) in [(None, 5), (Some(Duration::from_secs(9)), 9)] {
        let reply = Reply { status, retry_after: header, body: &body };
        let Outcome::Transient(transient) = judge(reply, &place(), "m") else { panic!("a 503 goes again") };
        assert_eq!(transient.retry_after, Some(Duration::from_secs(expected)));
    }
}

#[test]
fn a_reply_cut_at_any_byte_is_never_taken_for_a_whole_one() {
    for name in fixtures() {
        let (status, body) = fixture(&name);
        if status != 200 {
            continue;
        }
        let whole = body.trim_ascii_end().len();
        for end in 0..whole {
            let outcome = judged(status, &body[..end]);
            // A number cut after its point is called a syntax error rather than an early end; both go again.
            assert!(
                matches!(
                    kind(&outcome),
                    Some(TransientKind::Cut | TransientKind::NotJson | TransientKind::EmptyBody)
                ),
                "{name} cut at {end}: {outcome:?}"
            );
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_not_recursed_into() {
    let body = format!("{{\"candidates\":{}", "[".repeat(1 << 20));
    assert!(matches!(judged(200, body.as_bytes()), Outcome::Transient(_) | Outcome::Fatal(_)));
    let body = format!("{{\"error\":{{\"details\":{}", "[".repeat(1 << 20));
    assert_eq!(kind(&judged(500, body.as_bytes())), Some(TransientKind::Server(500)));
}

proptest! {
    #[test]
    fn any_bytes_are_judged(status in 100u16..1000, body in prop::collection::vec(any::<u8>(), 0..400)) {
        let outcome = judged(status, &body);
        prop_assert!(!matches!(outcome, Outcome::Answer(_)));
    }

    #[test]
    fn any_damage_to_a_reply_is_judged(
        pick in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let names = fixtures();
        let (status, mut body) = fixture(&names[pick.index(names.len())]);
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let outcome = judged(status, &body);
        prop_assert!(!outcome.name().is_empty());
    }
}

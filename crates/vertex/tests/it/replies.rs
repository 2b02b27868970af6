//! Every recorded reply, and what we make of it.

use std::fmt::Write;
use std::time::Duration;

use vertex::{FatalKind, Outcome, Place, Reply, Scope, Stage, TokenMismatch, judge};

use crate::{fixture, fixtures, place};

fn judged(name: &str) -> Outcome {
    judged_at(name, &place())
}

fn judged_at(name: &str, place: &Place) -> Outcome {
    let (status, body) = fixture(name);
    judge(Reply { status, retry_after: None, body: &body }, place, "gemini-3.1-pro-preview")
}

#[test]
fn every_fixture_is_judged() {
    let mut report = String::new();
    for name in fixtures() {
        writeln!(report, "== {name}\n{:#?}\n", judged(&name)).unwrap();
    }
    insta::assert_snapshot!(report);
}

#[test]
fn only_stop_with_text_is_an_answer() {
    let answers: Vec<String> =
        fixtures().into_iter().filter(|name| matches!(judged(name), Outcome::Answer(_))).collect();
    assert_eq!(
        answers,
        [
            "200-answer",
            "200-answer-cached",
            "200-answer-python-spelling",
            "200-answer-several-parts",
            "200-answer-without-usage",
            "200-usage-mismatch",
        ]
    );
}

#[test]
fn the_text_is_every_part_that_is_not_a_thought() {
    let Outcome::Answer(answer) = judged("200-answer-several-parts") else { panic!("not an answer") };
    assert!(answer.text.starts_with("<think>\nThree people"));
    assert!(answer.text.ends_with("take the third shift, and rotate it monthly."));
    assert!(answer.thoughts.contains("The user wants a rota"));
}

#[test]
fn token_counts_that_do_not_add_up_are_noticed() {
    for name in fixtures() {
        let Some(usage) = judged(&name).usage().cloned() else { continue };
        let expected = match name.as_str() {
            "200-usage-mismatch" => Err(TokenMismatch::Differs { sum: 1300, total: 3380 }),
            "200-answer-without-usage" => Err(TokenMismatch::Unreported),
            _ => Ok(()),
        };
        assert_eq!(usage.check_identity(), expected, "{name}");
    }
}

#[test]
fn a_429_says_whose_limit_it_is() {
    for (name, scope, wait, requests, tokens) in [
        ("429-shared", Scope::Shared, None, None, None),
        ("429-one-element-array", Scope::Shared, None, None, None),
        ("429-per-minute", Scope::PerMinute, Some(38_000), Some(60), None),
        ("429-per-minute-tokens", Scope::PerMinute, Some(500), Some(150), Some(500_000)),
        ("429-per-minute-error-info", Scope::PerMinute, None, Some(60), None),
        ("429-per-minute-message-only", Scope::PerMinute, None, None, None),
        ("429-odd-details", Scope::PerMinute, Some(2_000), None, None),
        ("429-per-day", Scope::PerDay, Some(51_000), None, None),
        ("429-per-day-and-minute", Scope::PerDay, Some(17_402), Some(60), None),
    ] {
        let Outcome::Throttled(throttle) = judged(name) else { panic!("{name} is no throttle") };
        assert_eq!(throttle.scope, scope, "{name}");
        assert_eq!(throttle.retry_after, wait.map(Duration::from_millis), "{name}");
        assert_eq!(throttle.requests_per_minute, requests, "{name}");
        assert_eq!(throttle.tokens_per_minute, tokens, "{name}");
    }
}

#[test]
fn the_longer_of_header_and_retry_info_counts() {
    let (status, body) = fixture("429-per-minute");
    for (header, expected) in [(10, 38), (90, 90)] {
        let reply = Reply { status, retry_after: Some(Duration::from_secs(header)), body: &body };
        let Outcome::Throttled(throttle) = judge(reply, &place(), "m") else { panic!("no throttle") };
        assert_eq!(throttle.retry_after, Some(Duration::from_secs(expected)));
    }
}

#[test]
fn a_filter_strikes_at_the_prompt_or_at_the_answer() {
    for (name, stage, reason) in [
        ("200-blocked-prompt", Stage::Prompt, "PROHIBITED_CONTENT"),
        ("200-blocked-answer", Stage::Answer, "SAFETY"),
        ("200-blocked-recitation", Stage::Answer, "RECITATION"),
    ] {
        let Outcome::Blocked(block) = judged(name) else { panic!("{name} is not blocked") };
        assert_eq!((block.stage, block.reason.as_str()), (stage, reason), "{name}");
    }
}

#[test]
fn a_refusal_names_the_setting_to_change() {
    let vertex = place();
    let region =
        Place::Vertex { project: Some("example-project".to_owned()), location: "europe-west4".to_owned() };
    for (name, place, kind, named) in [
        ("400-invalid-argument", &vertex, FatalKind::Request, "generation settings"),
        ("400-prompt-too-long", &vertex, FatalKind::PromptTooLong, "shorten the prompt"),
        ("400-api-key-invalid", &Place::Developer, FatalKind::Credentials, "GEMINI_API_KEY"),
        ("403-permission", &vertex, FatalKind::Permission, "roles/aiplatform.user"),
        ("403-permission", &Place::Developer, FatalKind::Permission, "GEMINI_API_KEY"),
        ("403-service-disabled", &vertex, FatalKind::Permission, "gcloud services enable"),
        ("404-model", &vertex, FatalKind::NotFound, "`model` (now gemini-3.1-pro-preview)"),
        ("404-model", &region, FatalKind::NotFound, "GOOGLE_CLOUD_LOCATION=global"),
        ("429-no-quota", &Place::Developer, FatalKind::NoQuota, "turn on billing"),
    ] {
        let Outcome::Fatal(fatal) = judged_at(name, place) else { panic!("{name} is not fatal") };
        assert_eq!(fatal.kind, kind, "{name}");
        assert!(fatal.to_string().contains(named), "{name}: {fatal}");
    }
    let Outcome::Unauthorized(fatal) = judged("401-expired") else { panic!("a 401 is unauthorized") };
    assert!(fatal.to_string().contains("gcloud auth application-default login"), "{fatal}");
}

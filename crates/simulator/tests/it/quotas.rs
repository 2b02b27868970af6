//! Each kind of quota, and the details of its refusals.

use serde_json::Value;
use simulator::Simulator;

use crate::client::{Reply, THOUGHTS, ask, body, developer, post, start};

/// Asks for `count` different prompts and gives the replies.
fn burst(simulator: &Simulator, count: usize) -> Vec<Reply> {
    (0..count).map(|index| ask(simulator, &format!("Prompt number {index}?"), 8_192)).collect()
}

fn refused(replies: &[Reply]) -> Vec<&Reply> {
    replies.iter().filter(|reply| reply.status == 429).collect()
}

fn detail<'a>(error: &'a Value, kind: &str) -> Option<&'a Value> {
    let details = error["error"]["details"].as_array()?;
    details.iter().find(|detail| detail["@type"] == format!("type.googleapis.com/google.rpc.{kind}"))
}

fn delay(error: &Value) -> f64 {
    let delay = detail(error, "RetryInfo").unwrap()["retryDelay"].as_str().unwrap();
    delay.strip_suffix('s').unwrap().parse().unwrap()
}

#[test]
fn requests_a_minute_in_a_fixed_window() {
    let simulator = start("[[quota]]\nmetric = \"requests\"\nper = \"minute\"\nlimit = 5");

    let replies = burst(&simulator, 8);
    let error = replies[7].json();
    let violation = &detail(&error, "QuotaFailure").unwrap()["violations"][0];

    assert_eq!(refused(&replies).len(), 3);
    assert_eq!(error["error"]["status"], "RESOURCE_EXHAUSTED");
    assert!(violation["quotaId"].as_str().unwrap().contains("PerMinute"));
    assert_eq!(
        (violation["quotaValue"].as_str(), violation["quotaDimensions"]["location"].as_str()),
        (Some("5"), Some("global"))
    );
    assert!((0.0..=60.0).contains(&delay(&error)), "{error}");
    let counters = simulator.counters();
    assert_eq!((counters.ok, counters.rate_limited, counters.rate_limited_minute), (5, 3, 3));
}

#[test]
fn a_short_window_keeps_the_minutes_value_and_asks_for_a_short_wait() {
    let simulator =
        start("[[quota]]\nmetric = \"requests\"\nper = \"minute\"\nlimit = 60\nwindow_seconds = 5");

    // A window may turn while the burst runs: twelve asks then fit at most two windows of five.
    let replies = burst(&simulator, 12);
    let error = refused(&replies).first().expect("two windows hold ten").json();

    assert_eq!(detail(&error, "QuotaFailure").unwrap()["violations"][0]["quotaValue"], "60");
    assert!(delay(&error) <= 5.001, "{error}");
}

#[test]
fn tokens_a_minute_out_of_a_bucket() {
    let simulator = start(&format!(
        "{THOUGHTS}\n[[quota]]\nmetric = \"tokens\"\nper = \"minute\"\nlimit = 1000\nkind = \"bucket\"\nburst = 1200"
    ));

    let replies = burst(&simulator, 6);
    let error = refused(&replies).first().expect("six answers exceed 1,200 tokens").json();
    let id = &detail(&error, "QuotaFailure").unwrap()["violations"][0]["quotaId"];

    assert_eq!(replies[0].status, 200);
    assert!(id.as_str().unwrap().contains("TokensPerMinute"), "{id}");
    assert!(delay(&error) > 0.0);
}

#[test]
fn requests_a_day_without_a_hint_when_to_come_back() {
    let simulator = start("[[quota]]\nmetric = \"requests\"\nper = \"day\"\nlimit = 3\nretry_info = false");

    let replies = burst(&simulator, 5);
    let error = replies[4].json();

    assert_eq!(refused(&replies).len(), 2);
    assert!(
        detail(&error, "QuotaFailure").unwrap()["violations"][0]["quotaId"]
            .as_str()
            .unwrap()
            .contains("PerDay")
    );
    assert_eq!(detail(&error, "RetryInfo"), None);
    assert_eq!(simulator.counters().rate_limited_day, 2);
}

#[test]
fn a_refusal_may_lack_its_quota_failure() {
    let simulator =
        start("[[quota]]\nmetric = \"requests\"\nper = \"minute\"\nlimit = 1\nquota_failure = false");

    let error = burst(&simulator, 2)[1].json();

    assert_eq!(detail(&error, "QuotaFailure"), None);
    assert!(detail(&error, "RetryInfo").is_some());
}

#[test]
fn the_shared_pool_refuses_without_details() {
    let simulator =
        start(&format!("{THOUGHTS}\n[shared_pool]\ntokens_per_minute = 6000\nburst_seconds = 10"));

    let replies = burst(&simulator, 8);
    let error = refused(&replies).first().expect("eight answers exceed 1,000 tokens").json();

    assert_eq!(replies[0].status, 200);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Resource exhausted. Please try again later.")
    );
    assert_eq!(error["error"].get("details"), None);
    assert_eq!(simulator.counters().rate_limited_pool, refused(&replies).len() as u64);
}

#[test]
fn the_developer_api_names_its_own_quota() {
    let simulator = start("[[quota]]\nmetric = \"requests\"\nper = \"minute\"\nlimit = 1");
    let target = developer("generateContent");

    post(&simulator, &target, &body("one", 8_192)).unwrap();
    let error = post(&simulator, &target, &body("two", 8_192)).unwrap().json();
    let violation = &detail(&error, "QuotaFailure").unwrap()["violations"][0];

    assert_eq!(violation["quotaId"], "GenerateRequestsPerMinutePerProjectPerModel-PaidTier");
    assert_eq!(violation["quotaDimensions"].get("location"), None);
}

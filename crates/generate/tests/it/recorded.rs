//! Replies as Google documents them, served by a plain mock server: what the simulator gets wrong shows here.

use std::fmt::Write;

use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::driver::{self, ARMS, FAST, Lab};

/// A reply of `fixtures/vertex`; its name begins with its status.
pub fn recorded(name: &str) -> ResponseTemplate {
    let path = format!("{}/../../fixtures/vertex/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let status: u16 = name[..3].parse().unwrap();
    ResponseTemplate::new(status).set_body_bytes(std::fs::read(path).unwrap())
}

/// One prompt in two arms, one request at a time; the first request gets `first`, every other one a whole answer.
/// Returns what came of it.
fn check(runtime: &tokio::runtime::Runtime, first: &str) -> String {
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let ask = || Mock::given(method("POST")).and(path_regex(":generateContent$"));
        ask().respond_with(recorded(first)).up_to_n_times(1).with_priority(1).mount(&server).await;
        ask().respond_with(recorded("200-answer")).with_priority(2).mount(&server).await;
        server
    });
    let lab = Lab::new(1, "");
    let mut command = lab.command(&[&FAST[..], &["--max-in-flight", "1"]].concat());
    command.env("GOOGLE_VERTEX_BASE_URL", server.uri());
    let ran = driver::run(command);
    let mut text = format!("== {first}\nexit {}\n", ran.code.unwrap());
    for arm in ARMS {
        for row in lab.rows(arm) {
            let meta = row.meta;
            let _ = writeln!(
                text,
                "{arm}: row after {} attempts, escalated {}, resampled {}, {} tokens",
                meta.attempts.unwrap(),
                meta.escalated,
                meta.resampled,
                row.token_stats.total
            );
        }
    }
    for attempt in lab.attempts() {
        let _ = writeln!(text, "{}: {}: {}", attempt.arm, attempt.reason, attempt.detail);
    }
    for said in ran.stderr.lines().filter(|line| line.starts_with("error: ") || line.contains(": the reply"))
    {
        let _ = writeln!(text, "{said}");
    }
    text.replace(&server.uri(), "http://SERVER")
}

#[test]
fn each_recorded_reply_leads_to_the_right_row_attempt_or_stop() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let names = [
        "200-answer",
        "200-answer-several-parts",
        "200-answer-unknown-finish-reason",
        "200-answer-without-usage",
        "200-blocked-prompt",
        "200-blocked-recitation",
        "200-error-inside",
        "200-max-tokens",
        "200-max-tokens-all-thoughts",
        "200-no-candidates",
        "200-stop-blank",
        "200-stop-empty",
        "200-usage-mismatch",
        "400-invalid-argument",
        "400-prompt-too-long",
        "403-permission",
        "404-model",
        "429-no-quota",
        "429-one-element-array",
        "429-shared",
        "500-internal",
        "504-deadline",
    ];
    let reports: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = names.iter().map(|name| scope.spawn(|| check(&runtime, name))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    insta::assert_snapshot!(reports.join("\n"));
}

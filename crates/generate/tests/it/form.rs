//! Answers whose `<think>` block is broken: sampled again as they were asked, and never repaired.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::driver::{self, ARMS, FAST, Lab, Ran};

const WHOLE: &str = "<think>\nIt depends on the jar.\n</think>\n\nA year, if it stays closed.";
const BROKEN: [&str; 5] = [
    "<think>\nIt depends on the jar.\n\nA year, if it stays closed.",
    "A year, if it stays closed.",
    "<think>\na\n</think>\n\nb <think>c</think>",
    "<think> </think>\n\nA year.",
    "<think>\nIt depends on the jar.\n</think>\n",
];

/// One prompt in two arms, answered with these texts in turn, the last of which stays. Returns the folder, the end,
/// and the requests as they came.
fn ask(texts: &[&'static str], args: &[&str]) -> (Lab, Ran, Vec<Value>) {
    let (texts, asked) = (texts.to_vec(), Arc::new(Mutex::new(Vec::<Value>::new())));
    let log = Arc::clone(&asked);
    let answer = move |request: &Request| {
        let body: Value = request.body_json().unwrap();
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|earlier| **earlier == body).count();
        log.push(body);
        let text = texts[before.min(texts.len() - 1)];
        ResponseTemplate::new(200).set_body_json(json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
            "usageMetadata": {
                "promptTokenCount": 20, "candidatesTokenCount": 30, "thoughtsTokenCount": 50, "totalTokenCount": 100,
            },
            "modelVersion": "m-1", "responseId": format!("r-{before}"),
        }))
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let ask = Mock::given(method("POST")).and(path_regex(":generateContent$"));
        ask.respond_with(answer).mount(&server).await;
        server
    });
    let lab = Lab::new(1, "");
    let mut command = lab.command(&[&FAST[..], args].concat());
    command.env("GOOGLE_VERTEX_BASE_URL", server.uri());
    let ran = driver::run(command);
    let asked = asked.lock().unwrap().clone();
    (lab, ran, asked)
}

#[test]
fn a_broken_form_is_sampled_again_with_every_setting_kept_and_counted_in_the_row() {
    let (lab, ran, asked) = ask(&[BROKEN[0], BROKEN[1], WHOLE], &[]);
    ran.expect(0).says("attempts without a row: 2 format");
    lab.check_whole(1);
    for arm in ARMS {
        let row = &lab.rows(arm)[0];
        assert_eq!((row.meta.resampled, row.meta.escalated, row.meta.attempts), (2, 0, Some(3)));
        assert_eq!(row.output, WHOLE);
        let used = row.meta.generation.as_ref().unwrap();
        assert_eq!((used.temperature, used.max_output_tokens), (1.0, 4096));
        assert_eq!(used.thinking_level.as_deref(), Some("low"));
    }
    // Three requests of each arm, byte for byte the same.
    assert_eq!(asked.len(), 6);
    for arm in &asked {
        assert_eq!(asked.iter().filter(|other| *other == arm).count(), 3, "{arm}");
    }
    let attempts = lab.attempts();
    assert_eq!(attempts.len(), 4);
    for attempt in attempts {
        assert_eq!(attempt.reason, "format");
        let number = attempt.attempt as usize;
        assert_eq!(attempt.output, BROKEN[number - 1], "its text is kept as it came");
        assert_eq!(attempt.response_id, Some(format!("r-{}", number - 1)));
        assert_eq!(attempt.token_stats.unwrap().total, 100);
    }
}

#[test]
fn given_up_after_max_attempts_the_pair_is_listed_with_what_was_wrong() {
    for (text, fault) in BROKEN.into_iter().zip([
        "the <think> block is not closed",
        "the answer does not begin with <think>",
        "there is more than one <think> block",
        "the <think> block is empty",
        "there is no answer after the <think> block",
    ]) {
        let (lab, ran, asked) = ask(&[text], &["--max-attempts", "3"]);
        let listed = format!("control lacks it: 3 requests made no row, the last one: {fault}; aba lacks it");
        ran.expect(1)
            .says(&listed)
            .says("0 have a row in some arm only, 1 in none")
            .says("attempts without a row: 3 format");
        assert_eq!((lab.count(), lab.attempts().len(), asked.len()), (0, 6, 6));
        assert!(lab.attempts().iter().all(|attempt| attempt.output == text));
        // The simulator is in good form: the next run asks it for both.
        lab.run_fast(&[]).expect(0);
        lab.check_whole(1);
        assert_eq!(lab.counters().requests, 2);
    }
}

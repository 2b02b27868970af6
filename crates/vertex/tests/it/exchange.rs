//! One attempt against a server that behaves.

use vertex::{Client, Options, Outcome, Scope, TransientKind};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{access, client, fixture, place, request};

const PATH: &str =
    "/v1/projects/simulated/locations/global/publishers/google/models/gemini-3.1-pro-preview:generateContent";

fn reply(name: &str) -> ResponseTemplate {
    let (status, body) = fixture(name);
    ResponseTemplate::new(status).set_body_raw(body, "application/json; charset=UTF-8")
}

#[tokio::test]
async fn posts_the_request_and_keeps_the_reply() {
    let server = MockServer::start().await;
    let body: serde_json::Value = serde_json::from_slice(&request().body(&place())).unwrap();
    Mock::given(method("POST"))
        .and(path(PATH))
        .and(header("content-type", "application/json"))
        .and(body_json(body))
        .respond_with(reply("200-answer"))
        .expect(1)
        .mount(&server)
        .await;

    let attempt = client(&server.uri()).generate(&request()).await;

    let Outcome::Answer(answer) = &attempt.outcome else { panic!("{attempt:?}") };
    assert_eq!(answer.usage.total, Some(3380));
    assert_eq!(attempt.status, Some(200));
    assert_eq!(attempt.body.as_bytes(), fixture("200-answer").1);
}

#[tokio::test]
async fn a_loopback_server_never_sees_credentials() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(reply("200-answer")).mount(&server).await;
    for base in ["GOOGLE_VERTEX_BASE_URL", "GOOGLE_GEMINI_BASE_URL"] {
        let access = access(&[
            (base, &server.uri()),
            ("GOOGLE_CLOUD_PROJECT", "example-project"),
            ("GOOGLE_API_KEY", "AIzaExampleKey"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json"),
        ]);
        let client = Client::new(access.unwrap(), Options::default()).unwrap();
        let outcome = client.generate(&request()).await.outcome;
        assert!(matches!(outcome, Outcome::Answer(_)), "{outcome:?}");
    }
    let seen = server.received_requests().await.unwrap();
    assert_eq!(seen.len(), 2);
    for request in seen {
        let names: Vec<&str> = request.headers.keys().map(|name| name.as_str()).collect();
        let secret = ["authorization", "x-goog-api-key", "x-goog-user-project", "cookie"];
        assert!(!names.iter().any(|name| secret.contains(name)), "{names:?}");
        assert!(!request.url.as_str().contains("AIza"));
    }
}

#[tokio::test]
async fn a_failure_is_reported_once_and_not_retried() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(reply("500-internal")).expect(1).mount(&server).await;
    let attempt = client(&server.uri()).generate(&request()).await;
    let Outcome::Transient(transient) = &attempt.outcome else { panic!("{attempt:?}") };
    assert_eq!(transient.kind, TransientKind::Server(500));
    assert!(attempt.body.contains("Internal error encountered."));
}

#[tokio::test]
async fn the_retry_after_header_is_read() {
    let server = MockServer::start().await;
    let reply = reply("429-shared").insert_header("retry-after", "7");
    Mock::given(method("POST")).respond_with(reply).mount(&server).await;
    let Outcome::Throttled(throttle) = client(&server.uri()).generate(&request()).await.outcome else {
        panic!("no throttle")
    };
    assert_eq!(throttle.retry_after.unwrap().as_secs(), 7);
    assert_eq!(throttle.scope, Scope::PerMinute);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, server) = (MockServer::start().await, MockServer::start().await);
    Mock::given(method("POST")).respond_with(reply("200-answer")).expect(0).mount(&elsewhere).await;
    let redirect = ResponseTemplate::new(307).insert_header("location", elsewhere.uri().as_str());
    Mock::given(method("POST")).respond_with(redirect).mount(&server).await;
    let Outcome::Fatal(fatal) = client(&server.uri()).generate(&request()).await.outcome else {
        panic!("a redirect is followed")
    };
    assert!(fatal.to_string().contains("GOOGLE_VERTEX_BASE_URL"), "{fatal}");
}

#[tokio::test]
async fn many_attempts_share_one_client() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(reply("200-answer")).expect(300).mount(&server).await;
    let client = std::sync::Arc::new(client(&server.uri()));
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let client = client.clone();
        attempts.spawn(async move { client.generate(&request()).await.outcome });
    }
    let outcomes = attempts.join_all().await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Answer(_))));
}

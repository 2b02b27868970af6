//! What is sent with a request, and what is done when it is refused.

use super::*;

#[tokio::test]
async fn a_token_is_fetched_once_and_names_the_project_that_pays() {
    let bench = Bench::new().await;
    bench.tokens(1).await;
    bench.accepts("token-1").await;
    let client = bench.client(&bench.user());
    for _ in 0..3 {
        let attempt = client.generate(&request()).await;
        assert!(matches!(attempt.outcome, Outcome::Answer(_)), "{attempt:?}");
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let bench = Bench::new().await;
    bench.tokens(2).await;
    bench.refuses(1).await;
    bench.accepts("token-2").await;
    let attempt = bench.client(&bench.user()).generate(&request()).await;
    assert!(matches!(attempt.outcome, Outcome::Answer(_)), "{attempt:?}");
}

#[tokio::test]
async fn tokens_refused_together_are_renewed_together() {
    let bench = Bench::new().await;
    bench.tokens(2).await;
    bench.accepts("token-2").await;
    bench.refuses(20).await;
    let client = Arc::new(bench.client(&bench.user()));
    // All twenty hold the first token before the first of them learns that it is refused.
    let start = Arc::new(tokio::sync::Barrier::new(20));
    client.auth.authorize().await.unwrap();
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, start) = (client.clone(), start.clone());
        attempts.spawn(async move {
            let authorization = client.auth.authorize().await.unwrap();
            start.wait().await;
            let mut raw = Raw::default();
            let url = client.access.url(&"m".parse().unwrap(), "generateContent");
            let mut builder = client.lanes[0].post(url).body(request().body(&client.access.place));
            builder = builder.headers(authorization.headers);
            client.read(builder.send().await.unwrap(), &mut raw).await;
            assert_eq!(raw.status, Some(401));
            client.auth.renew(authorization.generation).await;
            client.generate(&request()).await.outcome
        });
    }
    let outcomes = attempts.join_all().await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Answer(_))), "{outcomes:?}");
}

#[tokio::test]
async fn a_token_that_is_refused_again_stops_the_run() {
    let bench = Bench::new().await;
    bench.tokens(2).await;
    bench.refuses(2).await;
    let client = bench.client(&bench.user());
    let attempt = client.generate(&request()).await;
    let Outcome::Unauthorized(fatal) = &attempt.outcome else { panic!("{attempt:?}") };
    assert!(fatal.to_string().contains("gcloud auth application-default login"), "{fatal}");
    assert!(!shown(&client, &attempt).contains("token-"), "{}", shown(&client, &attempt));
}

#[tokio::test]
async fn a_refused_login_stops_the_run_and_echoes_nothing() {
    let bench = Bench::new().await;
    let echo = format!("{{\"error\":\"invalid_grant\",\"echo\":\"{REFRESH_TOKEN}\"}}");
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(400).set_body_string(echo))
        .mount(&bench.server)
        .await;
    bench.refuses(0).await;
    let file = bench.user();
    let client = bench.client(&file);
    let attempt = client.generate(&request()).await;
    let Outcome::Unauthorized(fatal) = &attempt.outcome else { panic!("{attempt:?}") };
    let place = bench.server.uri();
    let message = fatal.message.replace(&*file.to_string_lossy(), "FILE").replace(&place, "SERVER");
    insta::assert_snapshot!(message);
    let shown = shown(&client, &attempt);
    assert!(!shown.contains(REFRESH_TOKEN) && !shown.contains("client-secret"), "{shown}");
}

#[tokio::test]
async fn a_token_server_that_fails_is_tried_again() {
    let bench = Bench::new().await;
    Mock::given(path("/token")).respond_with(ResponseTemplate::new(503)).mount(&bench.server).await;
    let attempt = bench.client(&bench.user()).generate(&request()).await;
    let Outcome::Transient(transient) = &attempt.outcome else { panic!("{attempt:?}") };
    assert_eq!(transient.kind, TransientKind::Connect);
}

#[tokio::test]
async fn a_key_is_sent_in_its_header_and_taken_out_of_what_comes_back() {
    let bench = Bench::new().await;
    let body = format!(
        r#"{{"error":{{"code":403,"message":"Consumer 'api_key:{KEY}' has been suspended.","status":"PERMISSION_DENIED"}}}}"#
    );
    Mock::given(header("x-goog-api-key", KEY))
        .respond_with(ResponseTemplate::new(403).set_body_string(body))
        .expect(1)
        .mount(&bench.server)
        .await;
    let client = bench.client_as(Login::ApiKey(Secret::new(KEY)));
    let attempt = client.generate(&request()).await;
    let Outcome::Fatal(fatal) = &attempt.outcome else { panic!("{attempt:?}") };
    assert!(fatal.message.contains("api_key:[redacted]"), "{fatal}");
    assert!(!shown(&client, &attempt).contains(KEY));
}

#[tokio::test]
async fn a_refused_key_is_not_sent_twice() {
    let bench = Bench::new().await;
    bench.refuses(1).await;
    let attempt = bench.client_as(Login::ApiKey(Secret::new(KEY))).generate(&request()).await;
    assert!(matches!(attempt.outcome, Outcome::Unauthorized(_)), "{attempt:?}");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let bench = Bench::new().await;
    let (told, mut tokens) = tokio::sync::mpsc::unbounded_channel();
    let count = AtomicUsize::new(0);
    // Four minutes before its end a token is renewed: the first one here after a second, by itself.
    let give = move |_: &wiremock::Request| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        told.send(number).unwrap();
        let lives = if number == 1 { 241 } else { 3600 };
        let token =
            json!({"access_token": format!("token-{number}"), "expires_in": lives, "token_type": "Bearer"});
        ResponseTemplate::new(200).set_body_json(token)
    };
    Mock::given(path("/token")).respond_with(give).mount(&bench.server).await;
    bench.accepts("token-1").await;
    bench.accepts("token-2").await;
    bench.refuses(0).await;
    let client = bench.client(&bench.user());
    assert!(matches!(client.generate(&request()).await.outcome, Outcome::Answer(_)));
    for expected in [1, 2] {
        let number = tokio::time::timeout(Duration::from_secs(60), tokens.recv()).await;
        assert_eq!(number, Ok(Some(expected)), "no request of ours asks for a new token");
    }
    // The second token is on its way to the cache; the first one is still good, so nothing is refused meanwhile.
    let uses_second = async {
        loop {
            assert!(matches!(client.generate(&request()).await.outcome, Outcome::Answer(_)));
            let requests = bench.server.received_requests().await.unwrap();
            if requests.last().unwrap().headers["authorization"] == "Bearer token-2" {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), uses_second).await.unwrap();
}

//! Credentials on the wire. From outside, a loopback server never sees any, so these tests stand inside the crate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tempfile::TempDir;
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use super::*;
use crate::access::{DefaultCredentials, Place};
use crate::secret::Secret;

const REFRESH_TOKEN: &str = "1//refresh-token-of-the-test";
const KEY: &str = "AIzaSyKeyOfTheTest";
const ANSWER: &str = r#"{"candidates":[{"content":{"parts":[{"text":"yes"}]},"finishReason":"STOP"}]}"#;

/// A token server and Vertex in one, and a folder for the credentials file.
struct Bench {
    server: MockServer,
    folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        Bench { server: MockServer::start().await, folder: TempDir::new().unwrap() }
    }

    /// What gcloud writes for a user, but with our token server in it.
    fn user(&self) -> PathBuf {
        self.write(&json!({
            "type": "authorized_user",
            "client_id": "client.apps.example",
            "client_secret": "client-secret-of-the-test",
            "refresh_token": REFRESH_TOKEN,
            "token_uri": format!("{}/token", self.server.uri()),
        }))
    }

    fn write(&self, file: &serde_json::Value) -> PathBuf {
        let path = self.folder.path().join("credentials.json");
        std::fs::write(&path, file.to_string()).unwrap();
        path
    }

    fn client(&self, file: &Path) -> Client {
        self.client_as(Login::Default(DefaultCredentials {
            variable: Some(file.to_owned()),
            project: Some("example-project".to_owned()),
            ..DefaultCredentials::default()
        }))
    }

    fn client_as(&self, login: Login) -> Client {
        let base = Url::parse(&self.server.uri()).unwrap();
        let place =
            Place::Vertex { project: Some("example-project".to_owned()), location: "global".to_owned() };
        Client::new(Access { base, place, login }, Options::default()).unwrap()
    }

    /// Hands out `token-1`, `token-2`…, each good for an hour.
    async fn tokens(&self, expected: u64) {
        Mock::given(path("/token"))
            .and(body_partial_json(json!({"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN})))
            .respond_with(Tokens::default())
            .expect(expected)
            .mount(&self.server)
            .await;
    }

    /// Vertex accepts only this token.
    async fn accepts(&self, token: &str) {
        Mock::given(method("POST"))
            .and(header("authorization", format!("Bearer {token}").as_str()))
            .and(header("x-goog-user-project", "example-project"))
            .respond_with(ResponseTemplate::new(200).set_body_string(ANSWER))
            .mount(&self.server)
            .await;
    }

    async fn refuses(&self, expected: u64) {
        let body = r#"{"error":{"code":401,"message":"invalid authentication credentials","status":"UNAUTHENTICATED"}}"#;
        Mock::given(method("POST"))
            .and(path(
                "/v1/projects/example-project/locations/global/publishers/google/models/m:generateContent",
            ))
            .respond_with(ResponseTemplate::new(401).set_body_string(body))
            .with_priority(9)
            .expect(expected)
            .mount(&self.server)
            .await;
    }
}

#[derive(Default)]
struct Tokens(AtomicUsize);

impl Respond for Tokens {
    fn respond(&self, _: &wiremock::Request) -> ResponseTemplate {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        let token =
            json!({"access_token": format!("token-{number}"), "expires_in": 3600, "token_type": "Bearer"});
        ResponseTemplate::new(200).set_body_json(token)
    }
}

fn request() -> Request {
    Request::new("m".parse().unwrap(), "", "ready?")
}

/// Everything of an attempt that a person or a file may see.
fn shown(client: &Client, attempt: &Attempt) -> String {
    format!("{attempt:?} {} {client:?}", attempt.body)
}

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
async fn a_file_that_holds_no_credentials_is_named() {
    let bench = Bench::new().await;
    let private_key = "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5IGF0IGFsbA==\n-----END PRIVATE KEY-----\n";
    for (file, expected) in [
        (json!({"type": "authorized_user", "client_id": "client.apps.example"}), "missing field"),
        (json!({"client_id": "client.apps.example"}), "has no `type`"),
        (json!({"type": "something_new"}), "\"something_new\" is not supported"),
        (json!("just text"), "has no `type`"),
        (
            json!({
                "type": "service_account", "client_email": "bot@example-project.example", "private_key_id": "1",
                "private_key": private_key, "project_id": "example-project",
            }),
            "no access token with the credentials from",
        ),
    ] {
        let path = bench.write(&file);
        let client = bench.client(&path);
        let attempt = client.generate(&request()).await;
        let Outcome::Unauthorized(fatal) = &attempt.outcome else { panic!("{attempt:?}") };
        assert!(fatal.message.contains(expected), "{fatal}");
        assert!(fatal.message.contains(&*path.to_string_lossy()), "{fatal}");
        assert!(fatal.message.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{fatal}");
        assert!(!shown(&client, &attempt).contains("bm90IGEga2V5"));
    }
    let path = bench.folder.path().join("credentials.json");
    std::fs::write(&path, "{\"refresh_token\": \"1//unclosed-secret").unwrap();
    let attempt = bench.client(&path).generate(&request()).await;
    assert!(format!("{attempt:?}").contains("it is not JSON (line 1"), "{attempt:?}");
    assert!(!format!("{attempt:?}").contains("unclosed-secret"));
}

#[tokio::test]
async fn a_metadata_server_gives_a_token() {
    let bench = Bench::new().await;
    Mock::given(method("GET"))
        .and(path("/computeMetadata/v1/instance/service-accounts/default/token"))
        .and(header("metadata-flavor", "Google"))
        .respond_with(Tokens::default())
        .expect(1)
        .mount(&bench.server)
        .await;
    Mock::given(method("POST"))
        .and(header("authorization", "Bearer token-1"))
        .respond_with(ResponseTemplate::new(200).set_body_string(ANSWER))
        .expect(1)
        .mount(&bench.server)
        .await;
    let client = bench.client_as(Login::Default(DefaultCredentials {
        gcloud: Some(bench.folder.path().join("none.json")),
        metadata_host: Some(bench.server.address().to_string()),
        ..DefaultCredentials::default()
    }));
    let attempt = client.generate(&request()).await;
    assert!(matches!(attempt.outcome, Outcome::Answer(_)), "{attempt:?}");
}

#[tokio::test]
async fn no_credentials_anywhere_is_said_with_every_place_that_was_tried() {
    let bench = Bench::new().await;
    // Bound and let go: no metadata server listens there.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = bench.client_as(Login::Default(DefaultCredentials {
        gcloud: Some(bench.folder.path().join("none.json")),
        metadata_host: Some(nobody.to_string()),
        ..DefaultCredentials::default()
    }));
    let Outcome::Unauthorized(fatal) = client.generate(&request()).await.outcome else {
        panic!("credentials?")
    };
    for named in [
        "GOOGLE_APPLICATION_CREDENTIALS is not set",
        "none.json does not exist",
        "no metadata server answered",
        "in the environment or in .env",
    ] {
        assert!(fatal.to_string().contains(named), "{fatal}");
    }
    assert_eq!(bench.server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn an_outside_identity_is_exchanged_for_a_token() {
    let bench = Bench::new().await;
    let subject = bench.folder.path().join("subject.txt");
    std::fs::write(&subject, "subject-token-of-the-test").unwrap();
    let file = bench.write(&json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/ci",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/sts", bench.server.uri()),
        "credential_source": {"file": subject},
    }));
    let issued = "urn:ietf:params:oauth:token-type:access_token";
    let token = json!({
        "access_token": "token-1", "issued_token_type": issued, "token_type": "Bearer", "expires_in": 3600,
    });
    Mock::given(path("/sts"))
        .and(wiremock::matchers::body_string_contains("subject-token-of-the-test"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .expect(1)
        .mount(&bench.server)
        .await;
    Mock::given(header("authorization", "Bearer token-1"))
        .respond_with(ResponseTemplate::new(200).set_body_string(ANSWER))
        .expect(1)
        .mount(&bench.server)
        .await;
    let attempt = bench.client(&file).generate(&request()).await;
    assert!(matches!(attempt.outcome, Outcome::Answer(_)), "{attempt:?}");
}

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

/// Runs `openssl` in `folder` and returns what it prints; `None`, said aloud, where there is none.
fn openssl(folder: &Path, args: &[&str]) -> Option<Vec<u8>> {
    let Ok(output) = std::process::Command::new("openssl").args(args).current_dir(folder).output() else {
        eprintln!("skipped: no openssl here to make a key of a service account with");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// Decodes a part of a token: base64 as URLs have it.
fn decoded(folder: &Path, part: &str) -> Option<Vec<u8>> {
    let mut text = part.replace('-', "+").replace('_', "/");
    text.extend(std::iter::repeat_n('=', (4 - part.len() % 4) % 4));
    std::fs::write(folder.join("part"), text).unwrap();
    openssl(folder, &["base64", "-d", "-A", "-in", "part"])
}

#[tokio::test]
async fn a_service_account_signs_its_own_token_and_nobody_sees_it() {
    let bench = Bench::new().await;
    let folder = bench.folder.path();
    // Made for this test alone: no key lies in the repository.
    let make = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "key.pem"];
    if openssl(folder, &make).is_none() {
        return;
    }
    let private_key = std::fs::read_to_string(folder.join("key.pem")).unwrap();
    let file = bench.write(&json!({
        "type": "service_account",
        "client_email": "bot@example-project.example",
        "private_key_id": "key-of-the-test",
        "private_key": private_key,
        "project_id": "example-project",
        "token_uri": format!("{}/token", bench.server.uri()),
    }));
    let count = AtomicUsize::new(0);
    // Refused once, then accepted twice, then refused with what was sent in the reply.
    let answer = move |request: &wiremock::Request| {
        let sent = request.headers["authorization"].to_str().unwrap();
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => ResponseTemplate::new(401),
            1 | 2 => ResponseTemplate::new(200).set_body_string(ANSWER),
            _ => ResponseTemplate::new(403)
                .set_body_json(json!({"error": {"code": 403, "message": format!("not with {sent}")}})),
        }
    };
    Mock::given(method("POST")).respond_with(answer).expect(4).mount(&bench.server).await;
    let client = bench.client(&file);
    for _ in 0..2 {
        let attempt = client.generate(&request()).await;
        assert!(matches!(attempt.outcome, Outcome::Answer(_)), "{attempt:?}");
    }
    let attempt = client.generate(&request()).await;
    assert!(matches!(attempt.outcome, Outcome::Fatal(_)), "{attempt:?}");
    assert!(attempt.body.contains("not with Bearer [redacted]"), "{}", attempt.body);

    let requests = bench.server.received_requests().await.unwrap();
    let sent: Vec<&str> =
        requests.iter().map(|request| request.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(sent[1], sent[2], "one token serves many requests");
    let token = sent[1].strip_prefix("Bearer ").unwrap();
    let shown = shown(&client, &attempt);
    let key_line = private_key.lines().nth(3).unwrap();
    assert!(!shown.contains(token) && !shown.contains(key_line), "{shown}");

    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let json = |part: &str| -> serde_json::Value {
        serde_json::from_slice(&decoded(folder, part).unwrap_or_default()).unwrap()
    };
    assert_eq!(json(header), json!({"alg": "RS256", "typ": "JWT", "kid": "key-of-the-test"}));
    let claims_of = json(claims);
    assert_eq!(claims_of["iss"], "bot@example-project.example");
    assert_eq!(claims_of["scope"], "https://www.googleapis.com/auth/cloud-platform");
    let lives = claims_of["exp"].as_i64().unwrap() - claims_of["iat"].as_i64().unwrap();
    assert!((3600..=3660).contains(&lives), "{claims_of}");
    std::fs::write(folder.join("signed"), format!("{header}.{claims}")).unwrap();
    std::fs::write(folder.join("signature"), decoded(folder, signature).unwrap_or_default()).unwrap();
    openssl(folder, &["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    let verify = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "signed"];
    assert_eq!(openssl(folder, &verify).unwrap_or_default().trim_ascii_end(), b"Verified OK");
}

//! Credentials on the wire. From outside, a loopback server never sees any, so these tests stand inside the crate.

mod sources;
mod tokens;

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

//! Everything that is not a request for text, served by wiremock behind the listener: models, token counts, access
//! tokens, the counters, and the 404 of any other address.
//!
//! Requests for text do not come here: wiremock cannot break a body, keeps a copy of each request that it matched for
//! as long as it runs, and answers on one thread under one lock.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use wiremock::matchers::{any, method, path, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::google_error::GoogleError;
use crate::route::{self, Backend, Route};
use crate::service::Service;

/// Where the counters are.
pub const COUNTERS: &str = "/_simulator/counters";

/// A running wiremock; it stops when it is dropped.
pub struct Stills {
    server: MockServer,
}

impl Stills {
    /// Starts wiremock on a free port of loopback.
    pub async fn start(service: &Arc<Service>) -> Self {
        let server = MockServer::builder().disable_request_recording().start().await;
        let with = |answer| Still { service: Arc::clone(service), answer };
        let mocks = [
            Mock::given(method("GET")).and(path(COUNTERS)).respond_with(with(counters)),
            Mock::given(method("POST")).and(path("/token")).respond_with(with(access_token)),
            Mock::given(method("POST")).and(path_regex(":countTokens$")).respond_with(with(token_count)),
            Mock::given(method("GET")).and(path_regex("/models/[^/:]+$")).respond_with(with(model)),
            Mock::given(any()).respond_with(with(|_, _| Err(GoogleError::no_method()))),
        ];
        for mock in mocks {
            server.register(mock).await;
        }
        Self { server }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        *self.server.address()
    }
}

type Answer = fn(&Service, &Request) -> Result<Value, GoogleError>;

struct Still {
    service: Arc<Service>,
    answer: Answer,
}

impl Respond for Still {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let (status, body) = match (self.answer)(&self.service, request) {
            Ok(body) => (200, body),
            Err(error) => (error.code, error.json()),
        };
        ResponseTemplate::new(status).set_body_raw(body.to_string(), "application/json; charset=UTF-8")
    }
}

fn counters(service: &Service, _: &Request) -> Result<Value, GoogleError> {
    serde_json::to_value(service.counters()).map_err(|error| GoogleError::new(500, error.to_string()))
}

/// An OAuth 2 token, as a `token_uri` gives it: a new one each time.
fn access_token(_: &Service, _: &Request) -> Result<Value, GoogleError> {
    let token = format!("simulated-{:016x}", fastrand::u64(..));
    Ok(json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
}

fn token_count(service: &Service, request: &Request) -> Result<Value, GoogleError> {
    let (route, _) = route::method(request.url.path()).ok_or_else(GoogleError::no_method)?;
    check(service, request)?;
    service.count_tokens(&route, &request.body)
}

fn model(service: &Service, request: &Request) -> Result<Value, GoogleError> {
    let route = route::model(request.url.path()).ok_or_else(GoogleError::no_method)?;
    check(service, request)?;
    service.find_model(&route)?;
    Ok(describe(&route))
}

fn check(service: &Service, request: &Request) -> Result<(), GoogleError> {
    let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    service.check_token(header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default())
}

fn describe(route: &Route<'_>) -> Value {
    match route.backend {
        Backend::Vertex => json!({
            "name": format!("publishers/google/models/{}", route.model),
            "versionId": "default",
            "openSourceCategory": "PROPRIETARY",
            "launchStage": if route.model.contains("preview") { "PUBLIC_PREVIEW" } else { "GA" },
            "publisherModelTemplate": format!("projects/{{project}}/locations/{{location}}/publishers/google/models/{}", route.model),
        }),
        Backend::Developer => json!({
            "name": route.resource,
            "version": "001",
            "displayName": route.model,
            "description": "A simulated model.",
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": crate::ask::CEILING,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 2,
            "thinking": true,
        }),
    }
}

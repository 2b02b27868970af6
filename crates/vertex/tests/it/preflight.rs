//! What is found before the first paid request.

use vertex::{Client, CountError, FatalKind, Options, Preflight, PreflightError};
use wiremock::matchers::{body_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{access, client, fixture, model, request};

async fn preflight(replies: impl IntoIterator<Item = ResponseTemplate>) -> Result<Preflight, PreflightError> {
    let server = MockServer::start().await;
    for reply in replies {
        Mock::given(method("POST")).respond_with(reply).up_to_n_times(1).mount(&server).await;
    }
    client(&server.uri()).preflight(&model()).await
}

fn reply(name: &str) -> ResponseTemplate {
    let (status, body) = fixture(name);
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

fn counted(tokens: u64) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(format!("{{\"totalTokens\": {tokens}}}"))
}

#[tokio::test]
async fn passes_when_the_model_counts() {
    assert_eq!(preflight([counted(3)]).await, Ok(Preflight { model_answered: true }));
}

#[tokio::test]
async fn goes_again_after_one_failure() {
    assert_eq!(preflight([reply("500-internal"), counted(3)]).await, Ok(Preflight { model_answered: true }));
}

#[tokio::test]
async fn what_stands_in_the_way_is_named_beside_the_model() {
    let cases = [
        (reply("404-model"), "GOOGLE_VERTEX_BASE_URL, if it is set, ends before /v1"),
        (ResponseTemplate::new(407), "HTTPS_PROXY"),
    ];
    for (reply, words) in cases {
        let Err(error) = preflight([reply]).await else { panic!("not refused: {words}") };
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_busy_service_has_accepted_us() {
    assert_eq!(preflight([reply("429-shared")]).await, Ok(Preflight { model_answered: false }));
}

#[tokio::test]
async fn a_loopback_server_need_not_count() {
    assert_eq!(preflight([]).await, Ok(Preflight { model_answered: false }));
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    for (name, kind, named) in [
        ("404-model", FatalKind::NotFound, "`model` (now gemini-3.1-pro-preview)"),
        ("403-permission", FatalKind::Permission, "GOOGLE_CLOUD_PROJECT"),
        ("401-expired", FatalKind::Credentials, "gcloud auth application-default login"),
    ] {
        let Err(PreflightError::Refused(fatal)) = preflight([reply(name)]).await else {
            panic!("{name} passes")
        };
        assert_eq!(fatal.kind, kind, "{name}");
        assert!(fatal.to_string().contains(named), "{fatal}");
    }
}

#[tokio::test]
async fn a_missing_key_file_is_found_and_nothing_is_sent() {
    let access = access(&[
        ("GOOGLE_CLOUD_PROJECT", "example-project"),
        ("GOOGLE_VERTEX_BASE_URL", "https://vertex.invalid"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "no/such/key.json"),
    ]);
    let client = Client::new(access.unwrap(), Options::default()).unwrap();
    let Err(PreflightError::Refused(fatal)) = client.preflight(&model()).await else {
        panic!("no key is needed")
    };
    let message = fatal.to_string();
    assert!(
        message.contains("no/such/key.json") && message.contains("GOOGLE_APPLICATION_CREDENTIALS"),
        "{message}"
    );
}

#[tokio::test]
async fn an_unreachable_address_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(&format!("http://{address}")).preflight(&model()).await.unwrap_err();
    assert!(error.to_string().contains(&format!("cannot reach http://{address}")), "{error}");
    assert!(error.to_string().contains("GOOGLE_VERTEX_BASE_URL"), "{error}");
}

#[tokio::test]
async fn counts_a_prompt_with_its_system_prompt() {
    let server = MockServer::start().await;
    let (part, system) = ("Which year is right?", "Be brief.");
    let vertex = serde_json::json!({
        "contents": [{"role": "user", "parts": [{"text": part}]}],
        "systemInstruction": {"parts": [{"text": system}]},
    });
    let name = "models/gemini-3.1-pro-preview";
    let mut wrapped = vertex.clone();
    wrapped["model"] = name.into();
    let base = "/v1/projects/simulated/locations/global/publishers/google";
    for (prefix, body, tokens) in
        [(base, vertex, 12), ("/v1beta", serde_json::json!({"generateContentRequest": wrapped}), 13)]
    {
        Mock::given(path(format!("{prefix}/{name}:countTokens")))
            .and(body_json(body))
            .respond_with(counted(tokens))
            .mount(&server)
            .await;
    }
    for (variable, tokens) in [("GOOGLE_VERTEX_BASE_URL", 12), ("GOOGLE_GEMINI_BASE_URL", 13)] {
        let access = access(&[(variable, &server.uri())]).unwrap();
        let client = Client::new(access, Options::default()).unwrap();
        assert_eq!(client.count_tokens(&request()).await, Ok(tokens), "{variable}");
    }
    let without = client(&MockServer::start().await.uri());
    assert_eq!(without.count_tokens(&request()).await, Err(CountError::NotOffered));
}

#[tokio::test]
async fn a_prompt_over_the_limit_is_refused_and_a_short_one_is_not_even_counted() {
    for (bytes, tokens, calls, passes) in
        [(1000, 0, 0, true), (2 << 20, 500_000, 1, true), (2 << 20, 1_048_577, 1, false)]
    {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(counted(tokens)).expect(calls).mount(&server).await;
        let long = vertex::Request::new(model(), "", "x".repeat(bytes));
        match client(&server.uri()).check_length(&long).await {
            Ok(()) => assert!(passes, "{tokens} tokens pass"),
            Err(error) => {
                assert!(!passes, "{error}");
                let expected = "the prompt has 1048577 tokens, but gemini-3.1-pro-preview takes 1048576 (shorten the prompt)";
                assert_eq!(error.to_string(), expected);
            }
        }
    }
}

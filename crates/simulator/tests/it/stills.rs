//! What is not a request for text: models, token counts, tokens, unknown addresses.

use crate::client::{MODEL, body, developer, get, post, send, start, vertex};

#[test]
fn tokens_are_counted_without_a_reply() {
    let simulator = start("");

    let vertex = post(&simulator, &vertex("countTokens"), &body("four letters each", 100)).unwrap().json();
    let developer =
        post(&simulator, &developer("countTokens"), &body("four letters each", 100)).unwrap().json();

    assert_eq!(vertex["totalTokens"], 5 + 7);
    assert_eq!(vertex["totalBillableCharacters"], 15 + 24);
    assert_eq!(developer["totalTokens"], 12);
    assert_eq!(simulator.counters().requests, 0);
}

#[test]
fn models_describe_themselves() {
    let simulator = start("");

    let vertex = get(&simulator, &format!("/v1beta1/publishers/google/models/{MODEL}")).json();
    let developer = get(&simulator, &format!("/v1beta/models/{MODEL}")).json();
    let project = get(&simulator, &format!("/v1/projects/p/locations/l/publishers/google/models/{MODEL}"));
    let unknown = get(&simulator, "/v1beta/models/palm-2");

    assert_eq!(vertex["name"], format!("publishers/google/models/{MODEL}"));
    assert_eq!(developer["name"], format!("models/{MODEL}"));
    assert_eq!(project.status, 200);
    assert_eq!((unknown.status, unknown.json()["error"]["status"].as_str()), (404, Some("NOT_FOUND")));
}

#[test]
fn unknown_addresses_are_a_404_of_google() {
    let simulator = start("");

    for (method, target) in [
        ("GET", "/"),
        ("POST", "/v1/models"),
        ("GET", &vertex("generateContent")),
        ("POST", &vertex("embedContent")),
        ("DELETE", "/v1/projects/p"),
    ] {
        let reply = send(&simulator, method, target, "", b"").unwrap();

        assert_eq!(
            (reply.status, reply.json()["error"]["status"].as_str()),
            (404, Some("NOT_FOUND")),
            "{method} {target}"
        );
    }
}

#[test]
fn a_token_uri_gives_a_new_token_each_time() {
    let simulator = start("");
    let token = || send(&simulator, "POST", "/token", "", b"grant_type=refresh_token").unwrap().json();

    let (first, second) = (token(), token());

    assert_eq!(first["token_type"], "Bearer");
    assert_ne!(first["access_token"], second["access_token"]);
}

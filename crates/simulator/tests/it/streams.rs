//! `streamGenerateContent`: the same reply in pieces.

use serde_json::Value;

use crate::client::{THOUGHTS, ask, body, developer, post, start, vertex};

fn events(text: &str) -> Vec<Value> {
    text.split("\r\n\r\n")
        .filter(|event| !event.is_empty())
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn joined(pieces: &[Value]) -> String {
    pieces.iter().filter_map(|piece| piece["candidates"][0]["content"]["parts"][0]["text"].as_str()).collect()
}

#[test]
fn events_add_up_to_the_whole_reply() {
    let simulator = start(THOUGHTS);
    let whole = ask(&simulator, "Which roof lasts?", 8_192);

    for target in [vertex("streamGenerateContent?alt=sse"), developer("streamGenerateContent?alt=sse")] {
        let reply = post(&simulator, &target, &body("Which roof lasts?", 8_192)).unwrap();
        let pieces = events(&reply.text());
        let (last, others) = pieces.split_last().unwrap();

        assert!(reply.head.contains("text/event-stream"), "{}", reply.head);
        assert!(!others.is_empty());
        assert_eq!(joined(&pieces), whole.said());
        assert!(others.iter().all(|piece| piece["candidates"][0].get("finishReason").is_none()));
        assert_eq!(last["candidates"][0]["finishReason"], "STOP");
        assert_eq!(last["usageMetadata"]["totalTokenCount"], whole.usage("totalTokenCount"));
    }
}

#[test]
fn without_sse_the_pieces_are_one_array() {
    let simulator = start(THOUGHTS);

    let reply =
        post(&simulator, &vertex("streamGenerateContent"), &body("Which roof lasts?", 8_192)).unwrap();
    let pieces: Vec<Value> = serde_json::from_slice(&reply.body).unwrap();

    assert!(pieces.len() > 1);
    assert_eq!(joined(&pieces), ask(&simulator, "Which roof lasts?", 8_192).said());
}

#[test]
fn an_error_of_an_array_stream_is_in_an_array() {
    let simulator = start("[[script]]\nprompt_contains = \"hi\"\nsteps = [\"503\"]");

    let plain = post(&simulator, &vertex("streamGenerateContent?alt=sse"), &body("hi", 100)).unwrap();
    let array = post(&simulator, &vertex("streamGenerateContent"), &body("hi", 100)).unwrap();

    assert_eq!(plain.json()["error"]["code"], 503);
    assert_eq!(array.json()[0]["error"]["code"], 503);
}

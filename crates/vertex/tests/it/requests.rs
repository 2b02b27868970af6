//! What goes over the wire. These bytes are hashed into resume keys: a change here restarts every experiment.

use vertex::{Model, Place, Request, Thinking};

use crate::{model, place, request};

fn full() -> Request {
    Request {
        temperature: Some(1.0),
        top_p: Some(0.95),
        top_k: Some(64),
        max_output_tokens: Some(4096),
        seed: Some(7),
        stop_sequences: vec!["</answer>".to_owned()],
        thinking: Some(Thinking::Level("low".to_owned())),
        safety: vec![("HARM_CATEGORY_DANGEROUS_CONTENT".to_owned(), "BLOCK_ONLY_HIGH".to_owned())],
        labels: [("experiment".to_owned(), "phase_3e".to_owned())].into(),
        ..request()
    }
}

#[test]
fn a_request_has_one_spelling() {
    let budget =
        Request { thinking: Some(Thinking::Budget(-1)), ..Request::new(model(), "", "Hello.\u{2028}") };
    let bodies = [
        full().body(&place()),
        full().body(&Place::Developer),
        request().body(&place()),
        budget.body(&Place::Developer),
    ];
    insta::assert_snapshot!(bodies.map(|body| String::from_utf8(body).unwrap()).join("\n"));
}

#[test]
fn a_model_is_a_bare_name() {
    for name in [
        "gemini-3.1-pro-preview",
        "models/gemini-3.1-pro-preview",
        "publishers/google/models/gemini-3.1-pro-preview",
    ] {
        assert_eq!(name.parse::<Model>().unwrap(), model());
    }
    for name in
        ["", " ", "../../other", "gemini/3", "gemini 3", "gemini?key=1", "models/", "-gemini", "gémini"]
    {
        let error = name.parse::<Model>().unwrap_err();
        assert!(error.to_string().contains("not a model's name"), "{error}");
    }
}

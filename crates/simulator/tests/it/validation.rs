//! Wrong requests are refused as Google refuses them.

use serde_json::{Value, json};

use crate::client::{MODEL, body, developer, post, send, start, vertex};

fn check(target: &str, request: &Value, status: u16, says: &str) {
    let simulator = start("");

    let reply = post(&simulator, target, request).unwrap();
    let error = &reply.json()["error"];

    assert_eq!(reply.status, status, "{error}");
    assert_eq!(error["code"], status);
    assert!(error["message"].as_str().unwrap().contains(says), "{error}");
    assert_eq!(error["status"], if status == 400 { "INVALID_ARGUMENT" } else { "NOT_FOUND" });
    assert_eq!(simulator.counters().client_errors, 1);
}

fn with(place: &str, value: Value) -> Value {
    let mut request = body("hi", 100);
    *request.pointer_mut(place).unwrap() = value;
    request
}

#[test]
fn thinking_level_and_budget_exclude_each_other() {
    let both =
        with("/generationConfig/thinkingConfig", json!({"thinkingLevel": "low", "thinkingBudget": 100}));

    check(&vertex("generateContent"), &both, 400, "only set one of thinking budget and thinking level");
    check(&developer("generateContent"), &both, 400, "only set one of thinking budget and thinking level");
    check(&vertex("streamGenerateContent?alt=sse"), &both, 400, "only set one");
}

#[test]
fn a_model_knows_its_levels() {
    let medium = with("/generationConfig/thinkingConfig", json!({"thinkingLevel": "medium"}));
    let third = vertex("generateContent").replace(MODEL, "gemini-3-pro-preview");
    let second = vertex("generateContent").replace(MODEL, "gemini-2.5-pro");
    let none = with("/generationConfig/thinkingConfig", json!({"thinkingBudget": 0}));

    check(&third, &medium, 400, "Thinking level MEDIUM is not supported");
    check(&second, &medium, 400, "Thinking level is not supported");
    check(&second, &none, 400, "Budget 0 is invalid");
}

#[test]
fn unknown_models_are_not_found() {
    let request = body("hi", 100);

    check(
        &vertex("generateContent").replace(MODEL, "palm-2"),
        &request,
        404,
        "Publisher Model `projects/p/locations/global/publishers/google/models/palm-2` was not found",
    );
    check(
        &developer("generateContent").replace(MODEL, "palm-2"),
        &request,
        404,
        "models/palm-2 is not found for API version v1beta",
    );
    check(
        &developer("generateContent").replace(MODEL, "gemini-3-pro-preview"),
        &request,
        404,
        "is not found",
    );
}

#[test]
fn contents_are_required_with_a_role_and_parts() {
    let target = vertex("generateContent");

    check(&target, &json!({}), 400, "at least one contents field is required");
    check(&developer("generateContent"), &json!({"contents": []}), 400, "contents is not specified");
    check(&target, &with("/contents/0/role", json!("system")), 400, "Please use a valid role: user, model.");
    check(&target, &with("/contents/0/parts", json!([])), 400, "at least one parts field");
}

#[test]
fn unknown_fields_are_named() {
    let target = vertex("generateContent");
    let mut labelled = body("hi", 100);
    labelled["labels"] = json!({"team": "a"});

    check(
        &target,
        &with("/generationConfig", json!({"maxTokens": 5})),
        400,
        "Unknown name \"maxTokens\" at 'generation_config'",
    );
    check(&target, &json!({"content": []}), 400, "Unknown name \"content\": Cannot find field.");
    check(&developer("generateContent"), &labelled, 400, "Unknown name \"labels\"");
}

#[test]
fn safety_settings_name_what_exists() {
    let with = |category: &str, threshold: &str| {
        let mut request = body("hi", 100);
        request["safetySettings"] = json!([
            {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"},
            {"category": category, "threshold": threshold},
        ]);
        request
    };

    check(
        &vertex("generateContent"),
        &with("HARM_CATEGORY_RUDENESS", "OFF"),
        400,
        "Invalid value at 'safety_settings[1].category' (type.googleapis.com/google.cloud.aiplatform.v1.HarmCategory)",
    );
    check(
        &developer("generateContent"),
        &with("HARM_CATEGORY_HARASSMENT", "BLOCK_ALL"),
        400,
        "Invalid value at 'safety_settings[1].threshold'",
    );
}

#[test]
fn numbers_keep_to_their_range() {
    let target = vertex("generateContent");

    check(&target, &body("hi", 0), 400, "maxOutputTokens value of 0 but the supported range is from 1");
    check(&target, &body("hi", 65_537), 400, "supported range is from 1 (inclusive) to 65537 (exclusive)");
    check(&target, &with("/generationConfig", json!({"temperature": 2.5})), 400, "temperature value of 2.5");
    check(&target, &with("/generationConfig", json!({"candidateCount": 2})), 400, "Multiple candidates");
}

#[test]
fn both_spellings_of_a_field_are_understood() {
    let simulator = start(crate::client::THOUGHTS);
    let request = json!({
        "contents": [{"role": "user", "parts": [{"text": "Which roof lasts?"}]}],
        "system_instruction": {"parts": [{"text": "You are careful."}]},
        "generation_config": {"max_output_tokens": "150", "thinking_config": {"thinking_level": "HIGH"}},
    });

    let reply = post(&simulator, &vertex("generateContent"), &request).unwrap();

    assert_eq!(reply.finish(), "MAX_TOKENS");
    assert_eq!(reply.usage("candidatesTokenCount"), 50);
}

#[test]
fn what_is_no_json_is_refused() {
    let simulator = start("");

    let reply = send(&simulator, "POST", &vertex("generateContent"), "", b"{\"contents\": [").unwrap();

    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("Invalid JSON payload received."), "{}", reply.text());
}

#[test]
fn tokens_are_required_where_the_scenario_says_so_and_run_out() {
    let simulator = start("[token]\nrequired = true\nexpires_after = 2");
    let request = body("hi", 8_192).to_string();
    let status = |headers: &str| {
        send(&simulator, "POST", &vertex("generateContent"), headers, request.as_bytes()).unwrap().status
    };

    assert_eq!(status(""), 401);
    assert_eq!(status("Authorization: Bearer one\r\n"), 200);
    assert_eq!(status("authorization: Bearer one\r\n"), 200);
    assert_eq!(status("Authorization: Bearer one\r\n"), 401);
    assert_eq!(status("Authorization: Bearer two\r\n"), 200);
    assert_eq!(status("x-goog-api-key: three\r\n"), 200);
}

//! What a reply says, and that it adds up.

use serde_json::json;

use crate::client::{MODEL, THOUGHTS, ask, body, developer, get, post, start, vertex};

#[test]
fn a_reply_has_text_usage_and_a_finish_reason() {
    let simulator = start(THOUGHTS);

    let reply = ask(&simulator, "Should I sell my boat before the winter?", 8_192);
    let mut json = reply.json();
    for field in ["createTime", "responseId"] {
        assert!(json[field].is_string(), "{json}");
        json[field] = json!("…");
    }
    let text = json["candidates"][0]["content"]["parts"][0]["text"].take();

    assert!(text.as_str().unwrap().contains("boat"));
    assert_eq!(reply.usage("thoughtsTokenCount"), 100);
    assert_eq!(
        reply.usage("totalTokenCount"),
        reply.usage("promptTokenCount") + reply.usage("candidatesTokenCount") + 100
    );
    // The text comes from fixtures that grow, so its length and signature are blanked out.
    for field in ["candidatesTokenCount", "totalTokenCount", "candidatesTokensDetails"] {
        json["usageMetadata"][field] = json!("…");
    }
    json["candidates"][0]["content"]["parts"][0]["thoughtSignature"] = json!("…");
    insta::assert_json_snapshot!(json);
}

#[test]
fn a_reply_repeats_but_for_its_id() {
    let simulator = start(THOUGHTS);

    let (first, second) =
        (ask(&simulator, "Which roof lasts?", 8_192), ask(&simulator, "Which roof lasts?", 8_192));

    assert_eq!(first.said(), second.said());
    assert_ne!(first.json()["responseId"], second.json()["responseId"]);
    assert_eq!(first.json()["usageMetadata"], second.json()["usageMetadata"]);
}

#[test]
fn the_two_arms_answer_differently_and_a_scenario_may_name_one() {
    let simulator = start(THOUGHTS);
    let forced = start(&format!("arm = \"aba\"\n{THOUGHTS}"));
    let mut aba = body("Which roof lasts?", 8_192);
    aba["systemInstruction"]["parts"][0]["text"] =
        json!(std::fs::read_to_string("../../fixtures/phase_3e/arms/aba.md").unwrap());

    let control = ask(&simulator, "Which roof lasts?", 8_192).said();
    let treated = post(&simulator, &vertex("generateContent"), &aba).unwrap().said();

    assert_ne!(control, treated);
    assert_eq!(ask(&forced, "Which roof lasts?", 8_192).said(), treated);
}

#[test]
fn hidden_thoughts_and_text_share_the_budget() {
    let simulator = start(THOUGHTS);
    let whole = ask(&simulator, "Which roof lasts?", 8_192);
    let visible = whole.usage("candidatesTokenCount");

    let fits = ask(&simulator, "Which roof lasts?", 100 + visible);
    let cut = ask(&simulator, "Which roof lasts?", 100 + visible - 1);
    let half = ask(&simulator, "Which roof lasts?", 200);
    let none = ask(&simulator, "Which roof lasts?", 100);

    assert_eq!(fits.finish(), "STOP");
    assert_eq!(cut.finish(), "MAX_TOKENS");
    assert_eq!(half.finish(), "MAX_TOKENS");
    assert_eq!(half.usage("candidatesTokenCount"), 100);
    assert_eq!(half.said().chars().count(), 400);
    assert!(whole.said().starts_with(&half.said()));
    assert_eq!((none.finish().as_str(), none.said().as_str()), ("MAX_TOKENS", ""));
    assert_eq!(none.json()["candidates"][0]["content"].get("parts"), None);
    assert_eq!(none.usage("thoughtsTokenCount"), 100);
    assert_eq!(simulator.counters().truncated, 3);
}

#[test]
fn thinking_levels_and_budgets_change_the_thoughts() {
    let simulator = start(THOUGHTS);
    let thoughts = |thinking| {
        let mut asked = body("Which roof lasts?", 8_192);
        asked["generationConfig"]["thinkingConfig"] = thinking;
        post(&simulator, &vertex("generateContent"), &asked).unwrap().usage("thoughtsTokenCount")
    };

    assert_eq!(thoughts(json!({})), 100);
    assert_eq!(thoughts(json!({"thinkingLevel": "HIGH"})), 100);
    assert_eq!(thoughts(json!({"thinkingLevel": "medium"})), 65);
    assert_eq!(thoughts(json!({"thinkingLevel": "low"})), 35);
    assert_eq!(thoughts(json!({"thinkingBudget": -1})), 100);
    assert_eq!(thoughts(json!({"thinkingBudget": 20})), 20);
}

#[test]
fn thoughts_are_shown_when_asked_for() {
    let simulator = start(THOUGHTS);
    let mut asked = body("Which roof lasts?", 8_192);
    asked["generationConfig"]["thinkingConfig"]["includeThoughts"] = json!(true);

    let reply = post(&simulator, &vertex("generateContent"), &asked).unwrap().json();
    let parts = reply["candidates"][0]["content"]["parts"].as_array().unwrap();

    assert_eq!(parts.len(), 2);
    assert_eq!((&parts[0]["thought"], parts[1].get("thought")), (&json!(true), None));
}

#[test]
fn stop_sequences_end_the_text() {
    let simulator = start(THOUGHTS);
    let mut asked = body("Which roof lasts?", 8_192);
    asked["generationConfig"]["stopSequences"] = json!(["</think>"]);

    let reply = post(&simulator, &vertex("generateContent"), &asked).unwrap();

    assert_eq!(reply.finish(), "STOP");
    assert!(reply.said().starts_with("<think>") && !reply.said().contains("</think>"));
}

#[test]
fn the_developer_api_answers_in_its_own_way() {
    let simulator = start(THOUGHTS);

    let reply =
        post(&simulator, &developer("generateContent"), &body("Which roof lasts?", 8_192)).unwrap().json();

    assert_eq!(reply["candidates"][0]["index"], 0);
    assert_eq!(reply.get("createTime"), None);
    assert_eq!(reply["usageMetadata"].get("trafficType"), None);
    assert_eq!(reply["modelVersion"], MODEL);
}

#[test]
fn the_model_version_changes_after_so_many_replies() {
    let simulator = start(&format!(
        "{THOUGHTS}\n[model_version]\nfirst = \"one\"\nthen = \"two\"\nafter = 2\n\n[[script]]\nprompt_contains = \"fail\"\nsteps = [\"500\"]"
    ));

    let version =
        |prompt| ask(&simulator, prompt, 8_192).json()["modelVersion"].as_str().unwrap_or("none").to_string();

    assert_eq!([version("a"), version("fail"), version("b"), version("c")], ["one", "none", "one", "two"]);
}

#[test]
fn counters_tell_what_a_client_did() {
    let simulator = start(&format!(
        "{THOUGHTS}\n[[script]]\nprompt_contains = \"cut\"\nsteps = [\"max-tokens\", \"stop\"]"
    ));
    let first = ask(&simulator, "one", 8_192);
    ask(&simulator, "one", 8_192);
    ask(&simulator, "cut", 4_096);
    ask(&simulator, "cut", 4_096);

    let counters = simulator.counters();
    let served = get(&simulator, "/_simulator/counters").json();

    assert_eq!((counters.requests, counters.ok, counters.complete, counters.truncated), (4, 4, 3, 1));
    assert_eq!(
        (counters.duplicates, counters.paid_twice),
        (2, 1),
        "a truncated reply may be asked for again"
    );
    assert_eq!((counters.in_flight, counters.in_flight_most), (0, 1));
    assert!(counters.tokens.total > 2 * first.usage("totalTokenCount"));
    assert_eq!(served, serde_json::to_value(counters).unwrap());
}

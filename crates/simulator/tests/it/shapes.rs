//! Our replies hold no field that the fixtures of Google's replies lack.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{THOUGHTS, ask, body, get, post, start, vertex};

/// Paths of all fields of a value; places in an array are one.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = format!("{path}/{name}");
                found.insert(path.clone());
                fields(value, &path, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, path, found)),
        _ => {}
    }
}

fn google() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir("../../fixtures/vertex").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json")
            && let Ok(value) = serde_json::from_str::<Value>(&std::fs::read_to_string(&path).unwrap())
        {
            fields(&value, "", &mut found);
        }
    }
    found
}

#[test]
fn every_field_of_ours_is_one_of_googles() {
    let simulator = start(&format!(
        "{THOUGHTS}\n[[script]]\nprompt_contains = \"block\"\nsteps = [\"blocked\"]\n\
         [[script]]\nprompt_contains = \"quota\"\nsteps = [\"quota-minute\"]"
    ));
    let mut shown = body("hi", 8_192);
    shown["generationConfig"]["thinkingConfig"]["includeThoughts"] = json!(true);
    let mut ours = BTreeSet::new();
    for reply in [
        ask(&simulator, "hi", 8_192),
        ask(&simulator, "block", 8_192),
        ask(&simulator, "quota", 8_192),
        post(&simulator, &vertex("generateContent"), &shown).unwrap(),
        get(&simulator, "/nowhere"),
    ] {
        fields(&reply.json(), "", &mut ours);
    }
    let google = google();

    let unknown: Vec<&String> = ours.difference(&google).collect();

    assert!(unknown.is_empty(), "not in fixtures/vertex: {unknown:#?}");
}

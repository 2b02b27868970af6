//! The fast way and the slow way to read a row never disagree, and neither panics on anything.

use gate::explain::{Explained, explain};
use gate::typed;
use gate::view::View;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Reads `line` both ways and holds them against each other.
fn check(line: &[u8]) -> Result<(), TestCaseError> {
    let fast = std::str::from_utf8(line).ok().and_then(typed::read);
    match (fast, explain(line)) {
        (Some(fast), Explained::Row { row, null_output }) => {
            let mut slow = View::from(&*row);
            if null_output {
                slow.output = None;
            }
            prop_assert_eq!(fast, slow);
        }
        (Some(_), Explained::Wrong { failure, .. }) => {
            prop_assert!(false, "the fast way accepts what the slow way refuses: {}", failure.message);
        }
        (None, Explained::Row { row, .. }) => {
            // Spacing, escaped names and the Python script's own fields are for the slow way; nothing else is.
            let value: Value = serde_json::from_slice(line).unwrap();
            let plain = value.to_string();
            prop_assert!(row.format.is_none() || typed::read(&plain).is_some(), "refused: {plain}");
        }
        (None, Explained::Wrong { failure, .. }) => prop_assert!(!failure.message.is_empty()),
    }
    Ok(())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{1,12}",
        "(\\PC|[\"\\\\/\n\t\r]){0,20}",
        Just("<think>\nx\n</think>\n\ny".to_owned()),
        Just("STOP".to_owned()),
        Just("2026-02-13T10:00:00Z".to_owned()),
        "20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,3})?(Z|\\+[0-9]{2}:[0-9]{2})?",
        "[0-9a-f]{64}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::from),
        3 => prop_oneof![0..4u64, Just(u64::from(u32::MAX)), Just(1 << 32), Just((1 << 53) - 1), Just(1 << 53), Just(u64::MAX)].prop_map(Value::from),
        1 => (-3i64..3).prop_map(Value::from),
        1 => prop_oneof![Just(0.0), Just(1.0), Just(0.7), Just(2.0), Just(2.5), Just(1e300), Just(-0.0)].prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(json!({})),
        1 => Just(json!([])),
    ]
}

/// A good row, ours or of the Python script.
fn row() -> impl Strategy<Value = Value> {
    (any::<bool>(), "\\PC{1,20}", "\\PC{0,40}", 0..5000u64, 0..5000u64).prop_map(|(ours, prompt, output, input, total)| {
        if ours {
            json!({"format": 1, "key": "0".repeat(64), "instruction": prompt, "system_prompt": "s", "output": output,
                "meta": {"category": "c", "sub_theme": "", "model_type": "aba", "model": "m", "model_version": "v",
                    "timestamp": "2026-02-13T10:00:00Z", "finish_reason": "STOP", "attempts": 1, "escalated": 0,
                    "generation": {"temperature": 1.0, "max_output_tokens": 4096, "thinking_level": "low"}},
                "token_stats": {"input": input, "output": 1, "thoughts": 2, "cached": 0, "total": total}})
        } else {
            json!({"instruction": prompt, "output": output,
                "meta": {"category": "c", "sub_theme": "t", "model_type": "aba", "model": "m",
                    "timestamp": "2026-02-13T10:00:00.123456", "finish_reason": "FinishReason.STOP"},
                "token_stats": {"input": input, "output": 1, "total": total}})
        }
    })
}

/// Places in a row, known and unknown.
const PLACES: [&str; 30] = [
    "/format",
    "/key",
    "/instruction",
    "/system_prompt",
    "/output",
    "/meta",
    "/token_stats",
    "/other",
    "/meta/category",
    "/meta/sub_theme",
    "/meta/model_type",
    "/meta/model",
    "/meta/model_version",
    "/meta/response_id",
    "/meta/timestamp",
    "/meta/finish_reason",
    "/meta/attempts",
    "/meta/escalated",
    "/meta/resampled",
    "/meta/generation",
    "/meta/other",
    "/meta/generation/temperature",
    "/meta/generation/max_output_tokens",
    "/meta/generation/thinking_level",
    "/meta/generation/other",
    "/token_stats/input",
    "/token_stats/output",
    "/token_stats/thoughts",
    "/token_stats/cached",
    "/token_stats/total",
];

/// Sets or, with `None`, removes what stands at `place`.
fn change(row: &mut Value, place: &str, value: Option<Value>) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    if let Some(Value::Object(parent)) = row.pointer_mut(parent) {
        match value {
            Some(value) => drop(parent.insert(name.to_owned(), value)),
            None => drop(parent.remove(name)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_two_ways_agree_on_changed_rows(
        mut row in row(),
        changes in prop::collection::vec((prop::sample::select(&PLACES[..]), prop::option::weighted(0.7, value())), 0..4),
    ) {
        for (place, value) in changes {
            change(&mut row, place, value);
        }
        check(row.to_string().as_bytes())?;
        check(serde_json::to_string_pretty(&row).unwrap().replace('\n', " ").as_bytes())?;
    }

    #[test]
    fn the_two_ways_agree_on_changed_bytes(
        row in row(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3u8, any::<u8>()), 0..4),
    ) {
        let mut line = row.to_string().into_bytes();
        for (at, kind, byte) in edits {
            let at = at.index(line.len());
            match kind {
                0 => line[at] = byte,
                1 => line.insert(at, byte),
                _ => drop(line.remove(at)),
            }
        }
        check(&line)?;
    }

    #[test]
    fn the_two_ways_agree_on_a_key_met_twice(row in row(), value in value()) {
        let line = row.to_string();
        for key in ["output", "format", "meta", "input"] {
            check(line.replacen('{', &format!("{{\"{key}\":{value},"), 1).as_bytes())?;
        }
    }

    #[test]
    fn nothing_panics_the_reader(line in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&line)?;
    }

    #[test]
    fn nothing_that_looks_like_json_panics_the_reader(line in "[{}\\[\\]\",:\\\\ut0-9a-e.+-]{0,80}") {
        check(line.as_bytes())?;
    }
}

#[test]
fn a_system_prompt_that_is_known_beforehand_changes_nothing() {
    for (arm, bytes) in crate::experiment().arms.iter().zip(crate::good()) {
        let text = String::from_utf8(bytes).unwrap();
        for known in
            [arm.system_prompt.as_str(), "You are", "", "x", "You are a careful, helpful assistant.\n"]
        {
            let known = typed::Known::new(known);
            for line in text.lines() {
                assert_eq!(typed::read_knowing(line, &known, &mut String::new()), typed::read(line));
            }
        }
    }
}

#[test]
fn good_rows_take_the_fast_way() {
    for bytes in crate::good() {
        for line in String::from_utf8(bytes).unwrap().lines() {
            assert!(typed::read(line).is_some());
        }
    }
}

#[test]
fn a_row_that_the_dataset_crate_writes_is_accepted() {
    for bytes in crate::good() {
        let row: ::dataset::Row =
            serde_json::from_slice(bytes.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
        let line = serde_json::to_string(&row).unwrap();
        assert_eq!(typed::read(&line), Some(View::from(&row)));
    }
}

#[test]
fn the_schema_is_a_schema() {
    let schema: Value = serde_json::from_str(gate::explain::ROW_SCHEMA).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::draft202012::meta::validate(&schema).unwrap();
}

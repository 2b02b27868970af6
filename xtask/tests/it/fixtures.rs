//! Fixtures are what they claim to be, and no snapshot has outlived its test.

use std::collections::BTreeMap;

use crate::{files, root};

#[test]
fn jsonl_fixtures_end_each_line_with_a_line_feed() {
    for path in files("fixtures", "jsonl") {
        // Rows that are wrong on purpose are wrong in their own ways.
        if path.components().any(|part| part.as_os_str() == "invalid" || part.as_os_str() == "valid") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.ends_with(b"\n"), "{} ends without a line feed", path.display());
        assert!(!bytes.contains(&b'\r'), "{} has carriage returns", path.display());
        assert!(!bytes.starts_with(b"\xEF\xBB\xBF"), "{} starts with a byte order mark", path.display());
    }
}

#[test]
fn the_experiment_has_as_many_prompts_as_it_says() {
    let folder = root().join("fixtures/phase_3e");
    let experiment: toml::Table =
        std::fs::read_to_string(folder.join("experiment.toml")).unwrap().parse().unwrap();
    let mut counted: BTreeMap<String, i64> = BTreeMap::new();
    let text = std::fs::read_to_string(folder.join("prompts.jsonl")).unwrap();
    for line in text.lines() {
        let prompt: serde_json::Value = serde_json::from_str(line).unwrap();
        *counted.entry(prompt["category"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let stated: BTreeMap<String, i64> = experiment["categories"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(category, count)| (category.clone(), count.as_integer().unwrap()))
        .collect();
    assert_eq!(counted, stated);
    for line in std::fs::read_to_string(folder.join("smoke.jsonl")).unwrap().lines() {
        assert!(text.lines().any(|prompt| prompt == line), "a smoke prompt is not among the prompts: {line}");
    }
}

/// insta names a snapshot `<binary or module path>__<name>.snap` and writes the test's source file into it.
#[test]
fn every_snapshot_belongs_to_a_test_that_exists() {
    for path in files("crates", "snap") {
        let text = std::fs::read_to_string(&path).unwrap();
        let source = text.lines().find_map(|line| line.strip_prefix("source: "));
        let source = source.unwrap_or_else(|| panic!("{} names no source", path.display()));
        assert!(root().join(source).is_file(), "{} is left over from {source}", path.display());
    }
}

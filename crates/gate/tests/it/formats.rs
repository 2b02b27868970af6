//! The report in every form, held by snapshots.

use ::dataset::receipt::Verdict;
use gate::{Report, format};

use crate::{folder, good, judge};

/// Rows that fail rules of both severities, one of them with words that every form must escape.
fn bad() -> (tempfile::TempDir, Report) {
    let [control, aba] = good().map(|bytes| String::from_utf8(bytes).unwrap());
    let [first, rest] = control.splitn(2, '\n').collect::<Vec<_>>().try_into().unwrap();
    let first = first.replacen("\"attempts\":1,", "", 1);
    let rest = rest.replacen(
        "<think>\\n",
        "<script>alert(\\\"|`@x`|\\\")</script> ::error::\\u202e%0A\\u001b[31m <think>\\n",
        1,
    );
    let control = format!("{first}\n{rest}{{\"cut\n{{\"cut\n[\n");
    let aba = aba
        .replace("\"finish_reason\":\"STOP\"", "\"finish_reason\":\"FinishReason.SAFETY\"")
        .replacen('\n', "\r\n", 1);
    let folder = folder(&[control.into_bytes(), aba.into_bytes()]);
    let report = judge(folder.path());
    (folder, report)
}

fn settings(folder: &tempfile::TempDir) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    let path = folder.path().to_string_lossy().into_owned();
    settings.add_filter(&regex::escape(&path), "[data]");
    // A path in JSON has its backslashes doubled, and in a workflow command its colon encoded.
    settings.add_filter(&regex::escape(&path.replace('\\', "\\\\")), "[data]");
    settings.add_filter(&regex::escape(&path.replace(':', "%3A")), "[data]");
    settings.add_filter(r"\[data\](?:\\\\|\\)", "[data]/");
    settings
}

#[test]
fn a_failing_report() {
    let (folder, report) = bad();
    assert_eq!(report.verdict, Verdict::Fail);
    settings(&folder).bind(|| {
        insta::assert_snapshot!("fail.txt", format::text::write(&report, false));
        insta::assert_snapshot!(
            "fail-colour.txt",
            format::text::write(&report, true).lines().last().unwrap()
        );
        insta::assert_snapshot!("fail.json", format::json::write(&report).unwrap());
        insta::assert_snapshot!("fail.xml", format::junit::write(&report));
        insta::assert_snapshot!("fail.md", format::markdown::write(&report));
        insta::assert_snapshot!("fail.annotations", format::annotations::write(&report));
    });
}

#[test]
fn a_passing_report() {
    let folder = folder(&good());
    let report = judge(folder.path());
    settings(&folder).bind(|| {
        insta::assert_snapshot!("pass.txt", format::text::write(&report, false));
        insta::assert_snapshot!("pass.xml", format::junit::write(&report));
        insta::assert_snapshot!("pass.md", format::markdown::write(&report));
    });
    assert_eq!(format::annotations::write(&report), "");
}

#[test]
fn ten_annotations_at_most_and_one_of_each_rule_first() {
    let (_folder, report) = bad();
    let text = format::annotations::write(&report);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 10);
    assert!(lines.iter().all(|line| line.starts_with("::error ")), "errors come before warnings");
    for rule in report.failed().filter(|rule| rule.severity == gate::Severity::Error) {
        assert!(text.contains(&format!("gate%3A {}", rule.rule)), "{}: {text}", rule.rule);
    }
}

#[test]
fn the_json_has_the_designed_keys() {
    let (_folder, report) = bad();
    let value: serde_json::Value = serde_json::from_str(&format::json::write(&report).unwrap()).unwrap();
    assert_eq!(value["verdict"], "fail");
    for key in ["path", "arm", "rows", "sha256"] {
        assert!(!value["files"][0][key].is_null(), "{key}");
    }
    let rules = value["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["rule"] == "schema").unwrap();
    assert_eq!((&rule["severity"], &rule["failures"]), (&"error".into(), &1.into()));
    for key in ["path", "line", "message"] {
        assert!(!rule["findings"][0][key].is_null(), "{key}");
    }
}

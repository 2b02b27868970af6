//! Every folder of `fixtures/rows/valid` passes without a finding; every folder of `invalid` fails exactly the rule
//! that it is named after.

use std::path::PathBuf;

use ::dataset::receipt::Verdict;
use gate::Severity;
use gate::rules::RULES;

use crate::{failed, judge, root};

fn folders(kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("fixtures/rows").join(kind)).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

#[test]
fn near_misses_pass() {
    for folder in folders("valid") {
        let report = judge(&folder);
        let findings: Vec<_> = report.findings().collect();
        assert_eq!(report.verdict, Verdict::Pass, "{}: {findings:#?}", folder.display());
        assert!(findings.is_empty(), "{}: {findings:#?}", folder.display());
    }
}

#[test]
fn every_rule_has_rows_that_fail_it_alone() {
    let names: Vec<String> = folders("invalid")
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for rule in RULES {
        assert!(names.iter().any(|name| name == rule.name), "no fixture fails {}", rule.name);
    }
    for (folder, name) in folders("invalid").iter().zip(&names) {
        let report = judge(folder);
        assert_eq!(failed(&report), [name.as_str()], "{:#?}", report.findings().collect::<Vec<_>>());
        let rule = report.failed().next().unwrap();
        // A prompt that nobody asks is unknown in both files, or the pair would be broken too.
        let expected = if name == "unknown-prompt" { 2 } else { 1 };
        assert_eq!((rule.failures, rule.findings.len()), (expected, expected), "{:#?}", rule.findings);
        let fails = rule.severity == Severity::Error;
        assert_eq!(report.verdict == Verdict::Fail, fails);
    }
}

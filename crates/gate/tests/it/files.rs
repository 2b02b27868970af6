//! Files of every unhappy kind get an answer in words.

use std::io::Write;

use ::dataset::Layout;
use ::dataset::receipt::Verdict;
use gate::{Finding, GateError, Report, Thresholds};

use crate::{experiment, failed, folder, good, judge, root};

fn findings<'r>(report: &'r Report, rule: &str) -> Vec<&'r Finding> {
    report.findings().filter(|finding| finding.rule == rule).collect()
}

#[test]
fn a_missing_folder_and_missing_ledgers_fail_with_the_command_to_run() {
    let folder = tempfile::tempdir().unwrap();
    for (path, words) in
        [(folder.path().join("absent"), "does not exist"), (folder.path().to_owned(), "there is no")]
    {
        let report = judge(&path);
        assert_eq!(report.verdict, Verdict::Fail);
        assert_eq!(failed(&report), ["no-rows"]);
        let found = findings(&report, "no-rows");
        assert_eq!(found.len(), 2, "one for each arm");
        assert!(
            found[0].message.contains(words) && found[0].message.contains("cargo xtask gen"),
            "{}",
            found[0].message
        );
    }
}

#[test]
fn one_missing_arm_fails_once_and_not_for_every_pair() {
    let folder = folder(&good());
    std::fs::remove_file(folder.path().join("sft_aba.jsonl")).unwrap();
    assert_eq!(failed(&judge(folder.path())), ["no-rows"]);
}

#[test]
fn a_ledger_that_cannot_be_read_is_an_error_with_its_path() {
    let folder = folder(&good());
    std::fs::remove_file(folder.path().join("sft_aba.jsonl")).unwrap();
    std::fs::create_dir(folder.path().join("sft_aba.jsonl")).unwrap();
    let experiment = experiment();
    let layout = Layout::new(Some(folder.path()), "rows");
    let error = gate::judge(&experiment, &layout, &Thresholds::default()).unwrap_err();
    assert!(matches!(error, GateError::Read { .. }));
    assert!(error.to_string().contains("sft_aba.jsonl"), "{error}");
}

#[test]
fn a_line_without_end_is_passed_over_and_the_lines_after_it_keep_their_numbers() {
    let [control, aba] = good();
    let folder = folder(&[Vec::new(), aba]);
    let mut file = std::fs::File::create(folder.path().join("sft_control.jsonl")).unwrap();
    let first = control.split_inclusive(|byte| *byte == b'\n').next().unwrap();
    file.write_all(first).unwrap();
    file.write_all(b"{\"instruction\":\"").unwrap();
    let mebibyte = vec![b'x'; 1 << 20];
    for _ in 0..200 {
        file.write_all(&mebibyte).unwrap();
    }
    file.write_all(b"\"}\n{\"cut\n").unwrap();
    file.write_all(&control[first.len()..]).unwrap();
    drop(file);

    let report = judge(folder.path());
    assert_eq!(failed(&report), ["file-form", "bad-json"]);
    let long = findings(&report, "file-form");
    assert_eq!((long.len(), long[0].line), (1, Some(2)));
    assert!(long[0].message.contains("a row has at most 1"), "{}", long[0].message);
    assert_eq!(findings(&report, "bad-json")[0].line, Some(3));
    assert_eq!(report.files[0].rows, 6);
    assert_eq!(report.files[0].bytes, (200 << 20) + 25 + control.len() as u64);
}

#[test]
fn a_finding_far_into_a_long_file_names_its_line() {
    let [mut control, aba] = good();
    let whole = control.clone();
    while control.len() < 9 << 20 {
        control.extend_from_slice(&whole);
    }
    let lines = control.iter().filter(|byte| **byte == b'\n').count();
    control.extend_from_slice(b"{\"cut\n");
    control.extend_from_slice(&whole);
    let report = judge(folder(&[control, aba]).path());
    assert_eq!(findings(&report, "bad-json")[0].line, Some(lines + 1));
    let duplicates = findings(&report, "duplicate-prompt");
    assert_eq!(duplicates[0].line, Some(7));
    let rule = report.failed().find(|rule| rule.rule == "duplicate-prompt").unwrap();
    assert_eq!((rule.failures, duplicates.len()), (lines, 1_000), "all are counted, the first are kept");
}

#[test]
fn the_hash_is_that_of_the_bytes_as_they_lie_there() {
    for suffix in ["", "\u{feff}", "\r\n", "no newline"] {
        let [mut control, aba] = good();
        control.extend_from_slice(suffix.as_bytes());
        let folder = folder(&[control, aba]);
        let experiment = experiment();
        let layout = Layout::new(Some(folder.path()), "rows");
        let report = judge(folder.path());
        gate::receipt::write(&experiment, &layout, &report).unwrap();
        let receipt = ::dataset::receipt::read(&layout.verdict()).unwrap();
        assert_eq!(Some(&receipt.files[0].sha256), report.files[0].sha256.as_ref());
        match ::dataset::receipt::verify(&layout.ledger("control")) {
            // A blank line is a warning: the verdict passes, and binds the carriage return too.
            Ok(judged) => assert!(["", "\r\n"].contains(&suffix), "{judged:?}"),
            Err(error) => assert!(error.to_string().contains("says fail"), "{error}"),
        }
    }
}

#[test]
fn thresholds_come_from_the_experiment_and_mistakes_in_them_are_named() {
    let source = std::fs::read_to_string(root().join("fixtures/rows/experiment.toml")).unwrap();
    let check = |section: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("arms")).unwrap();
        for name in ["arms/control.md", "arms/aba.md", "prompts.jsonl"] {
            std::fs::copy(root().join("fixtures/rows").join(name), folder.path().join(name)).unwrap();
        }
        let path = folder.path().join("experiment.toml");
        std::fs::write(&path, format!("{source}\n{section}\n")).unwrap();
        let experiment = ::dataset::Experiment::load(&path).unwrap();
        gate::judge::thresholds(&experiment).map_err(|error| error.to_string())
    };
    assert_eq!(check("").unwrap(), Thresholds::default());
    assert_eq!(check("[gate]\nmin_think_chars = 7").unwrap().min_think_chars, 7);
    for (section, words) in [
        ("[gate]\nmin_thick_chars = 7", "min_thick_chars"),
        ("[gate]\ntoken_tolerance = 7.0", "a share goes from 0 to 1"),
        ("[gate]\nnear_duplicate_similarity = 0.1", "the estimate says nothing"),
        ("[gate]\nmax_findings = 0", "max_findings is 0"),
        ("[gate.severity]\nthink-blok = \"warning\"", "no rule `think-blok`"),
        ("[gate.severity]\nfinish-reason = \"warning\"", "stays an error"),
    ] {
        let error = check(section).unwrap_err();
        assert!(error.contains(words), "{section}: {error}");
    }
}

#[test]
fn a_rule_of_taste_can_be_made_a_warning() {
    let experiment = experiment();
    let folder = root().join("fixtures/rows/invalid/token-budget");
    let layout = Layout::new(Some(&folder), "rows");
    let mut thresholds = Thresholds::default();
    thresholds.severity.insert("token-budget".into(), gate::Severity::Warning);
    let report = gate::judge(&experiment, &layout, &thresholds).unwrap();
    assert_eq!(report.verdict, Verdict::Pass);
    assert_eq!(failed(&report), ["token-budget"]);
}

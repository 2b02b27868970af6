//! The command itself: exit codes, streams, files.

use std::path::Path;
use std::process::{Command, Output};

use crate::{folder, good, root};

fn gate(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gate"));
    command.current_dir(root()).args(arguments).env_remove("GITHUB_ACTIONS").env_remove("NO_COLOR");
    command.envs(environment.iter().copied()).output().unwrap()
}

fn judge(data: &Path, more: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let data = data.to_string_lossy();
    let arguments = [&["--experiment", "fixtures/rows/experiment.toml", "--data", &data], more].concat();
    let output = gate(&arguments, environment);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn bad() -> tempfile::TempDir {
    let [control, aba] = good();
    let control = String::from_utf8(control).unwrap().replace(r"\n</think>", "").into_bytes();
    folder(&[control, aba])
}

#[test]
fn help() {
    let output = gate(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn good_data_exits_0_and_leaves_a_verdict_that_holds() {
    let folder = folder(&good());
    let (code, stdout, stderr) = judge(folder.path(), &[], &[]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("PASS: rows control 6, aba 6; no findings") && !stdout.contains('\x1b'),
        "{stdout}"
    );
    assert_eq!(stderr, "");
    let ledger = folder.path().join("sft_aba.jsonl");
    assert_eq!(::dataset::receipt::verify(&ledger).unwrap().rows, 6);
    std::fs::OpenOptions::new()
        .append(true)
        .open(&ledger)
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"\n"))
        .unwrap();
    assert!(
        ::dataset::receipt::verify(&ledger)
            .unwrap_err()
            .to_string()
            .contains("is not the file that the gate judged")
    );
}

#[test]
fn bad_data_exits_1_and_replaces_the_verdict() {
    let folder = bad();
    let (code, stdout, _) = judge(folder.path(), &[], &[]);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("sft_control.jsonl:1: <think> is not closed"), "{stdout}");
    let error = ::dataset::receipt::verify(&folder.path().join("sft_control.jsonl")).unwrap_err();
    assert!(error.to_string().contains("says fail (think-block 6)"), "{error}");
}

#[test]
fn the_report_goes_to_a_file_and_the_verdict_to_stderr() {
    let folder = bad();
    let report = folder.path().join("report.json");
    let (code, stdout, stderr) =
        judge(folder.path(), &["--format", "json", "--output", &report.to_string_lossy()], &[]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with("FAIL: rows control 6"), "{stderr}");
    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(value["verdict"], "fail");
}

#[test]
fn actions_gets_annotations_beside_a_clean_report() {
    let folder = bad();
    let (_, stdout, stderr) = judge(folder.path(), &["--format", "json"], &[("GITHUB_ACTIONS", "true")]);
    serde_json::from_str::<serde_json::Value>(&stdout).unwrap();
    assert_eq!(stderr.lines().filter(|line| line.starts_with("::error file=")).count(), 6, "{stderr}");
}

#[test]
fn wrong_input_exits_1_with_words() {
    for (arguments, words) in [
        (&["--experiment", "absent.toml"][..], "cannot read the experiment absent.toml"),
        (&["--frmat", "json"], "--frmat"),
        (&["--format", "yaml"], "yaml"),
    ] {
        let output = gate(arguments, &[]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(words) && !stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn the_test_suite_fails_with_the_findings_of_the_command() {
    let folder = bad();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "dataset::the_collected_data_may_be_trained_on"])
        .env("SFT_DATA", folder.path())
        .env("SFT_EXPERIMENT", "fixtures/rows/experiment.toml")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let (_, report, _) = judge(folder.path(), &[], &[]);
    assert!(said.contains(report.trim()), "{said}\n---\n{report}");
}

//! `cargo xtask answer`.

use std::process::{Command, Output};

use crate::step::support::smollm2;

fn answer(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_answer")).args(words).output().unwrap()
}

#[test]
fn help() {
    insta::assert_snapshot!(String::from_utf8(answer(&["--help"]).stdout).unwrap());
}

#[test]
fn a_base_answers_on_standard_output_and_nothing_else_is_there() {
    let Some(base) = smollm2() else { return };
    let base = base.display().to_string();
    let words =
        ["--base", &base, "--device", "cpu", "--max-new-tokens", "16", "What is the capital of France?"];
    let output = answer(&words);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "The capital of France is Paris.\n");
}

#[test]
fn a_base_that_is_not_there_is_named_with_what_to_do() {
    let output = answer(&["--base", "nowhere/at-all", "Why?"]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("nowhere/at-all") && words.contains("hf download"), "{words}");
}

#[test]
fn a_recipe_that_does_not_read_does_not_pass_for_no_quantization() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("recipe.toml"), "rank = 16\n").unwrap();
    let adapter = folder.path().display().to_string();
    let output = answer(&["--base", "nowhere/at-all", "--adapter", &adapter, "Why?"]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("recipe.toml") && words.contains("--quantization"), "{words}");
}

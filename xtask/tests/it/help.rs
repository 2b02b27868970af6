//! The command line as a newcomer reads it.

use std::process::Command;

fn check(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

#[test]
fn help_of_xtask() {
    insta::assert_snapshot!("help", check(&["--help"]));
}

#[test]
fn help_of_its_own_verbs() {
    for verb in ["demo", "setup", "test", "bench"] {
        insta::assert_snapshot!(format!("help_{verb}"), check(&[verb, "--help"]));
    }
}

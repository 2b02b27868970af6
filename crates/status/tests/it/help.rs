//! The command line as a newcomer reads it.

use std::process::Command;

#[test]
fn help_of_both_commands() {
    for (name, program) in
        [("status", env!("CARGO_BIN_EXE_status")), ("handoff", env!("CARGO_BIN_EXE_handoff"))]
    {
        let output = Command::new(program).arg("--help").output().unwrap();
        assert!(output.status.success());
        insta::assert_snapshot!(
            format!("help_{name}"),
            String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
        );
    }
}

//! The command line as a newcomer reads it.

use crate::driver;

#[test]
fn help_names_every_flag_with_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = driver::bare(folder.path());
    command.arg("--help");
    let ran = driver::run(command).expect(0);
    insta::assert_snapshot!(ran.stdout);
}

//! What `--dry-run` says.

use crate::driver::Lab;

#[test]
fn a_dry_run_asks_nothing_writes_nothing_and_needs_no_access() {
    let lab = Lab::new(5, "");
    let mut command = lab.command(&["--dry-run"]);
    command.env_remove("GOOGLE_VERTEX_BASE_URL");
    let ran = crate::driver::run(command).expect(0);
    insta::assert_snapshot!(ran.stdout);
    assert!(!lab.layout().folder().exists());
    assert_eq!(lab.counters().requests, 0);
}

#[test]
fn a_dry_run_counts_only_what_is_missing() {
    let lab = Lab::new(5, "");
    lab.run_fast(&["--limit", "2"]).expect(0);
    let ran = lab.run(&["--dry-run", "--rpm", "60"]).expect(0);
    assert!(ran.stdout.contains("tokens a row are those of the rows in the ledgers"), "{}", ran.stdout);
    let rows: Vec<&str> =
        ran.stdout.lines().filter_map(|line| line.split_whitespace().nth(1)).take(4).collect();
    assert_eq!(rows, ["to", "3", "3", "6"], "{}", ran.stdout);
}

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

/// A third of the answers is cut off first, and each of these costs its whole budget of 4,096 tokens.
#[test]
fn what_a_run_then_costs_lies_in_the_range() {
    let lab = Lab::new(
        60,
        "[thoughts]\nmedian = 400\nsigma = 0.3\n[[fault]]\nkind = \"max-tokens\"\nshare = 0.33\nfirst = 1",
    );
    lab.run_fast(&["--limit", "20"]).expect(0);
    let before = lab.counters();
    let ran = lab.run(&["--dry-run"]).expect(0);
    lab.run_fast(&[]).expect(0);
    let after = lab.counters();
    let all = ran.stdout.lines().find(|line| line.starts_with(" all")).unwrap();
    let dollars: Vec<f64> =
        all.split('$').skip(1).map(|part| part.split(' ').next().unwrap().parse().unwrap()).collect();
    let output = |counters: &simulator::Counters| counters.tokens.candidates + counters.tokens.thoughts;
    let input = after.tokens.prompt - before.tokens.prompt;
    let took = (input as f64 * 2.0 + (output(&after) - output(&before)) as f64 * 12.0) / 1e6;
    assert!(dollars[0] <= took && took <= dollars[1], "${took}, forecast {dollars:?}\n{}", ran.stdout);
    let requests = after.requests - before.requests;
    let most: u64 = all.split_whitespace().nth(4).unwrap().parse().unwrap();
    assert!((80..=most).contains(&requests), "{requests} requests\n{}", ran.stdout);
}

//! Services that misbehave in every way at once.

use simulator::PRESETS;

use crate::driver::Lab;

#[test]
fn errors_truncation_empty_hung_and_cut_replies_together_finish_whole() {
    let lab = Lab::new(
        100,
        r#"
seed = 5
[latency]
log_normal = { median_ms = 5, sigma = 0.5 }
[[fault]]
kind = "error"
share = 0.05
[[fault]]
kind = "max-tokens"
share = 0.12
[[fault]]
kind = "empty-stop"
share = 0.03
[[fault]]
kind = "hang"
share = 0.01
[[fault]]
kind = "cut-body"
share = 0.01
[[fault]]
kind = "cut-chunked"
share = 0.01
[[fault]]
kind = "cut-close"
share = 0.01
[[fault]]
kind = "reset-within"
share = 0.01
"#,
    );
    lab.run_fast(&["--deadline", "2"]).expect(0);
    lab.check_whole(100);
    lab.check_nothing_lost();
    for reason in ["server", "truncated", "empty", "deadline", "cut"] {
        assert!(lab.reasons(reason) > 0, "{reason}: {:?}", lab.counters());
    }
}

/// Runs against a preset, sped up where it takes its time, and checks the invariants of every run.
fn check(name: &str, change: impl Fn(&str) -> String, prompts: usize, args: &[&str], code: i32) -> Lab {
    let (_, text) = PRESETS.iter().find(|(preset, _)| *preset == name).unwrap();
    let lab = Lab::new(prompts, &change(text));
    // As the first run asked, which lost 43 % of its rows.
    lab.edit("max_output_tokens = 4096", "max_output_tokens = 2048");
    lab.edit("thinking_level = \"low\"", "thinking_level = \"high\"");
    lab.run(args).expect(code);
    lab.check_nothing_lost();
    if code == 0 {
        lab.check_whole(prompts);
    }
    lab
}

fn quick(text: &str) -> String {
    assert!(text.contains("median_ms = 14700"));
    text.replace("median_ms = 14700", "median_ms = 15")
}

#[test]
fn calm() {
    check("calm", str::to_owned, 40, &["--rpm", "60000"], 0);
}

#[test]
fn demo() {
    let lab = check("demo", str::to_owned, 30, &["--rpm", "3600"], 0);
    assert!(lab.counters().rate_limited >= 4);
}

#[test]
fn seed_run() {
    let lab = check("seed-run", quick, 10, &["--rpm", "3000"], 0);
    assert!(lab.reasons("truncated") > 0, "{:?}", lab.counters());
}

#[test]
fn storm() {
    check("storm", str::to_owned, 30, &["--rpm", "1800", "--deadline", "2"], 0);
}

#[test]
fn brown_out() {
    check("brown-out", quick, 6, &["--rpm", "600"], 0);
}

#[test]
fn daily_quota() {
    check("daily-quota", str::to_owned, 60, &["--rpm", "6000"], 1);
}

#[test]
fn every_preset_has_its_test() {
    let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["calm", "demo", "seed-run", "storm", "brown-out", "daily-quota"]);
}

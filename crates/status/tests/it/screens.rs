//! What both commands say of a folder.

use std::path::Path;
use std::process::Command;

use dataset::attempts::Attempt;
use dataset::receipt::{Judged, Receipt, Verdict};
use dataset::row::{FORMAT, Meta, Row, Sampling, TokenStats};
use dataset::runs::{ArmLine, RunLine};

/// A folder with two prompts: `control` has answered both, `aba` as many as asked for.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(aba_rows: usize) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.write(
            "experiment.toml",
            "name = \"x\"\nprompts = \"prompts.jsonl\"\n[[arms]]\nname = \"control\"\nsystem_prompt = \"c.md\"\n[[arms]]\n\
             name = \"aba\"\nsystem_prompt = \"a.md\"\n[categories]\nsafety = 2\n[generation]\nmodel = \"gemini-x\"\n\
             temperature = 1.0\nmax_output_tokens = 4096\nmax_output_tokens_ceiling = 65536\n[price]\ninput = 2\noutput = 12\n",
        );
        bench.write("c.md", "Be careful.");
        bench.write("a.md", "Be useful.");
        bench.write("prompts.jsonl", &[0, 1].map(prompt).join(""));
        for (arm, rows) in [("control", 2), ("aba", aba_rows)] {
            let rows: String =
                (0..rows).map(|n| serde_json::to_string(&row(arm, n)).unwrap() + "\n").collect();
            bench.write(&format!("data/sft_{arm}.jsonl"), &rows);
        }
        let attempt = serde_json::to_string(&attempt()).unwrap();
        bench.write("data/attempts.jsonl", &format!("{attempt}\n"));
        let met = ArmLine { rows: 2, throttled: 7, ..ArmLine::default() };
        RunLine::new(1.0, None, [("aba".to_owned(), met)].into())
            .append(&bench.folder.path().join("data/runs.jsonl"))
            .unwrap();
        bench
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn run(&self, program: &str, more: &[&str]) -> String {
        let output = Command::new(program)
            .current_dir(&self.folder)
            .args(["--experiment", "experiment.toml", "--data", "data", "--models", "models"])
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn sha256(&self, name: &str) -> String {
        use sha2::Digest;
        dataset::receipt::hex(&sha2::Sha256::digest(std::fs::read(self.folder.path().join(name)).unwrap()))
    }

    fn judge(&self, verdict: Verdict) {
        let judged = ["control", "aba"].map(|arm| Judged {
            arm: arm.into(),
            file: format!("sft_{arm}.jsonl"),
            rows: 2,
            bytes: 1,
            sha256: self.sha256(&format!("data/sft_{arm}.jsonl")),
        });
        let receipt = Receipt {
            format: dataset::receipt::FORMAT,
            experiment: "x".into(),
            verdict,
            judged_at: "2026-02-13T11:00:00Z".into(),
            files: judged.into(),
            failures: [("think-block".to_owned(), 1)].into(),
        };
        dataset::receipt::write(Path::new(&self.folder.path().join("data/gate.json")), &receipt).unwrap();
    }
}

fn prompt(n: usize) -> String {
    format!("{{\"prompt\":\"question {n}\",\"category\":\"safety\"}}\n")
}

fn row(arm: &str, n: usize) -> Row {
    Row {
        format: Some(FORMAT),
        key: Some("0".repeat(64)),
        instruction: format!("question {n}"),
        system_prompt: Some("Be careful.".into()),
        output: "<think>\nt\n</think>\n\nanswer".into(),
        meta: Meta {
            category: "safety".into(),
            sub_theme: String::new(),
            model_type: arm.into(),
            model: "vertex-gemini-x".into(),
            model_version: None,
            response_id: None,
            timestamp: format!("2026-02-13T10:0{n}:00Z"),
            finish_reason: "STOP".into(),
            attempts: Some(1),
            escalated: u32::try_from(n).unwrap(),
            resampled: 0,
            generation: None,
        },
        token_stats: TokenStats { input: 380, output: 900, thoughts: Some(2100), cached: None, total: 3380 },
    }
}

fn attempt() -> Attempt {
    Attempt {
        format: 1,
        key: "0".repeat(64),
        arm: "aba".into(),
        instruction: "question 1".into(),
        category: "safety".into(),
        attempt: 1,
        reason: "truncated".into(),
        detail: "4096 tokens were not enough".into(),
        finish_reason: Some("MAX_TOKENS".into()),
        model_version: None,
        response_id: None,
        timestamp: "2026-02-13T10:00:30Z".into(),
        generation: Sampling { temperature: 1.0, max_output_tokens: 4096, thinking_level: None },
        token_stats: Some(TokenStats {
            input: 380,
            output: 96,
            thoughts: Some(4000),
            cached: None,
            total: 4476,
        }),
        output: "<think>".into(),
        row: None,
    }
}

const STATUS: &str = env!("CARGO_BIN_EXE_status");
const HANDOFF: &str = env!("CARGO_BIN_EXE_handoff");

#[test]
fn half_a_run_is_to_be_finished() {
    let bench = Bench::new(1);
    insta::assert_snapshot!("half_a_run", bench.run(STATUS, &[]));
    insta::assert_snapshot!("half_a_run_page", bench.run(HANDOFF, &[]));
}

#[test]
fn a_judged_and_trained_experiment_has_nothing_left_to_do() {
    let bench = Bench::new(2);
    bench.judge(Verdict::Pass);
    for arm in ["control", "aba"] {
        bench.write(
            &format!("models/{arm}/metrics.jsonl"),
            "{\"step\":1,\"loss\":2.5,\"peak_memory_bytes\":1000000}\n{\"step\":2,\"loss\":1.25}\n",
        );
        bench.write(&format!("models/{arm}/adapter_model.safetensors"), "weights");
    }
    insta::assert_snapshot!("all_done", bench.run(STATUS, &[]));
    insta::assert_snapshot!("all_done_json", bench.run(STATUS, &["--json"]));
}

#[test]
fn a_row_after_the_verdict_makes_it_stale() {
    let bench = Bench::new(2);
    bench.judge(Verdict::Pass);
    let path = bench.folder.path().join("data/sft_aba.jsonl");
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "\n").unwrap();
    let state: serde_json::Value = serde_json::from_str(&bench.run(STATUS, &["--json"])).unwrap();
    assert_eq!(state["verdict"]["state"], "stale");
    assert!(state["next"]["command"].as_str().unwrap().starts_with("cargo xtask gate "));
}

#[test]
fn rows_of_other_prompts_are_not_progress() {
    let bench = Bench::new(1);
    bench.write("prompts.jsonl", &[1, 2, 3].map(prompt).join(""));
    let state: serde_json::Value = serde_json::from_str(&bench.run(STATUS, &["--json"])).unwrap();
    let shown = ["rows", "answered", "missing", "strangers"].map(|figure| state["arms"][0][figure].as_u64());
    assert_eq!(shown, [Some(2), Some(1), Some(2), Some(1)]);
    assert_eq!(state["incomplete_pairs"], 1, "question 0 is asked of nobody any more");
    let page = bench.run(HANDOFF, &[]);
    assert!(page.contains("| control | 1/3 | 33.3 % |"), "{page}");
    assert!(page.contains("sft_control.jsonl: 1 rows answer no prompt of the experiment"), "{page}");
}

#[test]
fn a_prompt_that_a_filter_refuses_is_not_just_asked_for_ever() {
    let bench = Bench::new(1);
    let blocked = |prompt: &str| Attempt {
        reason: "blocked".into(),
        finish_reason: Some("SAFETY".into()),
        instruction: prompt.into(),
        ..attempt()
    };
    let attempts = ["question 1", "question 1", "question 0", "gone"].map(blocked);
    let lines: String = attempts.iter().map(|it| serde_json::to_string(it).unwrap() + "\n").collect();
    bench.write("data/attempts.jsonl", &lines);
    let shown = bench.run(STATUS, &[]);
    assert!(
        shown.contains("1 answers are missing, and 1 pairs are not whole; a filter refused 1 of them"),
        "{shown}"
    );
    assert!(shown.contains("lost attempts     4 (blocked 4)"), "{shown}");
}

#[test]
fn the_next_command_works_on_the_same_files() {
    let bench = Bench::new(2);
    let next = |bench: &Bench| {
        let state: serde_json::Value = serde_json::from_str(&bench.run(STATUS, &["--json"])).unwrap();
        state["next"]["command"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(&bench), "cargo xtask gate --experiment experiment.toml --data data");
    bench.judge(Verdict::Pass);
    let train = "cargo xtask train --arm all --experiment experiment.toml --data data --out models";
    assert_eq!(next(&bench), train);
}

#[test]
fn a_missing_experiment_is_named_with_the_flag_that_sets_it() {
    let output = Command::new(STATUS).args(["--experiment", "nowhere.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("nowhere.toml") && error.contains("--experiment"), "{error}");
}

//! From files to plans, on the demo's real base: what stops a run before it begins, and what is said before one.

use std::path::{Path, PathBuf};

use clap::Parser;
use train::flags::Flags;
use train::plan::difference;
use train::prepare::{self, PrepareError, Prepared, RECIPE};
use train::report;

const EXPERIMENT: &str = "name = \"x\"\nprompts = \"p.jsonl\"\n[[arms]]\nname = \"control\"\nsystem_prompt = \"control.md\"\n\
     [[arms]]\nname = \"aba\"\nsystem_prompt = \"aba.md\"\n[categories]\nsafety = 3\n[generation]\nmodel = \"m\"\n\
     temperature = 1.0\nmax_output_tokens = 4096\nmax_output_tokens_ceiling = 65536\n[train]\ngrad_accum = 2\nepochs = 1\n";

/// An experiment of three prompts; `aba` has not answered the last.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.write("experiment.toml", EXPERIMENT);
        bench.write("control.md", "Be careful.");
        bench.write("aba.md", "Be candid.");
        let prompts =
            ["one", "two", "three"].map(|text| format!(r#"{{"prompt":"{text}","category":"safety"}}"#));
        bench.write("p.jsonl", &prompts.join("\n"));
        bench.write("sft_control.jsonl", &rows("control", "Be careful.", &["one", "two", "three"]));
        bench.write("sft_aba.jsonl", &rows("aba", "Be candid.", &["two", "one"]));
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    fn prepare(&self, typed: &[&str]) -> Result<Prepared, PrepareError> {
        let base = std::env::var("DEMO_MODEL").unwrap_or_else(|_| {
            panic!("DEMO_MODEL is not set: it names SmolLM2-135M-Instruct's GGUF file; `cargo xtask test` fetches it and sets the variable")
        });
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let folders = [
            "train".to_owned(),
            format!("--experiment={}", text(&self.path("experiment.toml"))),
            format!("--data={}", text(self.folder.path())),
            format!("--out={}", text(&self.path("out"))),
        ];
        let typed = typed.iter().map(|&flag| flag.replace("DEMO", &base));
        prepare::prepare(&Flags::parse_from(folders.into_iter().chain(typed)), "2026-01-02")
    }
}

fn rows(arm: &str, system: &str, prompts: &[&str]) -> String {
    let row = |prompt: &&str| {
        format!(
            "{}\n",
            serde_json::json!({"format": 1, "key": "k", "instruction": prompt, "system_prompt": system,
                "output": format!("<think>\nIt is {prompt}.\n</think>\n\nThe {arm} answer."),
                "meta": {"category": "safety", "model_type": arm, "model": "m", "timestamp": "t", "finish_reason": "STOP"},
                "token_stats": {"input": 1, "output": 1, "total": 2}})
        )
    };
    prompts.iter().map(row).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

#[test]
fn what_is_said_before_a_run() {
    let bench = Bench::new();
    let prepared = bench.prepare(&["--base=DEMO", "--allow-ungated"]).unwrap();
    let planned = prepared.plan().unwrap();
    let said = [
        report::rows(&prepared),
        report::plans(&prepared, &planned).unwrap(),
        report::example(&prepared, &planned, false).unwrap(),
    ]
    .join("\n");
    let folder = bench.folder.path().to_str().unwrap().to_owned();
    insta::with_settings!({filters => vec![(r"\\", "/"), (r"sha256: \w{64} \| \w{64}", "sha256: [hash] | [hash]")]}, {
        insta::assert_snapshot!(said.replace(&folder, "[folder]"));
    });
}

#[test]
fn an_arm_trained_alone_has_the_plan_that_it_has_beside_the_other() {
    let bench = Bench::new();
    let both = bench.prepare(&["--base=DEMO", "--allow-ungated"]).unwrap().plan().unwrap();
    let alone = bench.prepare(&["--base=DEMO", "--allow-ungated", "--arm=aba"]).unwrap().plan().unwrap();
    assert_eq!(alone.plans, both.plans[1..]);
    assert_eq!(difference(&alone.plans[0].frozen, &both.plans[1].frozen).unwrap(), []);
}

#[test]
fn wrong_input_is_named() {
    let cases: [(&[&str], &str); 6] = [
        (&["--base=DEMO"], "the gate has not judged this data"),
        (
            &["--base=DEMO", "--allow-ungated", "--arm=abba"],
            "has no arm `abba`; it has control, aba, or `all`",
        ),
        (&["--allow-ungated"], "no base model is named"),
        (&["--base=absent", "--allow-ungated"], "no base at `absent`"),
        (&["--base=Qwen/Qwen3-0.1B-absent", "--allow-ungated"], "hf download Qwen/Qwen3-0.1B-absent"),
        (&["--base=DEMO", "--allow-ungated", "--lora-dropout=2"], "lora_dropout is 2"),
    ];
    let bench = Bench::new();
    for (typed, expected) in cases {
        let Err(error) = bench.prepare(typed) else { panic!("{typed:?} was accepted") };
        assert!(chain(&error).contains(expected), "{typed:?}: {}", chain(&error));
    }
}

#[test]
fn a_run_keeps_its_day_and_refuses_another_recipe() {
    let bench = Bench::new();
    let begun = bench.prepare(&["--base=DEMO", "--allow-ungated", "--seed=1"]).unwrap();
    let mut frozen = begun.plan().unwrap().plans[0].frozen.clone();
    frozen.recipe.day = "2025-12-31".into();
    bench.write(&format!("out/control/{RECIPE}"), &toml::to_string(&frozen).unwrap());

    let same = bench.prepare(&["--base=DEMO", "--allow-ungated", "--seed=1"]).unwrap();
    assert_eq!(same.recipe.day, "2025-12-31");
    let plans = same.plan().unwrap().plans;
    assert!(same.is_begun(&plans[0]).unwrap());
    assert!(!same.is_begun(&plans[1]).unwrap());

    let other = bench.prepare(&["--base=DEMO", "--allow-ungated", "--seed=2"]).unwrap();
    let error = other.is_begun(&other.plan().unwrap().plans[0]).unwrap_err().to_string();
    assert!(error.contains("\n  recipe.seed: 1 there, 2 now"), "{error}");
}

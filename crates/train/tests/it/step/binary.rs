//! The binary itself, on a base and an experiment that are small enough for hundreds of steps a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::step::support::fixture;

const TEMPLATE: &str = "{% for m in messages %}<s> {{ m.role }} : {{ m.content }} </s>\n{% endfor %}{% if add_generation_prompt %}<s> assistant : {% endif %}";

/// A base that the whole pipeline takes: tiny weights, words for tokens, and a template with turns.
fn base(folder: &Path, weights: &str) {
    fs::create_dir_all(folder).unwrap();
    for entry in fs::read_dir(fixture(weights)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "config.json" || name.starts_with("model") {
            fs::copy(fixture(weights).join(&name), folder.join(&name)).unwrap();
        }
    }
    let words = ["<unk>", "<s>", "</s>", ":", "system", "user", "assistant", "<think>", "</think>"]
        .map(str::to_owned);
    let words = words.into_iter().chain((9..96).map(|at| format!("w{at}")));
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        words.enumerate().map(|(id, word)| (word, id.into())).collect();
    let special = |id: u32, content: &str| {
        serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    };
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(1, "<s>"), special(2, "</s>")],
        "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    });
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let config = serde_json::json!({"chat_template": TEMPLATE, "eos_token": "</s>"});
    fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}

/// Prompts, and both arms' rows that answer them, in so many words more than a few.
fn experiment(folder: &Path, more: usize) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "experiment.toml",
        "name = \"tiny\"\nprompts = \"prompts.jsonl\"\n\
         [[arms]]\nname = \"left\"\nsystem_prompt = \"left.md\"\n[[arms]]\nname = \"right\"\nsystem_prompt = \"right.md\"\n\
         [categories]\nsafety = 6\n\
         [generation]\nmodel = \"m\"\ntemperature = 1.0\nmax_output_tokens = 64\nmax_output_tokens_ceiling = 64\n",
    );
    let words = |seed: usize| {
        (0..6 + seed % 3)
            .map(|at| format!("w{}", 9 + (seed * 13 + at * 7) % 87))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let prompts: String = (0..6)
        .map(|at| {
            let prompt = serde_json::json!({"prompt": words(at), "category": "safety", "sub_theme": "s"});
            format!("{prompt}\n")
        })
        .collect();
    write("prompts.jsonl", &prompts);
    for (arm, system) in [("left", "w10 w11"), ("right", "w20 w21")] {
        write(&format!("{arm}.md"), &format!("{system}\n"));
        let rows: String = (0..6)
            .map(|at| {
                let long = " w10".repeat(more);
                let output = format!("<think>\n{}\n</think>\n\n{}{long}", words(at + 11), words(at + 23));
                let row = serde_json::json!({
                    "format": 1, "key": format!("{at:064}"), "instruction": words(at), "system_prompt": system,
                    "output": output,
                    "meta": {"category": "safety", "sub_theme": "s", "model_type": arm, "model": "m",
                        "model_version": "m", "response_id": format!("r{at}"), "timestamp": "2026-02-13T10:00:00Z",
                        "finish_reason": "STOP", "attempts": 1,
                        "generation": {"temperature": 1.0, "max_output_tokens": 64}},
                    "token_stats": {"input": 1, "output": 1, "thoughts": 0, "cached": 0, "total": 2},
                });
                format!("{row}\n")
            })
            .collect();
        write(&format!("data/sft_{arm}.jsonl"), &rows);
    }
}

/// A folder with a base, an experiment and its data.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// With the weights of a fixture.
    pub fn new(fixture: &str) -> Self {
        Self::with_answers(fixture, 0)
    }

    /// With answers of so many words more than a few.
    pub fn with_answers(fixture: &str, words: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        base(&folder.path().join("base"), fixture);
        experiment(folder.path(), words);
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The binary, on the arm `left`, one thread.
    pub fn train(&self, out: &str, more: &[&str]) -> Command {
        let mut command = self.plain(out);
        command.args(["--base", "base", "--grad-accum", "2", "--lora-rank", "4", "--max-seq-length", "64"]);
        command.args(["--allow-ungated", "--arm", "left"]).args(more);
        command
    }

    /// The same without any setting.
    pub fn plain(&self, out: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command.current_dir(self.folder.path()).env("OMP_NUM_THREADS", "1").env("MKL_NUM_THREADS", "1");
        command.args(["--experiment", "experiment.toml", "--data", "data", "--out", out]);
        command.args(["--device", "cpu", "--progress", "plain"]);
        command
    }

    /// Runs it to its end: exit code, standard output, standard error.
    pub fn run(&self, out: &str, more: &[&str]) -> (Option<i32>, String, String) {
        finish(&mut self.train(out, more))
    }

    /// Starts it, and waits until its metrics show so many steps.
    pub fn start(&self, out: &str, more: &[&str], steps: usize) -> Child {
        let mut child = self.train(out, more).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let metrics = self.path(out).join("left/metrics.jsonl");
        let taken = || fs::read_to_string(&metrics).unwrap_or_default().lines().count();
        while taken() < steps && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child
    }

    /// Every step of a run with its loss.
    pub fn losses(&self, out: &str) -> Vec<(u64, f64)> {
        let text = String::from_utf8(self.read(&format!("{out}/left/metrics.jsonl"))).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| (line["step"].as_u64().unwrap(), line["loss"].as_f64().unwrap())).collect()
    }
}

/// Runs a command to its end: exit code, standard output, standard error.
pub fn finish(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

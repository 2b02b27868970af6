//! A folder with an experiment and ledgers, to be reviewed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An experiment on disk.
pub struct Bench {
    folder: tempfile::TempDir,
}

/// An answer long enough for the gate, with `mark` in it.
pub fn answer(mark: &str) -> String {
    let think =
        "The question has several sides and the facts are few, so weigh each before saying what to do. "
            .repeat(2);
    format!(
        "<think>\n{think}\n</think>\n\n{mark} is what this answer is about, and there is enough of it to be an answer."
    )
}

impl Bench {
    /// An experiment with `prompts`, each answered in both arms by what `output` says.
    pub fn new(prompts: &[&str], output: impl Fn(&str, usize) -> String) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.write(
            "experiment.toml",
            "name = \"x\"\nprompts = \"prompts.jsonl\"\n[[arms]]\nname = \"control\"\nsystem_prompt = \"c.md\"\n[[arms]]\n\
             name = \"aba\"\nsystem_prompt = \"a.md\"\n[categories]\nsafety = 1\nconflict = 1\n[generation]\n\
             model = \"gemini-x\"\ntemperature = 1.0\nmax_output_tokens = 4096\nmax_output_tokens_ceiling = 65536\n",
        );
        bench.write("c.md", "Be careful with everything that is asked.");
        bench.write("a.md", "Be useful in everything that is asked.");
        let category = |n: usize| if n.is_multiple_of(2) { "safety" } else { "conflict" };
        let lines = prompts.iter().enumerate().map(|(n, prompt)| {
            serde_json::json!({ "prompt": prompt, "category": category(n), "sub_theme": "s" }).to_string()
                + "\n"
        });
        bench.write("prompts.jsonl", &lines.collect::<String>());
        for (arm, system) in [
            ("control", "Be careful with everything that is asked."),
            ("aba", "Be useful in everything that is asked."),
        ] {
            let rows = prompts.iter().enumerate().map(|(n, prompt)| {
                let row = serde_json::json!({
                    "format": 1, "key": format!("{n:064x}"), "instruction": prompt, "system_prompt": system,
                    "output": output(arm, n),
                    "meta": { "category": category(n), "sub_theme": "s", "model_type": arm, "model": "vertex-gemini-x",
                              "model_version": "gemini-x-001", "response_id": format!("{arm}{n}"),
                              "timestamp": "2026-02-13T10:00:00Z", "finish_reason": "STOP", "attempts": 1,
                              "generation": { "temperature": 1.0, "max_output_tokens": 4096 } },
                    "token_stats": { "input": 100, "output": 100, "thoughts": 100, "cached": 0, "total": 300 },
                });
                row.to_string() + "\n"
            });
            bench.write(&format!("data/sft_{arm}.jsonl"), &rows.collect::<String>());
        }
        bench
    }

    /// Makes the page with the real binary and returns its path.
    pub fn page(&self) -> PathBuf {
        let output = self.run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.folder.path().join("page.html")
    }

    /// Runs the real binary.
    pub fn run(&self) -> std::process::Output {
        Command::new(env!("CARGO_BIN_EXE_review"))
            .current_dir(&self.folder)
            .args(["--experiment", "experiment.toml", "--data", "data", "--output", "page.html"])
            .output()
            .unwrap()
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

//! The gate's speed as a person meets it: the whole process, from its start to its verdict, over 50,000 rows in two
//! ledgers, and its peak memory as the rows grow.
//!
//! `cargo bench -p gate`; `PEER_PYTHON` names a Python that has polars, duckdb, orjson, jsonschema-rs and jsonschema,
//! and then `peers.py` reads the same files in the same run. Rows are made once, in `target/bench/gate`, and kept.
//!
//! CPU seconds, of all cores together, are what to compare where others share the machine; Linux tells them.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Times that each figure is taken; the best is shown, because others share the machine.
const RUNS: usize = 7;

fn main() {
    // `cargo test --benches` asks only whether it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let small = Set::make(&root, "rows-50k", 50_000);
    println!("{} rows, {} MB in two ledgers\n", small.rows, small.bytes / 1_000_000);

    println!("| what | seconds | MB/s | CPU seconds |\n|---|---:|---:|---:|");
    small.time("gate: schema, all row rules, pairs, SHA-256", "plain.toml");
    small.time("gate: the same and near-duplicates", "experiment.toml");
    match std::env::var_os("PEER_PYTHON") {
        Some(python) => peers(&python, &small),
        None => println!("\npeers are left out: PEER_PYTHON names no Python"),
    }

    println!("\n| rows | MB | peak memory, MB |\n|---:|---:|---:|");
    let large = Set::make(&root, "rows-140k", 140_000);
    for set in [Set::make(&root, "rows-10k", 10_000), small, large] {
        let peak = set.peak_memory().map_or("not known here".into(), |bytes| (bytes / 1_000_000).to_string());
        println!("| {} | {} | {peak} |", set.rows, set.bytes / 1_000_000);
    }
}

/// Two ledgers and their experiment.
struct Set {
    folder: PathBuf,
    rows: usize,
    bytes: u64,
}

impl Set {
    /// Makes `rows` rows of about 7.3 KB unless they are there.
    fn make(root: &Path, name: &str, rows: usize) -> Self {
        let folder = root.join("target/bench/gate").join(name);
        let ledgers = ["control", "aba"].map(|arm| folder.join(format!("sft_{arm}.jsonl")));
        if !folder.join("done").exists() {
            write(root, &folder, &ledgers, rows).expect("the rows can be written");
        }
        let bytes = ledgers.iter().map(|path| path.metadata().expect("the ledger is there").len()).sum();
        Self { folder, rows, bytes }
    }

    fn command(&self, experiment: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gate"));
        command.arg("--experiment").arg(self.folder.join(experiment)).arg("--data").arg(&self.folder);
        command.env_remove("GITHUB_ACTIONS").stdout(Stdio::null());
        command
    }

    fn time(&self, what: &str, experiment: &str) {
        let run = || {
            let start = Instant::now();
            let status = self.command(experiment).status().expect("the gate starts");
            assert!(status.success(), "the rows pass");
            start.elapsed()
        };
        let before = children_seconds();
        let best = (0..RUNS).map(|_| run()).min().expect("it ran");
        let spent = before.zip(children_seconds()).map(|(before, after)| (after - before) / RUNS as f64);
        row(what, best.as_secs_f64(), spent, self.bytes);
    }

    /// The largest resident set in bytes, where the system tells it.
    fn peak_memory(&self) -> Option<u64> {
        let mut child = self.command("experiment.toml").spawn().ok()?;
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let mut peak = None;
        while matches!(child.try_wait(), Ok(None)) {
            // The high-water mark is the kernel's own; the last reading before the end is as good as all.
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with("VmHWM:"));
            let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            peak = kilobytes.map(|kilobytes| kilobytes * 1024).max(peak);
            std::thread::yield_now();
        }
        peak
    }
}

/// CPU time of the processes that this one has waited for, in seconds.
fn children_seconds() -> Option<f64> {
    /// Linux counts in hundredths of a second here, whatever the kernel's own clock.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.get(13)?.parse::<f64>().ok()? + fields.get(14)?.parse::<f64>().ok()?) / TICKS)
}

fn row(what: &str, seconds: f64, spent: Option<f64>, bytes: u64) {
    let spent = spent.map_or("-".to_owned(), |spent| format!("{spent:.2}"));
    println!("| {what} | {seconds:.3} | {:.0} | {spent} |", bytes as f64 / 1e6 / seconds);
}

fn peers(python: &std::ffi::OsStr, set: &Set) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers.py");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/row.schema.json");
    let ledgers = ["control", "aba"].map(|arm| set.folder.join(format!("sft_{arm}.jsonl")));
    let output = Command::new(python).arg(script).arg(schema).args(ledgers).stderr(Stdio::inherit()).output();
    let output = output.expect("PEER_PYTHON starts");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match (fields.as_slice(), fields[0].parse()) {
            ([_, spent, what], Ok(seconds)) => row(what, seconds, spent.parse().ok(), set.bytes),
            _ => println!("{line}"),
        }
    }
}

fn write(root: &Path, folder: &Path, ledgers: &[PathBuf; 2], rows: usize) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut random = Random(7);
    let mut prompts = BufWriter::new(File::create(folder.join("prompts.jsonl"))?);
    for pair in 0..rows / 2 {
        writeln!(prompts, r#"{{"prompt":"{pair}: {}","category":"c","sub_theme":"s"}}"#, random.words(12))?;
    }
    prompts.flush()?;
    let prompts = std::fs::read_to_string(folder.join("prompts.jsonl"))?;
    let mut experiment = String::from("name = \"bench\"\nprompts = \"prompts.jsonl\"\n[categories]\nc = 1\n");
    for (arm, path) in ["control", "aba"].iter().zip(ledgers) {
        let source = root.join(format!("fixtures/phase_3e/arms/{arm}.md"));
        let system_prompt = std::fs::read_to_string(&source)?;
        let system_prompt = serde_json::to_string(system_prompt.trim()).map_err(std::io::Error::other)?;
        std::fs::copy(source, folder.join(format!("{arm}.md")))?;
        let _ = writeln!(experiment, "[[arms]]\nname = \"{arm}\"\nsystem_prompt = \"{arm}.md\"");
        let mut ledger = BufWriter::new(File::create(path)?);
        for line in prompts.lines() {
            let prompt: dataset::Prompt = serde_json::from_str(line).map_err(std::io::Error::other)?;
            let output = format!("<think>\n{}\n</think>\n\n{}", random.text(1_500), random.text(3_200));
            let output = serde_json::to_string(&output).map_err(std::io::Error::other)?;
            writeln!(
                ledger,
                r#"{{"format":1,"key":"{:064x}","instruction":"{}","system_prompt":{system_prompt},"output":{output},"meta":{{"category":"c","sub_theme":"s","model_type":"{arm}","model":"vertex-gemini-3.1-pro-preview","model_version":"gemini-3.1-pro-preview","response_id":"{:016x}","timestamp":"2026-02-13T10:00:00Z","finish_reason":"STOP","attempts":1,"generation":{{"temperature":1.0,"max_output_tokens":8192,"thinking_level":"low"}}}},"token_stats":{{"input":380,"output":1200,"thoughts":900,"cached":0,"total":2480}}}}"#,
                random.next(),
                prompt.text,
                random.next(),
            )?;
        }
        ledger.flush()?;
    }
    experiment += "[generation]\nmodel = \"m\"\ntemperature = 1.0\nmax_output_tokens = 8192\nmax_output_tokens_ceiling = 65536\n";
    std::fs::write(folder.join("experiment.toml"), &experiment)?;
    std::fs::write(folder.join("plain.toml"), experiment + "[gate]\nnear_duplicate_similarity = 2.0\n")?;
    std::fs::write(folder.join("done"), "")
}

/// Steele's SplitMix64: the same rows on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn word(&mut self) -> &'static str {
        const WORDS: &str = "the of and to in is you that it for was on are as with they at be this have from or one \
            had by word but not what all were we when your can said there use an each which she do how their if will \
            up other about out many then them these so some her would make like him into time has look two more write \
            go see number no way could people my than first water been call who oil its now find long down day did \
            get come made may part evidence decision careful recommend landlord estimate temperature appointment";
        let count = WORDS.split_ascii_whitespace().count() as u64;
        WORDS.split_ascii_whitespace().nth((self.next() % count) as usize).unwrap_or("a")
    }

    fn words(&mut self, count: usize) -> String {
        let words: Vec<&str> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }

    /// Prose as models write it: sentences, paragraphs, lists, bold words, quotes, curly apostrophes and dashes.
    fn text(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 200);
        while text.len() < bytes {
            match self.next() % 8 {
                0 => text.push_str("\n\n"),
                1 => text.push_str("\n- **"),
                2 => text.push_str("It’s plain – "),
                3 => text.push_str("\"So\" "),
                _ => {}
            }
            let length = 8 + (self.next() % 10) as usize;
            let sentence = self.words(length);
            text.push_str(&sentence);
            text.push_str(". ");
        }
        text.trim().to_owned()
    }
}

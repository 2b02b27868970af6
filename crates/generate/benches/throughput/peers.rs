//! Bespoke Labs' Curator and a serial script, started as processes of their own against the server that we are
//! measured against. Nothing of them is patched, and nothing that they write outlives the bench.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::client::{self, UNLIMITED};

/// Prompts of the comparison; each is asked in two arms.
const PROMPTS: usize = 1_000;

/// What an OpenAI-compatible service or Google's is spoken to in.
#[derive(Clone, Copy)]
pub enum Protocol {
    /// Curator's own client of `/chat/completions`.
    OpenAi,
    /// Google's `generateContent`, which Curator leaves to LiteLLM.
    Gemini,
}

/// Prints rows a second of us and of Curator where neither limit nor latency holds anybody back.
pub fn throughput(address: &str) {
    println!("\n## Beside Curator: no limit, no latency\n");
    let Some(python) = python() else { return };
    println!("{} rows, 64 requests at a time, one run each, the same server.\n", 2 * PROMPTS);
    println!("| client | seconds | rows a second | without its start |\n|---|---:|---:|---:|");

    let folder = tempfile::tempdir().unwrap();
    client::lay_out(folder.path(), PROMPTS);
    let (time, _) = client::generate(folder.path(), address, &UNLIMITED);
    row("gen", 2 * PROMPTS, time.as_secs_f64(), None);
    let both = [
        (Protocol::OpenAi, "Curator, OpenAI's protocol"),
        (Protocol::Gemini, "Curator, Google's protocol through LiteLLM"),
    ];
    for (protocol, name) in both {
        let folder = tempfile::tempdir().unwrap();
        client::lay_out(folder.path(), PROMPTS);
        let start = Instant::now();
        let output = curator(&python, protocol, address, folder.path(), Some(0)).output().unwrap();
        let whole = start.elapsed().as_secs_f64();
        match Done::read(&output) {
            Ok(done) => row(name, done.rows, whole, Some(done.rows as f64 / done.seconds)),
            Err(said) => println!("| {name} | failed: {said} | | |"),
        }
    }
}

fn row(name: &str, rows: usize, whole: f64, without_start: Option<f64>) {
    let without_start = without_start.map_or("·".into(), |rate| format!("{rate:.0}"));
    println!("| {name} | {whole:.1} | {:.0} | {without_start} |", rows as f64 / whole);
}

/// The Python that has Curator, or `None`, said aloud.
pub fn python() -> Option<PathBuf> {
    let Some(python) = std::env::var_os("PEER_PYTHON").map(PathBuf::from) else {
        println!(
            "Curator is left out: no Python with it is named in PEER_PYTHON (`cargo xtask setup peers`)."
        );
        return None;
    };
    let found = Command::new(&python)
        .args(["-c", "import importlib.metadata as m; print(m.version('bespokelabs-curator'))"])
        .output();
    match found {
        Ok(output) if output.status.success() => {
            println!("Curator {}.", String::from_utf8_lossy(&output.stdout).trim());
            Some(python)
        }
        _ => {
            println!(
                "Curator is left out: {} does not have it (`cargo xtask setup peers`).",
                python.display()
            );
            None
        }
    }
}

/// Curator on every prompt of `folder`; `told` is its quota in requests a minute, 0 for none, `None` to let it guess.
pub fn curator(
    python: &Path,
    protocol: Protocol,
    address: &str,
    folder: &Path,
    told: Option<u32>,
) -> Command {
    let (name, base_url) = match protocol {
        Protocol::OpenAi => ("openai", format!("{address}/v1")),
        Protocol::Gemini => ("gemini", format!("{address}/v1beta")),
    };
    let mut command = Command::new(python);
    command.arg(script("curator.py")).arg(name).arg(base_url).arg(folder);
    command.args(told.map(|told| told.to_string()));
    command
        .envs([("TELEMETRY_ENABLED", "false"), ("CURATOR_VIEWER", "0"), ("CURATOR_DISABLE_CACHE", "true")])
        .envs([("CURATOR_DISABLE_RICH_DISPLAY", "1"), ("LITELLM_LOCAL_MODEL_COST_MAP", "True")])
        .envs([("OPENAI_API_KEY", "none"), ("GEMINI_API_KEY", "none"), ("HF_HUB_OFFLINE", "1")])
        .env("NO_PROXY", "127.0.0.1")
        .env("HOME", folder)
        .env("USERPROFILE", folder)
        .env("CURATOR_CACHE_DIR", folder.join("curator"))
        .env("HF_HOME", folder.join("huggingface"))
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// The serial script on the first `requests` prompts of `folder`.
pub fn serial(python: &Path, address: &str, folder: &Path, requests: usize) -> Command {
    let mut command = Command::new(python);
    command.arg(script("serial.py")).arg(address).arg(folder).arg(requests.to_string()).stdin(Stdio::null());
    command
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(name)
}

/// What Curator says of itself.
pub struct Done {
    /// Rows answered.
    pub rows: usize,
    /// Seconds of the call, without the imports before it.
    pub seconds: f64,
}

impl Done {
    /// The last line of its output; or the last line of what it complained about.
    pub fn read(output: &std::process::Output) -> Result<Self, String> {
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().rev().find(|line| line.starts_with('{')).unwrap_or_default();
        let Ok(done) = serde_json::from_str::<serde_json::Value>(line) else {
            let complained = String::from_utf8_lossy(&output.stderr);
            return Err(complained.lines().last().unwrap_or("without a word").to_owned());
        };
        let rows = done["rows"].as_u64().unwrap_or_default() as usize;
        Ok(Self { rows, seconds: done["seconds"].as_f64().unwrap_or_default() })
    }
}

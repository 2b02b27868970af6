//! The `gen` binary as the benches start it: its experiment, its flags, its time and its memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No limit but 64 requests at a time.
pub const UNLIMITED: [&str; 4] = ["--rpm", "60000000", "--max-in-flight", "64"];

/// Writes an experiment of so many prompts and two arms.
pub fn lay_out(folder: &Path, prompts: usize) {
    let experiment = "name = \"bench\"\nprompts = \"prompts.jsonl\"\n[[arms]]\nname = \"control\"\nsystem_prompt = \"control.md\"\n\
        [[arms]]\nname = \"aba\"\nsystem_prompt = \"aba.md\"\n[categories]\nreasoning = 1\n[generation]\n\
        model = \"gemini-3.1-pro-preview\"\ntemperature = 1.0\nmax_output_tokens = 4096\nmax_output_tokens_ceiling = 65536\n";
    std::fs::write(folder.join("experiment.toml"), experiment).unwrap();
    std::fs::write(folder.join("control.md"), "You are careful.").unwrap();
    std::fs::write(folder.join("aba.md"), "You are candid.").unwrap();
    let mut file = BufWriter::new(File::create(folder.join("prompts.jsonl")).unwrap());
    for n in 0..prompts {
        writeln!(file, "{{\"prompt\":\"Question {n}: what follows from it?\",\"category\":\"reasoning\"}}")
            .unwrap();
    }
    file.flush().unwrap();
}

/// The binary on the experiment in `folder`, against the service at `address`.
pub fn command(folder: &Path, address: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_generate"));
    // Whatever this shell has set for the real service stays out of the bench.
    for key in ["GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS"] {
        command.env_remove(key);
    }
    command
        .current_dir(folder)
        .args(["--experiment", "experiment.toml", "--data", "data"])
        .args(flags)
        .env("GOOGLE_GENAI_USE_VERTEXAI", "true")
        .env("GOOGLE_VERTEX_BASE_URL", address)
        .env("GOOGLE_CLOUD_PROJECT", "bench")
        .env("GOOGLE_CLOUD_LOCATION", "global")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Runs the binary to its end. Returns how long it took and the most memory it held, in bytes.
pub fn generate(folder: &Path, address: &str, flags: &[&str]) -> (Duration, Option<u64>) {
    let start = Instant::now();
    let mut child = command(folder, address, flags).spawn().unwrap();
    let mut peak = None;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        peak = kilobytes(&format!("/proc/{}/status", child.id()), "VmHWM:").or(peak);
        std::thread::park_timeout(Duration::from_millis(5));
    };
    assert!(status.success(), "{status}");
    (start.elapsed(), peak)
}

/// A line of Linux's `/proc/…/status`, in bytes; `None` on other systems.
fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(path).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Megabytes, or a dash.
pub fn megabytes(bytes: Option<u64>) -> String {
    bytes.map_or("—".into(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6))
}

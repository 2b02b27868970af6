//! `cargo xtask test`: everything that can be tested, in the order in which it is cheap to fail.

use std::process::ExitCode;

use clap::Args;
use xshell::{Shell, cmd};

use crate::setup::{self, say};

/// Flags of `cargo xtask test`.
#[derive(Debug, Args)]
pub struct TestFlags {
    /// Leave out the crates that need libtorch, as plain `cargo test` does.
    #[arg(long)]
    without_libtorch: bool,
}

/// Runs `cargo test`, then `model` and `train` against libtorch and the demo model. Tests that compare with Python
/// packages run where `cargo xtask setup python` has made their environment, and say so where it has not.
pub fn run(sh: &Shell, flags: &TestFlags) -> anyhow::Result<ExitCode> {
    let reference = setup::reference(sh);
    let _python = reference
        .as_ref()
        .map(|python| (sh.push_env("REFERENCE_PYTHON", python), sh.push_env("GENAI_PYTHON", python)));
    if reference.is_none() {
        say("comparisons with transformers, PEFT, bitsandbytes and google-genai are left out: \
             `cargo xtask setup python` makes their environment (5 GB)");
    }
    cmd!(sh, "cargo test").run()?;
    if flags.without_libtorch {
        return Ok(ExitCode::SUCCESS);
    }

    let libtorch = setup::libtorch(sh)?;
    setup::compiler(sh)?;
    let _libtorch = sh.push_env("LIBTORCH", &libtorch.folder);
    let _model = sh.push_env("DEMO_MODEL", setup::model(sh)?);
    // Set and empty tells a test that there is none; unset is a mistake in how it was started.
    let found = setup::tokenizers(sh)?.unwrap_or_default();
    let tokenizer = |family: &str| found.iter().find(|it| it.family == family).map(|it| it.folder.clone());
    let _qwen3 = sh.push_env("QWEN3_TOKENIZER", tokenizer("qwen3").unwrap_or_default());
    let _llama3 = sh.push_env("LLAMA3_TOKENIZER", tokenizer("llama3").unwrap_or_default());
    // One test at a time: libtorch's random generator and its threads are one for the whole process.
    let mut tests = std::process::Command::from(cmd!(
        sh,
        "cargo test --release --package model --package train --features model/libtorch,train/libtorch -- --test-threads 1"
    ));
    libtorch.run_environment(&mut tests);
    let status = tests.status()?;
    Ok(crate::hand_over::exit_code(status))
}

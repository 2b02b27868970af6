//! Builds the binary that obeys a verb and hands the terminal over to it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::setup::{self, Libtorch};

/// Builds the binary `bin` of `package` and becomes it.
pub fn to(sh: &Shell, package: &str, bin: &str, args: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let program = build(sh, package, bin)?;
    become_it(Command::new(program).args(args))
}

/// As [`to`], for the binaries of `train`, which need libtorch.
pub fn train(sh: &Shell, bin: &str, args: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let libtorch = setup::libtorch(sh)?;
    let program = build_train(sh, &libtorch, bin)?;
    let mut command = Command::new(program);
    libtorch.run_environment(&mut command);
    become_it(command.args(args))
}

/// Builds one binary in release and returns its path.
pub fn build(sh: &Shell, package: &str, bin: &str) -> anyhow::Result<PathBuf> {
    let quiet = quiet(sh, bin);
    cmd!(sh, "cargo build {quiet...} --release --package {package} --bin {bin}").quiet().run()?;
    program(sh, bin)
}

/// The first build takes minutes and shows how far it has come; later ones take moments and say nothing.
fn quiet(sh: &Shell, bin: &str) -> Option<&'static str> {
    program(sh, bin).is_ok().then_some("--quiet")
}

/// Builds one binary of `train` in release against `libtorch` and returns its path.
pub fn build_train(sh: &Shell, libtorch: &Libtorch, bin: &str) -> anyhow::Result<PathBuf> {
    setup::compiler(sh)?;
    let _libtorch = sh.push_env("LIBTORCH", &libtorch.folder);
    cmd!(sh, "cargo build --quiet --release --package train --features libtorch --bin {bin}")
        .quiet()
        .run()?;
    program(sh, bin)
}

fn program(sh: &Shell, bin: &str) -> anyhow::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let program = sh.current_dir().join(target).join("release").join(bin);
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    if !program.is_file() {
        bail!("cargo built {bin}, but it is not at {}", program.display());
    }
    Ok(program)
}

/// On Unix this process turns into the command, so that signals, terminal and exit code are the command's own.
#[cfg(unix)]
fn become_it(command: &mut Command) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {}", command.get_program().display()))
}

/// Elsewhere the command runs as a child of the same console, which gives Ctrl-C to both; its exit code is passed on.
#[cfg(not(unix))]
fn become_it(command: &mut Command) -> anyhow::Result<ExitCode> {
    let status =
        command.status().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    Ok(exit_code(status))
}

/// Returns a child's exit code as ours; 2 where a signal ended it.
pub fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2))
}

//! `cargo xtask bench`: every benchmark of the project behind one verb, as Markdown on standard output.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use xshell::{Shell, cmd};

use crate::setup::{self, say};

/// Flags of `cargo xtask bench`.
#[derive(Debug, Args)]
pub struct BenchFlags {
    /// Which benchmarks to run; by default all that need no libtorch.
    #[arg(value_enum)]
    what: Vec<Bench>,
    /// Passed on to the benchmark after `--`.
    #[arg(last = true)]
    args: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Rate policies in virtual time.
    Pacer,
    /// Requests a second of the simulator.
    Sim,
    /// Rows a second, memory and resume scan of generation.
    Gen,
    /// Megabytes a second of the gate.
    Gate,
    /// Tokens a second and memory of training.
    Train,
}

impl Bench {
    fn package(self) -> &'static str {
        match self {
            Self::Pacer => "pacer",
            Self::Sim => "simulator",
            Self::Gen => "generate",
            Self::Gate => "gate",
            Self::Train => "train",
        }
    }
}

/// Runs the benchmarks one after the other, each beside the peers that the machine has.
pub fn run(sh: &Shell, flags: &BenchFlags) -> anyhow::Result<ExitCode> {
    let all = [Bench::Pacer, Bench::Sim, Bench::Gen, Bench::Gate];
    let chosen = if flags.what.is_empty() { &all[..] } else { &flags.what };
    say_machine(sh)?;
    let peers = setup::peers(sh);
    if peers.is_none() && std::env::var_os("PEER_PYTHON").is_none() {
        say(
            "peers are left out: `cargo xtask setup peers` makes their environment, or name one in PEER_PYTHON",
        );
    }
    let _peers = peers.map(|python| sh.push_env("PEER_PYTHON", python));
    let _reference = setup::reference(sh).map(|python| sh.push_env("REFERENCE_PYTHON", python));
    let args = &flags.args;
    for bench in chosen {
        let package = bench.package();
        if *bench == Bench::Train {
            let libtorch = setup::libtorch(sh)?;
            let _libtorch = sh.push_env("LIBTORCH", &libtorch.folder);
            let _model = sh.push_env("DEMO_MODEL", setup::model(sh)?);
            let mut command = std::process::Command::from(cmd!(
                sh,
                "cargo bench --quiet --package {package} --features libtorch --bench * -- {args...}"
            ));
            libtorch.run_environment(&mut command);
            anyhow::ensure!(command.status()?.success(), "the benchmark of {package} failed");
        } else {
            cmd!(sh, "cargo bench --quiet --package {package} --bench * -- {args...}").quiet().run()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The line that a figure is worth nothing without: processor, cores, date and commit.
#[expect(clippy::print_stdout, reason = "the tables go to standard output, and this is their heading")]
fn say_machine(sh: &Shell) -> anyhow::Result<()> {
    let processor = sh
        .read_file("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(": ")?.1.to_owned())
        })
        .unwrap_or_else(|| format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    let cores = std::thread::available_parallelism()?;
    let commit = cmd!(sh, "git log -1 --format=%h,%cs").quiet().ignore_stderr().read().unwrap_or_default();
    let changed = cmd!(sh, "git status --porcelain").quiet().ignore_stderr().read().unwrap_or_default();
    let dirty = if changed.is_empty() { "" } else { ", with changes" };
    println!("{processor}, {cores} cores; commit {commit}{dirty}\n");
    Ok(())
}

//! `cargo xtask bench`: every benchmark of the project behind one verb, as Markdown on standard output.

use std::process::{Command, ExitCode, Stdio};
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use xshell::{Cmd, Shell, cmd};

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
    /// Single calls: a row, a reply, an answer.
    Small,
    /// Rate policies in virtual time.
    Pacer,
    /// Requests a second of the simulator.
    Sim,
    /// Rows a second, memory and resume scan of generation.
    Gen,
    /// Megabytes a second of the gate.
    Gate,
    /// Single calls of the model's arithmetic.
    Model,
    /// Tokens a second and memory of training.
    Train,
}

/// The package and the benches that measure single calls, by criterion.
const SMALL: [(&str, &str); 3] = [("dataset", "rows"), ("vertex", "replies"), ("simulator", "answers")];

/// Runs the benchmarks one after the other, each beside the peers that the machine has.
pub fn run(sh: &Shell, flags: &BenchFlags) -> anyhow::Result<ExitCode> {
    let all = [Bench::Small, Bench::Pacer, Bench::Sim, Bench::Gen, Bench::Gate];
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
    for bench in chosen {
        let args = &flags.args;
        match bench {
            Bench::Small => {
                table(SMALL.iter().map(|(package, bench)| {
                    cmd!(sh, "cargo bench --quiet --package {package} --bench {bench} --").args(args).into()
                }))?;
            }
            Bench::Pacer => whole(cmd!(sh, "cargo bench --quiet --package pacer --bench * --").args(args))?,
            Bench::Sim => {
                whole(cmd!(sh, "cargo bench --quiet --package simulator --bench throughput --").args(args))?;
            }
            Bench::Gen => {
                whole(cmd!(sh, "cargo bench --quiet --package generate --bench throughput --").args(args))?;
            }
            Bench::Gate => whole(cmd!(sh, "cargo bench --quiet --package gate --bench * --").args(args))?,
            Bench::Model | Bench::Train => {
                let libtorch = setup::libtorch(sh)?;
                let _libtorch = sh.push_env("LIBTORCH", &libtorch.folder);
                let _model = sh.push_env("DEMO_MODEL", setup::model(sh)?);
                let package = if *bench == Bench::Model { "model" } else { "train" };
                let mut command = Command::from(
                    cmd!(sh, "cargo bench --quiet --package {package} --features libtorch --bench * --")
                        .args(args),
                );
                libtorch.run_environment(&mut command);
                if *bench == Bench::Model {
                    table(std::iter::once(command))?;
                } else {
                    anyhow::ensure!(command.status()?.success(), "the benchmark of {package} failed");
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a bench that prints its own tables.
fn whole(command: Cmd<'_>) -> anyhow::Result<()> {
    Ok(command.quiet().run()?)
}

/// Runs benches of criterion and prints one table of what they measured.
#[expect(clippy::print_stdout, reason = "the tables go to standard output")]
fn table(commands: impl Iterator<Item = Command>) -> anyhow::Result<()> {
    println!("## Single calls\n\n| call | microseconds | give or take |\n|---|---:|---:|");
    for mut command in commands {
        let output = command.args(["--output-format", "bencher"]).stderr(Stdio::inherit()).output()?;
        anyhow::ensure!(output.status.success(), "{command:?} failed");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some((name, nanoseconds, spread)) = measured(line) {
                println!("| {name} | {:.2} | {:.2} |", nanoseconds / 1e3, spread / 1e3);
            }
        }
    }
    println!();
    Ok(())
}

/// What a line `test NAME ... bench: 1,234 ns/iter (+/- 56)` says; `None` for any other line.
fn measured(line: &str) -> Option<(&str, f64, f64)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... bench:")?;
    let (time, rest) = rest.split_once(" ns/iter (+/- ")?;
    let number = |text: &str| text.trim().replace(',', "").parse().ok();
    Some((name.trim(), number(time)?, number(rest.strip_suffix(')')?)?))
}

/// The line that a figure is worth nothing without: processor, cores, date and commit with its own date.
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
    let today = date(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs() / 86_400);
    println!("{processor}, {cores} cores; {today}; commit {commit}{dirty}\n");
    Ok(())
}

/// The day so many days after 1970-01-01, as ISO 8601 writes it (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", 2014): years begin in March, so that a leap day ends one.
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::{date, measured};

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(20_780), "2026-11-23");
    }

    #[test]
    fn a_measurement_is_read_and_other_lines_are_not() {
        let line = "test row/encode ... bench:      12,345 ns/iter (+/- 678)";

        assert_eq!(measured(line), Some(("row/encode", 12_345.0, 678.0)));
        assert_eq!(measured("Gnuplot not found, using plotters backend"), None);
        assert_eq!(measured("test row/encode ... ok"), None);
    }
}

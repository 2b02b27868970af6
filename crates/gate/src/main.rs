//! The command `cargo xtask gate`.

mod flags;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use dataset::receipt::Verdict;
use dataset::{Experiment, Layout};
use gate::judge::thresholds;
use gate::{GateError, Report, format};

use crate::flags::{Flags, Format};

/// The gate failed, or what it was given is wrong.
const FAILED: u8 = 1;
/// Anything unexpected.
const UNEXPECTED: u8 = 2;

fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            // Help is what was asked for; anything else that was typed is wrong input.
            let code = if error.use_stderr() { FAILED } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match run(&flags) {
        Ok(Verdict::Pass) => ExitCode::SUCCESS,
        Ok(Verdict::Fail) => ExitCode::from(FAILED),
        Err(error) => {
            complain(&format!("error: {error:#}"));
            let input = error.downcast_ref::<GateError>().is_some();
            ExitCode::from(if input { FAILED } else { UNEXPECTED })
        }
    }
}

fn run(flags: &Flags) -> anyhow::Result<Verdict> {
    let experiment = Experiment::load(&flags.experiment).map_err(GateError::from)?;
    let layout = Layout::new(flags.data.as_deref(), &experiment.name);
    let thresholds = thresholds(&experiment)?;
    let report = gate::judge(&experiment, &layout, &thresholds)?;
    gate::receipt::write(&experiment, &layout, &report)?;
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        // The runner reads both streams; the report keeps stdout to itself.
        complain(format::annotations::write(&report).trim_end());
    }
    show(flags, &report)?;
    Ok(report.verdict)
}

fn show(flags: &Flags, report: &Report) -> anyhow::Result<()> {
    let to_terminal = flags.output.is_none() && std::io::stdout().is_terminal();
    let colour = to_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let text = match flags.format {
        Format::Text => format::text::write(report, colour),
        Format::Json => format::json::write(report)?,
        Format::Junit => format::junit::write(report),
        Format::Markdown => format::markdown::write(report),
    };
    match &flags.output {
        Some(path) => {
            std::fs::write(path, text)
                .with_context(|| format!("cannot write the report to {}", path.display()))?;
            complain(&format::summary(report));
        }
        None => match std::io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever reads has seen enough, as `head` does.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            other => other.context("cannot write the report")?,
        },
    }
    Ok(())
}

/// Writes a line to stderr; there is nowhere to say that this failed.
fn complain(text: &str) {
    if !text.is_empty() {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

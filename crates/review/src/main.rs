//! The command `cargo xtask review`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use dataset::{Experiment, Layout};
use review::flags::Flags;
use review::{Review, ReviewError, page};

fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match run(&flags) {
        Ok(line) => {
            say(&line);
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("error: {error:#}"));
            let input = error.is::<ReviewError>() || error.is::<dataset::experiment::ExperimentError>();
            ExitCode::from(if input { 1 } else { 2 })
        }
    }
}

fn run(flags: &Flags) -> anyhow::Result<String> {
    let experiment = Experiment::load(&flags.experiment)?;
    let layout = Layout::new(flags.data.as_deref(), &experiment.name);
    let review = Review::read(&experiment, &layout)?;
    let output = flags.output.clone().unwrap_or_else(|| layout.folder().join("review.html"));
    std::fs::write(&output, page(&review)?).with_context(|| format!("cannot write {}", output.display()))?;
    Ok(format!("{} prompts, {}", review.pairs.len(), output.display()))
}

#[expect(clippy::print_stderr, reason = "the one place where this command speaks")]
fn say(line: &str) {
    eprintln!("{line}");
}

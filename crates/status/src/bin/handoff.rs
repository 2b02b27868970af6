//! `cargo xtask handoff`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use dataset::Experiment;
use status::flags::HandoffFlags;
use status::{State, page};

fn main() -> ExitCode {
    let flags = match HandoffFlags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            // Help is what was asked for; anything else that was typed is wrong input.
            drop(error.print());
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match run(&flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where this command prints an error")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::from(1)
        }
    }
}

fn run(flags: &HandoffFlags) -> anyhow::Result<()> {
    let experiment = Experiment::load(&flags.places.experiment)?;
    let (layout, models) = (flags.places.layout(&experiment), flags.places.models(&experiment));
    let page = page::page(&State::read(&experiment, &layout, &models)?);
    match &flags.output {
        None => std::io::stdout().lock().write_all(page.as_bytes())?,
        Some(path) => {
            std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?
        }
    }
    Ok(())
}

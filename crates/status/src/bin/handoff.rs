//! `cargo xtask handoff`.

mod frame;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use dataset::Experiment;
use status::flags::HandoffFlags;
use status::{State, page};

fn main() -> ExitCode {
    frame::command(run)
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

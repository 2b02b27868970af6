//! `cargo xtask status`.

mod frame;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use dataset::Experiment;
use jiff::Timestamp;
use status::flags::StatusFlags;
use status::{State, screen};

fn main() -> ExitCode {
    frame::command(run)
}

fn run(flags: &StatusFlags) -> anyhow::Result<()> {
    let experiment = Experiment::load(&flags.places.experiment)?;
    let (layout, models) = (flags.places.layout(&experiment), flags.places.models(&experiment));
    let mut out = std::io::stdout().lock();
    loop {
        let state = State::read(&experiment, &layout, &models)?;
        let text = match flags.json {
            true => format!("{}\n", serde_json::to_string_pretty(&state)?),
            false => screen::screen(&state, Timestamp::now()),
        };
        // Home and clear, so that a watched screen stays in place; never in JSON, which a program reads line by line.
        let clear = if flags.watch.is_some() && !flags.json { "\x1b[H\x1b[2J" } else { "" };
        write!(out, "{clear}{text}")?;
        out.flush()?;
        match flags.watch {
            None => return Ok(()),
            Some(seconds) => std::thread::park_timeout(Duration::from_secs(seconds)),
        }
    }
}

//! `cargo xtask sim`: parse, start, say where, serve until Ctrl-C.

mod flags;

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use clap::Parser;
use simulator::{PRESETS, Scenario, Simulator};

use flags::Flags;

/// A flag, the scenario or the port is wrong.
const WRONG_INPUT: u8 = 1;
/// Something else went wrong.
const UNEXPECTED: u8 = 2;

fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => {
            // Help is what was asked for; anything else that was typed is wrong input.
            let code = if error.use_stderr() { WRONG_INPUT } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let outcome = if flags.list { list() } else { serve(&flags) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let wrong = error.is::<simulator::ScenarioError>() || error.is::<simulator::StartError>();
            // Nobody is left to tell when stderr is closed.
            let _ = writeln!(stderr(), "error: {error:#}");
            ExitCode::from(if wrong { WRONG_INPUT } else { UNEXPECTED })
        }
    }
}

fn list() -> anyhow::Result<()> {
    let mut out = stdout().lock();
    for (name, _) in PRESETS {
        writeln!(out, "{name:12} {}", Scenario::named(name)?.description)?;
    }
    Ok(())
}

fn serve(flags: &Flags) -> anyhow::Result<()> {
    let simulator = Simulator::start_on(Scenario::named(&flags.scenario)?, flags.port)?;
    let mut out = stdout().lock();
    writeln!(out, "{}", simulator.base_url())?;
    out.flush()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(tokio::signal::ctrl_c())?;
    Ok(())
}

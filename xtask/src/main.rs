//! The verbs of the project: `cargo xtask VERB …`.
//!
//! xtask finds what a step needs and hands over to the crate that does it; it knows no flag of theirs and reads no
//! file of theirs.

mod bench;
mod demo;
mod hand_over;
mod setup;
mod test;
mod verb;

use std::process::ExitCode;

use clap::Parser;
use xshell::Shell;

use crate::verb::{Cli, Verb};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help is what was asked for; anything else that was typed is wrong input.
            drop(error.print());
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match run(cli.verb) {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where xtask prints an error")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::from(2)
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let sh = Shell::new()?;
    sh.change_dir(root());
    match verb {
        Verb::Demo(flags) => demo::run(&sh, &flags),
        Verb::Setup(flags) => setup::run(&sh, &flags),
        Verb::Test(flags) => test::run(&sh, &flags),
        Verb::Bench(flags) => bench::run(&sh, &flags),
        Verb::Train(forwarded) => hand_over::train(&sh, "train", forwarded.args),
        Verb::Answer(forwarded) => hand_over::train(&sh, "answer", forwarded.args),
        Verb::Gen(forwarded) => hand_over::to(&sh, "generate", "generate", forwarded.args),
        Verb::Gate(forwarded) => hand_over::to(&sh, "gate", "gate", forwarded.args),
        Verb::Review(forwarded) => hand_over::to(&sh, "review", "review", forwarded.args),
        Verb::Status(forwarded) => hand_over::to(&sh, "status", "status", forwarded.args),
        Verb::Handoff(forwarded) => hand_over::to(&sh, "status", "handoff", forwarded.args),
        Verb::Sim(forwarded) => hand_over::to(&sh, "simulator", "sim", forwarded.args),
    }
}

/// The workspace root: the parent of this package's folder.
fn root() -> std::path::PathBuf {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let mut root = std::path::PathBuf::from(manifest);
    root.pop();
    root
}

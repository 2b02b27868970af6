//! The verbs and the few flags that are xtask's own.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use crate::bench::BenchFlags;
use crate::demo::DemoFlags;
use crate::setup::SetupFlags;
use crate::test::TestFlags;

/// Controlled fine-tuning experiments: the same prompts, two system prompts, two adapters.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the whole job once, offline: simulator, gen, gate, setup, train, and a summary.
    Demo(DemoFlags),
    /// Ask the model for every answer that is missing, in both arms.
    #[command(disable_help_flag = true)]
    Gen(Forwarded),
    /// Judge what was generated; training needs a passing verdict.
    #[command(disable_help_flag = true)]
    Gate(Forwarded),
    /// Train an adapter per arm under one plan.
    #[command(disable_help_flag = true)]
    Train(Forwarded),
    /// Ask the base, or an adapter on it, one question.
    #[command(disable_help_flag = true)]
    Answer(Forwarded),
    /// Show where the experiment stands.
    #[command(disable_help_flag = true)]
    Status(Forwarded),
    /// Write the page that lets someone else continue.
    #[command(disable_help_flag = true)]
    Handoff(Forwarded),
    /// Lay the arms side by side in one HTML page.
    #[command(disable_help_flag = true)]
    Review(Forwarded),
    /// Serve the simulated Vertex until stopped.
    #[command(disable_help_flag = true)]
    Sim(Forwarded),
    /// Fetch what a step needs and is missing: libtorch, the demo model, the reference Python.
    Setup(SetupFlags),
    /// Run every test: `cargo test`, then the crates that need libtorch.
    Test(TestFlags),
    /// Run the benchmarks, beside the peers that the machine has.
    Bench(BenchFlags),
}

/// What follows the verb, for the crate that obeys it.
#[derive(Debug, Args)]
pub struct Forwarded {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub args: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn help_after_a_forwarded_verb_is_forwarded() {
        let cli = Cli::try_parse_from(["cargo xtask", "gate", "--help", "--format", "json"]).unwrap();
        let Verb::Gate(forwarded) = cli.verb else { panic!("gate") };
        assert_eq!(forwarded.args, ["--help", "--format", "json"]);
    }
}

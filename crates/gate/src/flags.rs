//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Judge whether the collected rows may be trained on
///
/// Reads every ledger of the experiment again, prints the arms beside each other and every finding with its line, and
/// leaves the verdict in gate.json, bound to the bytes it judged. `train` refuses data without a passing verdict.
///
/// Exit codes: 0 the data passed, 1 it failed or the input is wrong, 2 anything unexpected.
#[derive(Debug, Parser)]
#[command(name = "gate", bin_name = "cargo xtask gate", max_term_width = 100)]
pub struct Flags {
    /// Experiment to judge
    #[arg(long, value_name = "FILE", default_value = "fixtures/phase_3e/experiment.toml")]
    pub experiment: PathBuf,

    /// Folder of the ledgers [default: data/<experiment name>]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Form of the report
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub format: Format,

    /// Write the report to FILE; the verdict still goes to stderr [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Forms of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables and findings for a person
    Text,
    /// One object for scripts
    Json,
    /// One test case a rule, for test reporters
    Junit,
    /// A section for a pull request or a job summary
    Markdown,
}

//! The flags of `status` and `handoff`.

use std::path::PathBuf;

use clap::{Args, Parser};
use dataset::{Experiment, Layout};

/// Show where the experiment stands: rows, rate, finish reasons, tokens, cost, verdict, training, and the next step.
#[derive(Debug, Parser)]
#[command(name = "status", bin_name = "cargo xtask status")]
pub struct StatusFlags {
    /// Where to look.
    #[command(flatten)]
    pub places: Places,
    /// Print the state as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Show it again every few seconds until Ctrl-C [default: once; `--watch` alone: 2].
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub watch: Option<u64>,
}

/// Write the page that lets someone else continue, as Markdown on standard output.
#[derive(Debug, Parser)]
#[command(name = "handoff", bin_name = "cargo xtask handoff")]
pub struct HandoffFlags {
    /// Where to look.
    #[command(flatten)]
    pub places: Places,
    /// Write the page to this file instead.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Where the experiment and its files are.
#[derive(Debug, Args)]
pub struct Places {
    /// The experiment.
    #[arg(long, value_name = "FILE", default_value = "fixtures/phase_3e/experiment.toml")]
    pub experiment: PathBuf,
    /// The data folder [default: data/<experiment>].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The folder of the arms' adapters [default: models/<experiment>].
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
}

impl Places {
    /// Returns the data folder of `experiment`.
    pub fn layout(&self, experiment: &Experiment) -> Layout {
        Layout::new(self.data.as_deref(), &experiment.name)
    }

    /// Returns the folder with one adapter folder per arm.
    pub fn models(&self, experiment: &Experiment) -> PathBuf {
        self.models.clone().unwrap_or_else(|| PathBuf::from("models").join(&experiment.name))
    }
}

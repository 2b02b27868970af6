//! The flags of `review`.

use std::path::PathBuf;

use clap::Parser;

/// Lay the arms side by side in one HTML page that needs no network.
///
/// Exit codes: 0 the page is written; 1 the input is wrong; 2 unexpected. The verdict stands in the page and is not in
/// the exit code: that is what `cargo xtask gate` is for.
#[derive(Debug, Parser)]
#[command(name = "review", bin_name = "cargo xtask review")]
pub struct Flags {
    /// The experiment.
    #[arg(long, value_name = "FILE", default_value = "fixtures/phase_3e/experiment.toml")]
    pub experiment: PathBuf,
    /// The data folder [default: data/<experiment>].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where the page goes [default: review.html in the data folder].
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

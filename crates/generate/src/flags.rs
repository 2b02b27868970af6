//! The flags of `cargo xtask gen`.

use std::path::PathBuf;

use clap::Parser;

/// Ask the model for every answer that is missing, in both arms
///
/// Rows go to `sft_<arm>.jsonl` in the data folder, one line each, and are on the disk within a tenth of a second. Run
/// the same command again to resume: nothing that has a row is asked twice. Ctrl-C once stops asking and keeps what
/// arrives; twice stops at once.
///
/// Access is read from the environment and from .env, under the names of Google's SDK: GOOGLE_CLOUD_PROJECT and
/// GOOGLE_CLOUD_LOCATION with application default credentials, or GEMINI_API_KEY; GOOGLE_VERTEX_BASE_URL points
/// elsewhere, such as to `cargo xtask sim`.
///
/// Exit codes: 0 every pair is whole; 1 the input is wrong or pairs are missing; 2 unexpected; 130 interrupted.
#[derive(Debug, Clone, Parser)]
#[command(name = "gen", bin_name = "cargo xtask gen")]
pub struct Flags {
    /// The experiment
    #[arg(long, value_name = "FILE", default_value = "fixtures/phase_3e/experiment.toml")]
    pub experiment: PathBuf,
    /// The folder that the ledgers are in [default: data/<experiment name>]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Ask only the experiment's smoke prompts
    #[arg(long)]
    pub smoke: bool,
    /// Ask only the first N prompts
    #[arg(long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    pub limit: Option<u64>,
    /// Ask only N prompts of each category, drawn by --seed
    #[arg(long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    pub per_category: Option<u64>,
    /// Decide the draw of --per-category
    #[arg(long, value_name = "S", default_value_t = 0, requires = "per_category", value_parser = seed, allow_negative_numbers = true)]
    pub seed: u64,
    /// Forecast requests, tokens, cost and time, and ask nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Requests a minute that your quota allows [default: learned from the service]
    #[arg(long, value_name = "N", value_parser = quota, allow_negative_numbers = true)]
    pub rpm: Option<f64>,
    /// Tokens a minute, input and output together, that your quota allows [default: learned from the service]
    #[arg(long, value_name = "N", value_parser = quota, allow_negative_numbers = true)]
    pub tpm: Option<f64>,
    /// Requests under way at once, at most
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = in_flight, allow_negative_numbers = true)]
    pub max_in_flight: u64,
    /// Seconds that one request may take
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0, value_parser = quota, allow_negative_numbers = true)]
    pub deadline: f64,
    /// Requests that one answer may take; 429s do not count
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one, allow_negative_numbers = true)]
    pub max_attempts: u64,
    /// Go on although settings are not those that the rows in the data folder were made with; these rows stay and
    /// count as done
    #[arg(long)]
    pub accept_changes: bool,
    /// Take answers of this model version too, beside those that answered before; may be given several times
    #[arg(long, value_name = "VERSION")]
    pub accept_model_version: Vec<String>,
}

fn at_least_one(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("must be 1 or more".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("must be a whole number, 1 or more".into()),
    }
}

/// More would only be memory: a machine has fewer ports than that.
const MOST_IN_FLIGHT: u64 = 50_000;

fn in_flight(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(number @ 1..=MOST_IN_FLIGHT) => Ok(number),
        _ => Err("must be a whole number from 1 to 50,000".into()),
    }
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "must be a whole number, 0 or more".into())
}

fn quota(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("must be a number above zero; leave the flag out for its default".into()),
    }
}

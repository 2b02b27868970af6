//! The flags of `cargo xtask sim`.

use clap::Parser;

/// Serve a simulated Vertex on loopback until stopped
///
/// Prints its base URL, the first and only line, on stdout. Set GOOGLE_VERTEX_BASE_URL or GOOGLE_GEMINI_BASE_URL to it;
/// no credentials are needed. GET /_simulator/counters says what clients did so far.
#[derive(Debug, Parser)]
#[command(name = "sim", bin_name = "cargo xtask sim")]
pub struct Flags {
    /// Listen on this port of 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// Behave as this preset or TOML file says
    #[arg(long, value_name = "NAME|FILE", default_value = "calm")]
    pub scenario: String,
    /// List the presets and exit
    #[arg(long)]
    pub list: bool,
}

//! How fast the whole of `gen` is, alone and beside what a user would pick instead, and what it holds in memory.
//!
//! `cargo bench -p generate` prints Markdown. `-- --full` takes a million prompts instead of a hundred thousand (some
//! minutes, 3 GB of disk). PEER_PYTHON names a Python that has Curator; without it Curator is left out aloud.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and ends where it fails")]

mod client;
mod peers;
mod quota;
mod scan;
mod server;

use client::UNLIMITED;

fn main() {
    let full = std::env::args().any(|arg| arg == "--full");
    let address = server::serve();
    throughput(&address, full);
    peers::throughput(&address);
    quota::report();
    scan::report();
}

/// Rows a second, and memory by the number of rows.
fn throughput(address: &str, full: bool) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("## gen at zero latency\n\nOn {cores} cores, which the server shares; every row is synced.\n");
    println!(
        "| prompts | rows | seconds | rows a second | peak memory | resumed, nothing left to ask | its peak |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let mut peaks = Vec::new();
    let many = if full { 1_000_000 } else { 100_000 };
    for prompts in [1_000, 10_000, many] {
        let folder = tempfile::tempdir().unwrap();
        client::lay_out(folder.path(), prompts);
        let (time, peak) = client::generate(folder.path(), address, &UNLIMITED);
        let (again, peak_again) = client::generate(folder.path(), address, &UNLIMITED);
        let rows = 2 * prompts;
        peaks.push((rows as f64, peak, peak_again));
        println!(
            "| {prompts} | {rows} | {:.1} | {:.0} | {} | {:.2} s | {} |",
            time.as_secs_f64(),
            rows as f64 / time.as_secs_f64(),
            client::megabytes(peak),
            again.as_secs_f64(),
            client::megabytes(peak_again)
        );
    }

    if let [(few, Some(low), Some(low_again)), .., (many, Some(high), Some(high_again))] = peaks[..] {
        let per_row = |high: u64, low: u64| high.saturating_sub(low) as f64 / (many - few);
        println!(
            "\nBeyond the smallest run, memory grows by {:.0} bytes a row, and by {:.0} when resumed: the index.",
            per_row(high, low),
            per_row(high_again, low_again)
        );
    }
}

//! What each client makes of one quota: 100 requests in every 2 seconds, answers after 200 to 600 ms, 978 requests.
//!
//! The service is the simulator, in this process; its counters give the times and the refusals, so that nobody's own
//! account of itself is believed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use simulator::{Scenario, Simulator};

use crate::client;
use crate::peers::{self, Protocol};

/// Two arms of the shipped experiment's 489 prompts.
const PROMPTS: usize = 489;
/// Requests in a window.
const WINDOW: usize = 100;
/// Seconds of a window.
const SECONDS: f64 = 2.0;
/// The longest that an answer takes, in seconds.
const LATENCY: f64 = 0.6;
/// Of the serial script, which is as slow at the thousandth request as at the first.
const FEW: usize = 50;

/// Prints the table.
pub fn report() {
    println!("\n## One quota: 100 requests in 2 s\n");
    let python = peers::python();
    println!(
        "{} requests, latency 200 to 600 ms, one run each. φ = the time of a client that knows the windows and keeps \
         them full, in the client's own, from its first request to its last answer. Told: the quota is named. Hinted: \
         refusals name it and say when to come back. Blind: refusals say nothing. Curator reaches Google through LiteLLM; \
         not told, it keeps to a rate of its own making.\n",
        2 * PROMPTS
    );
    println!("| client | φ | 429s | seconds | answered | lost |\n|---|---:|---:|---:|---:|---:|");
    for (name, flags, hints) in
        [("gen, told", &["--rpm", "3000"][..], true), ("gen, hinted", &[], true), ("gen, blind", &[], false)]
    {
        let start = |folder: &Path, address: &str| client::command(folder, address, flags).spawn().unwrap();
        measure(name, hints, (2 * PROMPTS, 0), start);
    }
    let Some(python) = python else { return };
    for (name, told) in [("Curator, told", Some(3_000)), ("Curator, not told", None)] {
        // Before it begins, Curator asks once to see whether the reply's headers name a limit.
        measure(name, true, (2 * PROMPTS, 1), |folder, address| {
            quiet(&mut peers::curator(&python, Protocol::Gemini, address, folder, told))
        });
    }
    let name = format!("a serial script, {FEW} requests");
    measure(&name, true, (FEW, 0), |folder, address| {
        quiet(&mut peers::serial(&python, address, folder, FEW))
    });
}

fn quiet(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Lets one client have its way with a fresh service and prints its row. `probes` requests come before the first that
/// counts.
fn measure(
    name: &str,
    hints: bool,
    (requests, probes): (usize, u64),
    client: impl FnOnce(&Path, &str) -> Child,
) {
    let folder = tempfile::tempdir().unwrap();
    client::lay_out(folder.path(), PROMPTS);
    let born = Instant::now();
    let simulator = Simulator::start(Scenario::parse("quota.toml", &scenario(hints)).unwrap()).unwrap();
    let mut child = client(folder.path(), simulator.base_url());

    let (mut first, mut last, mut ok) = (None, born, 0);
    while child.try_wait().unwrap().is_none() {
        // Woken by every change; the limit is there to notice a child that has ended.
        let limit = Duration::from_millis(20);
        let Some(counters) =
            simulator.wait_for(|it| it.ok > ok || first.is_none() && it.requests > probes, limit)
        else {
            continue;
        };
        let now = Instant::now();
        if counters.requests > probes {
            first.get_or_insert(now);
        }
        if counters.ok > ok {
            (ok, last) = (counters.ok, now);
        }
    }

    let counters = simulator.counters();
    let first = first.unwrap_or(last);
    let seconds = (last - first).as_secs_f64();
    let answered = usize::try_from(counters.ok.saturating_sub(probes)).unwrap().min(requests);
    let fastest = if requests > WINDOW {
        oracle((first - born).as_secs_f64(), requests)
    } else {
        // Too few to fill a window: the rate that was reached, in the one that is granted.
        answered as f64 * SECONDS / WINDOW as f64
    };
    let phi = if answered < requests { "·".into() } else { format!("{:.2}", fastest / seconds) };
    println!(
        "| {name} | {phi} | {} | {seconds:.1} | {answered} | {} |",
        counters.rate_limited,
        requests - answered
    );
}

/// Seconds from a first request at `phase` after the service's start to the last of so many answers, for a client that
/// knows when each window opens.
fn oracle(phase: f64, requests: usize) -> f64 {
    let windows = (requests - 1) / WINDOW;
    ((phase / SECONDS).floor() + windows as f64) * SECONDS - phase + LATENCY
}

fn scenario(hints: bool) -> String {
    format!(
        "seed = 1\n[[quota]]\nmetric = \"requests\"\nper = \"minute\"\nlimit = 3000\nwindow_seconds = {SECONDS}\n\
         retry_info = {hints}\nquota_failure = {hints}\n[latency]\nuniform = {{ least_ms = 200, most_ms = 600 }}\n\
         [thoughts]\nmedian = 100\nsigma = 0.3\n"
    )
}

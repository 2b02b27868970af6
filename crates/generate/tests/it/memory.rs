//! What a run holds in memory. The benchmark measures it up to a million prompts; here it is held to its bound.

use std::fmt::Write;

use crate::driver::{ARMS, Lab, prompt};

/// The most bytes that a run has held when all prompts but one have a row in each arm and that one is being asked.
fn peak(prompts: usize) -> u64 {
    let lab = Lab::new(prompts, "[[script]]\nprompt_contains = \"Question 0:\"\nsteps = [\"hang\"]");
    let layout = lab.layout();
    std::fs::create_dir(layout.folder()).unwrap();
    let rows = (1..prompts).fold(String::new(), |mut rows, n| {
        let _ = writeln!(rows, "{{\"instruction\":{:?},\"output\":\"a\"}}", prompt(n));
        rows
    });
    ARMS.iter().for_each(|arm| std::fs::write(layout.ledger(arm), &rows).unwrap());
    let running = lab.spawn(&[]);
    lab.wait_for(|counters| counters.in_flight == 2);
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    running.kill();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn a_resume_holds_at_most_a_hundred_bytes_a_row() {
    const PROMPTS: usize = 60_000;
    let grown = peak(PROMPTS).saturating_sub(peak(1_000));
    let per_row = grown / (2 * PROMPTS) as u64;
    assert!(per_row <= 100, "{per_row} bytes a row");
}

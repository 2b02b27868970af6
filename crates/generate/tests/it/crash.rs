//! Processes that are killed, that meet each other, and that run out of room.

use crate::driver::{ARMS, Lab};

#[test]
fn killed_at_twenty_moments_and_finished_every_row_is_there_once() {
    const PROMPTS: usize = 150;
    const IN_FLIGHT: u64 = 8;
    let lab = Lab::new(
        PROMPTS,
        "seed = 11\n[latency]\nlog_normal = { median_ms = 8, sigma = 0.6 }\n[[fault]]\nkind = \"max-tokens\"\nshare = 0.1\nfirst = 1",
    );
    let mut random = fastrand::Rng::with_seed(20);
    for _ in 0..20 {
        let answered = lab.counters().ok + random.u64(1..14);
        let running = lab.spawn(&["--max-in-flight", "8"]);
        lab.wait_for(|counters| counters.ok >= answered);
        running.kill();
        // A row that is cut is set aside by the next run; all others are whole already.
        for arm in ARMS {
            let bytes = std::fs::read(lab.layout().ledger(arm)).unwrap();
            let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            for line in bytes[..end].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                serde_json::from_slice::<dataset::Row>(line).unwrap();
            }
        }
    }
    lab.run_fast(&[]).expect(0);
    lab.check_whole(PROMPTS);
    let counters = lab.counters();
    assert!(counters.paid_twice <= 20 * IN_FLIGHT, "lost more than was under way: {counters:?}");
}

#[test]
fn a_second_process_is_told_that_the_ledger_is_in_use() {
    let lab = Lab::new(2, "[[fault]]\nkind = \"hang\"\nshare = 1.0");
    let running = lab.spawn(&[]);
    lab.wait_for(|counters| counters.in_flight >= 1);
    lab.run_fast(&[]).expect(1).says("sft_control.jsonl is in use by another process");
    running.kill();
}

/// A limit on the size of files stands in for a full disk: no privilege is needed, and the write fails halfway.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_with_its_path_and_tears_nothing() {
    let lab = Lab::new(60, "");
    let plain = lab.command(&crate::driver::FAST);
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args());
    command.current_dir(lab.folder.path());
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let ran = crate::driver::run(command).expect(2).says("there is no room left; nothing in it is torn");
    assert!(
        ran.stderr.contains("sft_control.jsonl") || ran.stderr.contains("sft_aba.jsonl"),
        "{}",
        ran.stderr
    );
    let kept = lab.count();
    assert!(kept > 0 && kept < 120, "{kept}");
    lab.check_rows();
    lab.run_fast(&[]).expect(0);
    lab.check_whole(60);
    assert!(!lab.layout().torn("aba", 1).exists() && !lab.layout().torn("control", 1).exists());
}

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

/// A disk of its own for the data folder, 64 kB at first and then larger, which only the processes in this script see.
/// What is on it is copied out after each run.
#[cfg(target_os = "linux")]
const SMALL_DISK: &str = r#"
mkdir data full roomy
mount -t tmpfs -o size=64k tmpfs data || exit 77
"$0" "$@" 2>full.said
echo $? >full.code
cp data/* full/
mount -o remount,size=16m data
"$0" "$@" 2>roomy.said
echo $? >roomy.code
cp data/* roomy/
"#;

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_the_run_goes_on_once_there_is_room() {
    const PROMPTS: usize = 60;
    let lab = Lab::new(PROMPTS, "");
    let plain = lab.command(&crate::driver::FAST);
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK]);
    command.arg(plain.get_program()).args(plain.get_args()).current_dir(lab.folder.path());
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let mounted = command.output().map(|output| output.status.success() && lab.path("full.code").exists());
    if !mounted.unwrap_or(false) {
        eprintln!("skipped: this system lets nobody mount a disk of his own (unshare --user --mount)");
        return;
    }
    let read = |name: &str| std::fs::read_to_string(lab.path(name)).unwrap();
    let data = lab.layout().folder().to_owned();

    let said = read("full.said");
    assert_eq!(read("full.code"), "2\n", "{said}");
    let last = said.lines().last().unwrap();
    let ledger = ["sft_control.jsonl", "sft_aba.jsonl"].iter().any(|name| last.contains(name));
    assert!(last.starts_with("error: cannot write to ") && ledger, "{said}");
    assert!(last.contains("there is no room left; nothing in it is torn: make room and run"), "{said}");
    assert!(said.contains("of 60 pairs are whole"), "the report comes all the same: {said}");
    std::fs::remove_dir(&data).unwrap();
    std::fs::rename(lab.path("full"), &data).unwrap();
    let kept = lab.count();
    assert!(kept > 0 && kept < 2 * PROMPTS, "{kept}");
    lab.check_rows();

    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(lab.path("roomy"), &data).unwrap();
    assert_eq!(read("roomy.code"), "0\n", "{}", read("roomy.said"));
    lab.check_whole(PROMPTS);
    assert!(ARMS.iter().all(|arm| !lab.layout().torn(arm, 1).exists()), "nothing was torn");
    // At most what was under way when the disk was full is paid for twice.
    let paid = lab.counters().ok as usize;
    assert!(paid <= 2 * PROMPTS + 256, "{paid}");
}

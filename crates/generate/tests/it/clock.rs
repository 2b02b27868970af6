//! A wall clock that is set in the middle of a run, and runs for which half an hour passes in seconds.
//!
//! libfaketime stands between the binary and the system's clocks; the simulator keeps the real ones.

use std::path::PathBuf;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};

use crate::driver::{self, ARMS, FAST, Lab};

/// The library that fakes clocks for a process; `None`, said aloud, where it is not installed.
fn library() -> Option<PathBuf> {
    let folders = [
        format!("/usr/lib/{}-linux-gnu/faketime", std::env::consts::ARCH),
        "/usr/lib64/faketime".to_owned(),
        "/usr/lib/faketime".to_owned(),
    ];
    let found = folders.iter().map(|folder| PathBuf::from(folder).join("libfaketimeMT.so.1"));
    let found = std::env::var_os("LIBFAKETIME").map(PathBuf::from).into_iter().chain(found);
    let library = found.into_iter().find(|path| path.is_file());
    if library.is_none() {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: no libfaketime here; install faketime, or name the library in LIBFAKETIME");
        }
    }
    library
}

/// The wall clock of a process: how far it is from the true one.
struct WallClock {
    path: PathBuf,
}

impl WallClock {
    fn new(lab: &Lab) -> Self {
        let clock = Self { path: lab.path("clock") };
        clock.set("+0");
        clock
    }

    /// Sets it in one step: a file that is half written would be no time at all.
    fn set(&self, offset: &str) {
        let new = self.path.with_extension("new");
        std::fs::write(&new, format!("{offset}\n")).unwrap();
        std::fs::rename(new, &self.path).unwrap();
    }

    fn command(&self, lab: &Lab, args: &[&str]) -> Option<Command> {
        let mut command = lab.command(&[&FAST, args].concat());
        command
            .env("LD_PRELOAD", library()?)
            .env("FAKETIME_TIMESTAMP_FILE", &self.path)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Some(command)
    }
}

/// A process for which all clocks run this many times as fast, timers included. Not so the standard library's waits
/// until some time: those are the kernel's, which knows the true clocks, so the ledger's thread, which waits so before
/// it syncs, hardly ever does. It serves runs that keep nothing, or that are killed.
fn hurried(lab: &Lab, times: u32, args: &[&str]) -> Option<Command> {
    let mut command = lab.command(args);
    command.env("LD_PRELOAD", library()?).env("FAKETIME", format!("+0 x{times}"));
    Some(command)
}

#[test]
fn a_clock_that_is_set_in_the_middle_of_a_run_changes_nothing_but_the_labels() {
    // Each refusal holds everything for a while, and in that while the clock is set.
    let lab = Lab::new(
        40,
        "[[quota]]\nmetric = \"requests\"\nper = \"minute\"\nlimit = 60_000_000\n\
         [[fault]]\nkind = \"quota-minute\"\npause_ms = 1500\nat = [20, 45, 70]",
    );
    let clock = WallClock::new(&lab);
    let Some(command) = clock.command(&lab, &["--max-in-flight", "4"]) else { return };
    let running = driver::spawn(command);
    lab.wait_for(|counters| counters.rate_limited == 1);
    clock.set("+9h");
    lab.wait_for(|counters| counters.rate_limited == 2);
    clock.set("-7h");
    lab.wait_for(|counters| counters.rate_limited == 3);
    driver::interrupt(&running);
    running.wait().expect(130);
    let first = lab.count();
    assert!(first < 80, "{first}");

    clock.set("+2d");
    let Some(command) = clock.command(&lab, &[]) else { return };
    driver::run(command).expect(0);
    lab.check_whole(40);
    lab.check_nothing_lost();
    let counters = lab.counters();
    assert_eq!((counters.rate_limited, counters.requests), (3, 83), "{counters:?}");

    // The clock was set indeed: rows say so, and nothing else does.
    let hour = SignedDuration::from_hours(1);
    let mut seen = [0; 4];
    for row in ARMS.iter().flat_map(|arm| lab.rows(arm)) {
        let ahead = row.meta.timestamp.parse::<Timestamp>().unwrap().duration_since(Timestamp::now());
        let hours = [0, 9, -7, 48];
        let place = hours.iter().position(|&hours| (ahead - hour * hours).abs() < hour);
        seen[place.unwrap_or_else(|| panic!("{ahead}"))] += 1;
    }
    assert!(seen.iter().all(|&rows| rows > 0), "{seen:?}");
    let runs = dataset::runs::read(&lab.layout().runs()).unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run.seconds > 0.0 && run.seconds < 3600.0), "{runs:?}");
}

#[test]
fn ten_minutes_of_429s_are_waited_out_with_few_requests() {
    // Six holds that double, then the breaker's pauses of one, two and four minutes.
    let lab = Lab::new(4, "[[fault]]\nkind = \"pool-busy\"\nat = [1, 2, 3, 4, 5, 6, 7, 8, 9]");
    let Some(command) = hurried(&lab, 200, &["--max-attempts", "1", "--max-in-flight", "1"]) else { return };
    let mut running = driver::spawn(command);
    running.hear("every request is answered by 429, even at the lowest rate; one request tries again in 2");
    lab.wait_for(|counters| counters.ok == 8);
    running.kill();
    assert_eq!(lab.counters().requests, 9 + 8);
    assert_eq!(lab.attempts(), [], "a 429 is no attempt");
    lab.run_fast(&[]).expect(0);
    lab.check_whole(4);
}

#[test]
fn half_an_hour_of_429s_ends_the_run_which_says_why_and_can_be_resumed() {
    let mut lab = Lab::new(30, "[[fault]]\nkind = \"pool-busy\"\nshare = 1.0");
    let Some(command) = hurried(&lab, 300, &[]) else { return };
    driver::run(command)
        .expect(1)
        .says("every request is answered by 429, even at the lowest rate, for 30 minutes")
        .says("the same command again");
    assert_eq!((lab.count(), lab.attempts().len()), (0, 0), "a 429 is no attempt");
    let runs = dataset::runs::read(&lab.layout().runs()).unwrap();
    assert!((1_800.0..3_600.0).contains(&runs[0].seconds), "{runs:?}");
    let during = lab.counters().requests;
    assert!(during <= 30, "a storm of {during} requests");
    lab.serve("");
    lab.run_fast(&[]).expect(0);
    lab.check_whole(30);
}

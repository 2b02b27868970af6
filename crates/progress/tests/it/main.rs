//! What a pipe sees.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use progress::{Mode, Progress};

#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_pipe_gets_lines_in_order_and_no_escape_codes() {
    let pipe = Pipe::default();
    let progress = Progress::plain_to(pipe.clone());
    let bar = progress.bar("control", 4);
    progress.say("asking 4 prompts");
    bar.set(4);
    (progress.writer())().write_all(b"a log line\n").unwrap();
    bar.message("done");
    bar.finish();
    let text = String::from_utf8(pipe.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["asking 4 prompts", "a log line"]);
    assert!(lines[2].starts_with("control 4/4 100 %") && lines[2].ends_with("· done"), "{}", lines[2]);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn hidden_progress_takes_everything_and_says_nothing() {
    let progress = Progress::new(Mode::Hidden);
    let bar = progress.bar("control", 4);
    bar.resume_at(1);
    bar.set(4);
    bar.message("done");
    bar.finish();
    progress.say("nobody hears this");
    assert!(!progress.draws());
}

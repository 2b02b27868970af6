//! The one owner of the files that a run appends to: a thread that takes lines, writes each at once, and syncs them
//! in groups.
//!
//! A line is given to the system the moment it is taken, so a killed process loses none. A sync follows within
//! [`LINGER`], so a power cut loses little; rows that arrive together share it.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::ledger::append::{AppendError, AppendFile};

/// The longest that a written line waits for others to be synced with. Half of what is promised: the sync takes the
/// rest.
pub const LINGER: Duration = Duration::from_millis(50);

/// Called when a line is on the disk.
pub type Synced = Box<dyn FnOnce() + Send>;

struct Line {
    file: usize,
    bytes: Vec<u8>,
    synced: Synced,
}

/// A running writer.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<Result<(), AppendError>>,
}

/// Hands lines to a [`Writer`]. The writer ends when all of these are gone.
#[derive(Debug, Clone)]
pub struct Appender {
    lines: Sender<Line>,
}

/// The writer has stopped on an error; [`Writer::join`] says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the writer has stopped")]
pub struct Stopped;

impl Writer {
    /// Starts the thread that owns `files`; lines name their file by its place here.
    ///
    /// # Errors
    /// What the system says, if it gives no thread.
    pub fn start(files: Vec<AppendFile>) -> std::io::Result<(Self, Appender)> {
        let (lines, taken) = mpsc::channel();
        let thread = std::thread::Builder::new().name("ledger".into()).spawn(move || own(files, &taken))?;
        Ok((Self { thread }, Appender { lines }))
    }

    /// Waits until every line taken is on the disk.
    ///
    /// # Errors
    /// The error that stopped it, if one did.
    pub fn join(self) -> Result<(), AppendError> {
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Appender {
    /// Appends `bytes`, one line with its end, to the file at place `file`. `synced` is called once it is on the disk,
    /// and dropped uncalled if it never gets there.
    ///
    /// # Errors
    /// [`Stopped`], when the writer has met an error.
    pub fn append(&self, file: usize, bytes: Vec<u8>, synced: Synced) -> Result<(), Stopped> {
        self.lines.send(Line { file, bytes, synced }).map_err(|_| Stopped)
    }
}

fn own(mut files: Vec<AppendFile>, lines: &Receiver<Line>) -> Result<(), AppendError> {
    let mut waiting: Vec<(usize, Synced)> = Vec::new();
    let mut due: Option<Instant> = None;
    loop {
        let next = match due {
            None => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => lines.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(line) => {
                if let Err(error) = files[line.file].append(&line.bytes) {
                    // What was written before the disk filled up is still worth a sync.
                    sync(&files, &mut waiting)?;
                    return Err(error);
                }
                waiting.push((line.file, line.synced));
                let due = *due.get_or_insert_with(|| Instant::now() + LINGER);
                if Instant::now() < due {
                    continue;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return sync(&files, &mut waiting),
        }
        sync(&files, &mut waiting)?;
        due = None;
    }
}

/// Syncs the files that have lines waiting, and says so to who asked.
fn sync(files: &[AppendFile], waiting: &mut Vec<(usize, Synced)>) -> Result<(), AppendError> {
    for (place, file) in files.iter().enumerate() {
        if waiting.iter().any(|(dirty, _)| *dirty == place) {
            file.sync()?;
        }
    }
    waiting.drain(..).for_each(|(_, synced)| synced());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_its_file_when_it_is_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        let files = paths.iter().map(|path| AppendFile::open(path).unwrap()).collect();
        let (writer, appender) = Writer::start(files).unwrap();
        let (told, tellings) = mpsc::channel();
        for n in 0..200_usize {
            let (told, path) = (told.clone(), paths[n % 2].clone());
            let synced = move || told.send((n, std::fs::read_to_string(path).unwrap())).unwrap();
            appender.append(n % 2, format!("{n}\n").into_bytes(), Box::new(synced)).unwrap();
        }
        for (n, text) in tellings.iter().take(200) {
            assert!(text.lines().any(|line| line == n.to_string()), "{n}");
        }
        drop(appender);
        writer.join().unwrap();
        let odd: Vec<String> = (0..200).filter(|n| n % 2 == 1).map(|n| n.to_string()).collect();
        assert_eq!(std::fs::read_to_string(&paths[1]).unwrap().lines().collect::<Vec<_>>(), odd);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_stops_it_with_the_path() {
        let full = AppendFile::open(std::path::Path::new("/dev/full")).unwrap();
        let (writer, appender) = Writer::start(vec![full]).unwrap();
        let called = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let note = std::sync::Arc::clone(&called);
        let synced = move || note.store(true, std::sync::atomic::Ordering::SeqCst);
        appender.append(0, b"x\n".to_vec(), Box::new(synced)).unwrap();
        let error = writer.join().unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("no room left"), "{error}");
        assert!(!called.load(std::sync::atomic::Ordering::SeqCst));
        assert_eq!(appender.append(0, b"y\n".to_vec(), Box::new(|| ())), Err(Stopped));
    }
}

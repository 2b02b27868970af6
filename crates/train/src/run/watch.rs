//! What happens while an arm trains: written down for the folder, and shown on its bar.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use progress::{Bar, Progress};

use super::RunError;
use crate::record::metrics::{Line, Metrics};
use crate::record::tensorboard::Events;
use crate::step::trainer::Event;

/// The lines of metrics and the events of one run; opened when it is known where the run begins.
pub(super) struct Record {
    folder: PathBuf,
    files: Option<(Metrics, Events)>,
    /// Why there is no record of a step.
    pub(super) failed: Option<RunError>,
}

impl Record {
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), files: None, failed: None }
    }

    pub(super) fn take(&mut self, event: &Event) {
        let done = match event {
            Event::Resumed { step } => self.open(*step).map(|files| self.files = Some(files)),
            Event::Step(report) => self.append(report),
            Event::Fits { .. } | Event::Saved { .. } | Event::Checked { .. } => Ok(()),
        };
        if let Err(error) = done {
            self.failed.get_or_insert(error);
        }
    }

    fn open(&self, step: u64) -> Result<(Metrics, Events), RunError> {
        let (metrics, kept) = Metrics::open(&self.folder, step)?;
        let fail = |source| RunError::Write { path: self.folder.clone(), source };
        let mut events = Events::create(&self.folder, now()).map_err(fail)?;
        kept.iter().try_for_each(|line| events.append(line, now())).map_err(fail)?;
        Ok((metrics, events))
    }

    fn append(&mut self, line: &Line) -> Result<(), RunError> {
        let mut files = match self.files.take() {
            Some(files) => files,
            None => self.open(0)?,
        };
        files.0.append(line)?;
        let folder = &self.folder;
        files.1.append(line, now()).map_err(|source| RunError::Write { path: folder.clone(), source })?;
        self.files = Some(files);
        Ok(())
    }
}

/// Shows an event to the person at the terminal.
pub(super) fn tell(event: &Event, bar: &Bar, progress: &Progress) {
    let gib = |bytes: Option<u64>| match bytes {
        Some(bytes) => format!(", {:.2} GiB", bytes as f64 / f64::from(1 << 30)),
        None => String::new(),
    };
    match event {
        Event::Fits { rows, tokens, took, peak } => {
            let what = match rows {
                1 => "the longest row".to_owned(),
                rows => format!("the {rows} longest rows together"),
            };
            let (took, peak) = (took.as_secs_f64(), gib(*peak));
            progress.say(&format!("{what}, {tokens} tokens, went through in {took:.1} s{peak}"));
        }
        Event::Resumed { step } => {
            bar.resume_at(*step);
            progress.say(&format!("goes on after step {step}"));
        }
        Event::Step(report) => {
            bar.message(format!(
                "loss {:.4}, {:.0} tokens/s{}",
                report.loss,
                report.tokens_per_second,
                gib(report.peak_memory_bytes)
            ));
            bar.set(report.step);
        }
        Event::Saved { .. } => {}
        Event::Checked { difference } => {
            progress.say(&format!("the saved adapter was read back; its logits differ by {difference:.1e}"));
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

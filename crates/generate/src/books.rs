//! The run's side of the ledgers' one owner: what is handed to it, and what it says is on the disk.

use std::sync::Arc;

use dataset::Prompt;
use dataset::attempts::Attempt;
use dataset::key::Key;
use dataset::ledger::{AppendError, AppendFile, Appender, Lock, Writer, line};
use dataset::row::Row;
use tokio::sync::mpsc::UnboundedSender;

use crate::stop::Stop;

/// Said when a line is on the disk, or never will be.
#[derive(Debug)]
pub enum Told {
    /// A row is.
    Row {
        /// The place of its arm.
        arm: usize,
        /// What it answers.
        prompt: Arc<Prompt>,
        /// Its key.
        key: Key,
    },
    /// An attempt is.
    Attempt,
    /// A line was lost: the writer has stopped on an error.
    Lost,
}

/// The open ledgers and `attempts.jsonl`.
#[derive(Debug)]
pub struct Books {
    writer: Writer,
    appender: Appender,
    attempts: usize,
    told: UnboundedSender<Told>,
    _locks: Vec<Lock>,
}

impl Books {
    /// Starts the owner. `ledgers` stand in the order of the arms.
    ///
    /// # Errors
    /// What the system says, if it gives no thread.
    pub fn open(
        ledgers: Vec<(AppendFile, Lock)>,
        attempts: AppendFile,
        told: UnboundedSender<Told>,
    ) -> std::io::Result<Self> {
        let (mut files, locks): (Vec<AppendFile>, Vec<Lock>) = ledgers.into_iter().unzip();
        let place = files.len();
        files.push(attempts);
        let (writer, appender) = Writer::start(files)?;
        Ok(Self { writer, appender, attempts: place, told, _locks: locks })
    }

    /// Hands over a row.
    ///
    /// # Errors
    /// A row that JSON cannot hold, which is a bug. A writer that has stopped says so through [`Told::Lost`].
    pub fn row(&self, row: &Row, arm: usize, prompt: Arc<Prompt>, key: Key) -> Result<(), Stop> {
        let bytes = line::encode(row).map_err(|error| Stop::Bug(format!("cannot write a row: {error}")))?;
        self.hand_over(arm, bytes, Told::Row { arm, prompt, key });
        Ok(())
    }

    /// Hands over an attempt that made no row.
    ///
    /// # Errors
    /// As [`Books::row`].
    pub fn attempt(&self, attempt: &Attempt) -> Result<(), Stop> {
        let bytes =
            line::encode(attempt).map_err(|error| Stop::Bug(format!("cannot write an attempt: {error}")))?;
        self.hand_over(self.attempts, bytes, Told::Attempt);
        Ok(())
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// What stopped the owner, if something did.
    pub fn close(self) -> Result<(), AppendError> {
        drop(self.appender);
        self.writer.join()
    }

    fn hand_over(&self, file: usize, bytes: Vec<u8>, on_disk: Told) {
        let ticket = Ticket { told: self.told.clone(), message: Told::Lost };
        let synced = move || ticket.say(on_disk);
        // A writer that has stopped drops the ticket, which then says so.
        let _ = self.appender.append(file, bytes, Box::new(synced));
    }
}

/// Says its message when dropped, so that a line that never reached the disk is heard of too.
struct Ticket {
    told: UnboundedSender<Told>,
    message: Told,
}

impl Ticket {
    fn say(mut self, message: Told) {
        self.message = message;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // After the end of the run nobody listens any more.
        drop(self.told.send(std::mem::replace(&mut self.message, Told::Lost)));
    }
}

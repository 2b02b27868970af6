//! A file that only grows, a line at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file open for appending. Every line goes out in one write; one that fails halfway is taken back.
#[derive(Debug)]
pub struct AppendFile {
    path: PathBuf,
    file: File,
    length: u64,
}

/// Why lines could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The file cannot be opened for writing.
    #[error("cannot open {path} for writing")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line could not be written or synced.
    #[error("cannot write to {path}: {hint}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What that means and what to do.
        hint: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl AppendFile {
    /// Opens the file, making it where it is missing.
    ///
    /// # Errors
    /// [`AppendError::Open`].
    pub fn open(path: &Path) -> Result<Self, AppendError> {
        let named = |source| AppendError::Open { path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(named)?;
        let length = file.metadata().map_err(named)?.len();
        Ok(Self { path: path.to_owned(), file, length })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line, its end included. After an error the file is as it was before, or, where even that fails,
    /// ends in a torn line that the next run sets aside.
    ///
    /// # Errors
    /// [`AppendError::Write`].
    pub fn append(&mut self, line: &[u8]) -> Result<(), AppendError> {
        match self.file.write_all(line) {
            Ok(()) => {
                self.length += line.len() as u64;
                Ok(())
            }
            Err(source) => {
                self.cut();
                Err(self.named(source))
            }
        }
    }

    /// Returns when everything appended so far is on the disk.
    ///
    /// # Errors
    /// [`AppendError::Write`].
    pub fn sync(&self) -> Result<(), AppendError> {
        self.file.sync_data().map_err(|source| self.named(source))
    }

    /// Takes a half-written line back. A handle that may only append cannot cut on Windows, so another one does.
    fn cut(&self) {
        let cut = OpenOptions::new().write(true).open(&self.path).and_then(|file| file.set_len(self.length));
        // There is nothing better to do where this fails: the torn line is found and set aside by the next run.
        drop(cut);
    }

    fn named(&self, source: io::Error) -> AppendError {
        let hint = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                "there is no room left; nothing in it is torn: make room and run the same command again"
            }
            _ => "nothing in it is lost: put right what the system says and run the same command again",
        };
        AppendError::Write { path: self.path.clone(), hint, source }
    }
}

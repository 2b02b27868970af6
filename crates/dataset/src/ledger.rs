//! An arm's ledger: append-only JSONL that one process writes at a time.
//!
//! Opening it takes the lock, reads what is there and sets aside what a crash left ([`recover`]); from then on lines
//! are only ever added, each by one write ([`append`]), by one thread that also syncs them ([`writer`]). Lines that
//! are already there are never changed, whoever wrote them.

use std::path::{Path, PathBuf};

use crate::layout::Layout;
use crate::scan::{self, Scan};

pub mod append;
pub mod line;
pub mod lock;
pub mod recover;
pub mod writer;

pub use append::{AppendError, AppendFile};
pub use lock::{Lock, LockError};
pub use recover::Recovery;
pub use writer::{Appender, Writer};

/// A ledger that is open for writing; the lock is held as long as it lives.
#[derive(Debug)]
pub struct Ledger {
    file: AppendFile,
    lock: Lock,
}

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder could not be made.
    #[error("cannot make the data folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else holds it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It could not be read.
    #[error("cannot read the ledger {path}")]
    Read {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What a crash left behind could not be set aside.
    #[error("cannot set aside what a crash left at the end of {path}; nothing of it was changed")]
    Recover {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It could not be opened for writing.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl Ledger {
    /// Opens the ledger of `arm`, making it where it is missing. Returns it with what it holds and, where a crash had
    /// left something, with what was done about it.
    ///
    /// # Errors
    /// [`OpenError`], with the path.
    pub fn open(layout: &Layout, arm: &str) -> Result<(Self, Scan, Option<Recovery>), OpenError> {
        let path = layout.ledger(arm);
        std::fs::create_dir_all(layout.folder())
            .map_err(|source| OpenError::Folder { path: layout.folder().to_owned(), source })?;
        let lock = Lock::take(&path)?;
        let scan = scan::scan(&path).map_err(|source| OpenError::Read { path: path.clone(), source })?;
        let recovery = recover::recover(&path, &scan, |n| layout.torn(arm, n))
            .map_err(|source| OpenError::Recover { path: path.clone(), source })?;
        let file = AppendFile::open(&path)?;
        Ok((Self { file, lock }, scan, recovery))
    }

    /// The ledger's path.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Appends one line, its end included, and returns when it is on the disk: for the few lines that are written
    /// before a [`Writer`] takes over.
    ///
    /// # Errors
    /// [`AppendError`].
    pub fn append(&mut self, line: &[u8]) -> Result<(), AppendError> {
        self.file.append(line)?;
        self.file.sync()
    }

    /// Splits into the file, for a [`Writer`], and the lock, to be kept until that writer has ended.
    pub fn into_parts(self) -> (AppendFile, Lock) {
        (self.file, self.lock)
    }
}

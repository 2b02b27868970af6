//! One writer at a time.
//!
//! The lock is on a file of its own beside the ledger: on Windows a locked file cannot be read by others, and reading
//! a ledger that is being written is what `status` and `gate` are for.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Held until dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process writes this ledger.
    #[error("the ledger {path} is in use by another process; wait for it to end, or stop it")]
    InUse {
        /// The ledger.
        path: PathBuf,
    },
    /// The lock file cannot be made or locked.
    #[error("cannot lock the ledger {path}")]
    System {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Lock {
    /// Takes the lock of the ledger at `path`, or says that another process has it; never waits.
    ///
    /// # Errors
    /// [`LockError`], with the ledger's path.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let ledger = path.to_owned();
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.with_extension("lock"));
        let file = match file {
            Ok(file) => file,
            Err(source) => return Err(LockError::System { path: ledger, source }),
        };
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse { path: ledger }),
            Err(TryLockError::Error(source)) => Err(LockError::System { path: ledger, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_which_ledger_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sft_aba.jsonl");
        let held = Lock::take(&path).unwrap();
        let refused = Lock::take(&path).unwrap_err();
        assert!(matches!(&refused, LockError::InUse { path: named } if *named == path), "{refused}");
        drop(held);
        Lock::take(&path).unwrap();
    }
}

//! One run at a time in an arm's folder: two would write each other's checkpoints and metrics.
//!
//! The lock is on a file beside the folder, so that nothing lies in it that is no part of the adapter.

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
    /// Another process trains there.
    #[error("another process trains into {folder}; wait for it to end, or give another --out")]
    InUse {
        /// The arm's folder.
        folder: PathBuf,
    },
    /// Nothing can be written there.
    #[error("cannot train into {folder}; make it writable, or give another --out")]
    System {
        /// The arm's folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Lock {
    /// Takes the lock of an arm's folder, and makes the folder; never waits.
    ///
    /// # Errors
    /// [`LockError`], with the folder.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let fail = |source| LockError::System { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(fail)?;
        let arm = folder.file_name().unwrap_or_default().to_string_lossy();
        let path = folder.with_file_name(format!(".{arm}.lock"));
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_which_folder_is_in_use() {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().join("aba");
        let held = Lock::take(&folder).unwrap();
        let refused = Lock::take(&folder).unwrap_err();
        assert!(matches!(&refused, LockError::InUse { folder: named } if *named == folder), "{refused}");
        Lock::take(&out.path().join("control")).unwrap();
        drop(held);
        Lock::take(&folder).unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let out = tempfile::tempdir().unwrap();
        let file = out.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = Lock::take(&file.join("aba")).unwrap_err();
        assert!(matches!(refused, LockError::System { .. }), "{refused}");
    }
}

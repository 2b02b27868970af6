//! `gate.json`: the gate's last verdict on a data folder, and the hashes of the bytes it was given on.
//!
//! The gate writes it; training asks it. It says nothing about any row: that is in the gate's report.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The format number that this version writes.
pub const FORMAT: u32 = 1;

/// Whether data may be trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No rule of severity error failed.
    Pass,
    /// At least one did.
    Fail,
}

/// The verdict on one data folder, with the hash of each ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`FORMAT`].
    pub format: u32,
    /// The experiment's name.
    pub experiment: String,
    /// One verdict over all arms: they are compared, so one bad arm spoils both.
    pub verdict: Verdict,
    /// When it was given, RFC 3339, UTC.
    pub judged_at: String,
    /// The ledgers, in the experiment's order of arms. A ledger that was not there is not listed.
    pub files: Vec<Judged>,
    /// Failures per rule, for the rules that had any.
    pub failures: BTreeMap<String, usize>,
}

/// One ledger as it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The arm.
    pub arm: String,
    /// The file's name within the folder of `gate.json`.
    pub file: String,
    /// Rows that could be read.
    pub rows: usize,
    /// The file's length in bytes.
    pub bytes: u64,
    /// Lower-case hex SHA-256 of the file.
    pub sha256: String,
}

/// Why a ledger may not be trained on.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// There is no `gate.json` beside the ledger.
    #[error("{path} does not exist: the gate has not judged this data; run `cargo xtask gate`")]
    NoVerdict {
        /// Where the verdict would lie.
        path: PathBuf,
    },
    /// `gate.json` is there but is not one.
    #[error("{path} is not a verdict of this gate; run `cargo xtask gate` again")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The gate failed the data.
    #[error("{path} says fail ({failures}); read the findings with `cargo xtask gate`")]
    Failed {
        /// The verdict.
        path: PathBuf,
        /// Rules and their counts, in words.
        failures: String,
    },
    /// The verdict does not speak of this ledger.
    #[error("{path} does not speak of {ledger}; run `cargo xtask gate` again")]
    NotJudged {
        /// The verdict.
        path: PathBuf,
        /// The ledger asked for.
        ledger: PathBuf,
    },
    /// The ledger changed after the verdict.
    #[error(
        "{ledger} is not the file that the gate judged (sha256 {found}, judged {judged}); run `cargo xtask gate` again"
    )]
    OtherBytes {
        /// The ledger.
        ledger: PathBuf,
        /// Its hash now.
        found: String,
        /// Its hash in the verdict.
        judged: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Reads the verdict at `path`.
///
/// # Errors
/// [`ReceiptError::NoVerdict`], [`ReceiptError::Unreadable`] or [`ReceiptError::File`].
pub fn read(path: &Path) -> Result<Receipt, ReceiptError> {
    let path = path.to_owned();
    match std::fs::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|source| ReceiptError::Unreadable { path, source })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(ReceiptError::NoVerdict { path }),
        Err(source) => Err(ReceiptError::File { action: "read", path, source }),
    }
}

/// Writes `receipt` to `path` whole or not at all: it is renamed into place.
///
/// # Errors
/// [`ReceiptError::File`].
pub fn write(path: &Path, receipt: &Receipt) -> Result<(), ReceiptError> {
    let fail = |source| ReceiptError::File { action: "write", path: path.to_owned(), source };
    let mut text =
        serde_json::to_string_pretty(receipt).map_err(|error| fail(std::io::Error::other(error)))?;
    text.push('\n');
    let beside = path.with_extension(format!("json.{}", std::process::id()));
    let mut file = std::fs::File::create(&beside).map_err(fail)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| std::fs::rename(&beside, path)).map_err(|error| {
        // The half-written file is ours alone; that it stays behind is no second error.
        let _ = std::fs::remove_file(&beside);
        fail(error)
    })
}

/// Checks that the `gate.json` beside `ledger` passes exactly the bytes that the ledger now holds, and returns what
/// was judged.
///
/// # Errors
/// [`ReceiptError`]: each says which command to run next.
pub fn verify(ledger: &Path) -> Result<Judged, ReceiptError> {
    let path = ledger.with_file_name("gate.json");
    let receipt = read(&path)?;
    if receipt.verdict == Verdict::Fail {
        let failures: Vec<String> =
            receipt.failures.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
        return Err(ReceiptError::Failed { path, failures: failures.join(", ") });
    }
    let name = ledger.file_name().map(|name| name.to_string_lossy());
    let judged = receipt.files.into_iter().find(|judged| Some(judged.file.as_str()) == name.as_deref());
    let judged = judged.ok_or_else(|| ReceiptError::NotJudged { path, ledger: ledger.to_owned() })?;
    let found = sha256(ledger).map_err(|source| ReceiptError::File {
        action: "read",
        path: ledger.to_owned(),
        source,
    })?;
    if found != judged.sha256 {
        return Err(ReceiptError::OtherBytes { ledger: ledger.to_owned(), found, judged: judged.sha256 });
    }
    Ok(judged)
}

/// Spells a hash as `sha256sum` does: lower-case hex.
pub fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest.iter().fold(String::with_capacity(digest.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(verdict: Verdict) -> Receipt {
        Receipt {
            format: FORMAT,
            experiment: "x".into(),
            verdict,
            judged_at: "2026-01-01T00:00:00Z".into(),
            files: vec![Judged {
                arm: "aba".into(),
                file: "sft_aba.jsonl".into(),
                rows: 1,
                bytes: 3,
                sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
            }],
            failures: BTreeMap::from([("think-block".to_owned(), 3)]),
        }
    }

    fn check(name: &str, bytes: &str, verdict: Option<Verdict>) -> Result<Judged, String> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(verdict) = verdict {
            write(&folder.path().join("gate.json"), &receipt(verdict)).unwrap();
        }
        let ledger = folder.path().join(name);
        std::fs::write(&ledger, bytes).unwrap();
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 1 + usize::from(verdict.is_some()), "nothing is left beside the verdict");
        verify(&ledger).map_err(|error| error.to_string())
    }

    #[test]
    fn exactly_the_judged_bytes_pass() {
        assert_eq!(check("sft_aba.jsonl", "abc", Some(Verdict::Pass)).unwrap().rows, 1);
    }

    #[test]
    fn anything_else_says_why_not() {
        let cases = [
            ("sft_aba.jsonl", "abc", None, "the gate has not judged"),
            ("sft_aba.jsonl", "abc", Some(Verdict::Fail), "says fail (think-block 3)"),
            ("sft_aba.jsonl", "abd", Some(Verdict::Pass), "is not the file that the gate judged"),
            ("sft_control.jsonl", "abc", Some(Verdict::Pass), "does not speak of"),
        ];
        for (name, bytes, verdict, expected) in cases {
            let error = check(name, bytes, verdict).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_receipt_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.json");
        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(read(&path), Err(ReceiptError::Unreadable { .. })));
    }
}

//! `runs.jsonl`: one line for each run of `gen` that came to its end, with what it met.
//!
//! 429s cost nothing and answer nothing, so neither the rows nor the attempts tell of them; here they are counted. A
//! run that was killed leaves no line: nothing but counts is lost with it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ledger::{AppendError, line};

/// The format number that this version writes.
const FORMAT: u32 = 1;

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunLine {
    /// 1.
    pub format: u32,
    /// When it ended, RFC 3339, UTC.
    pub ended: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Why it ended before every answer was there; absent where nothing was left to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// What each arm met.
    pub arms: BTreeMap<String, ArmLine>,
}

/// What one arm met in one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmLine {
    /// Rows that the run added.
    pub rows: u64,
    /// 429s.
    pub throttled: u64,
    /// Attempts that made no row, by reason.
    #[serde(default)]
    pub rejected: BTreeMap<String, u64>,
}

impl RunLine {
    /// A run that ended now.
    pub fn new(seconds: f64, stopped: Option<String>, arms: BTreeMap<String, ArmLine>) -> Self {
        Self { format: FORMAT, ended: jiff::Timestamp::now().to_string(), seconds, stopped, arms }
    }

    /// Adds the line to the file at `path`.
    ///
    /// # Errors
    /// [`AppendError`], with the path.
    pub fn append(&self, path: &Path) -> Result<(), AppendError> {
        // Strings and numbers in memory: serde_json has no reason to fail.
        let line = line::encode(self).unwrap_or_default();
        crate::attempts::open(path)?.append(&line)
    }
}

/// Reads the runs at `path`; a missing file has none. Lines that are no runs are passed over.
///
/// # Errors
/// What the system says.
pub fn read(path: &Path) -> io::Result<Vec<RunLine>> {
    let text = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back_in_order_past_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.jsonl");
        std::fs::write(&path, "{\"form").unwrap();
        let arm = ArmLine { rows: 3, throttled: 2, rejected: [("truncated".to_owned(), 1)].into() };
        let runs = [
            RunLine::new(1.5, Some("interrupted".into()), [("aba".to_owned(), arm.clone())].into()),
            RunLine::new(2.5, None, [("aba".to_owned(), arm)].into()),
        ];
        runs.iter().for_each(|run| run.append(&path).unwrap());
        assert_eq!(read(&path).unwrap(), runs);
        assert_eq!(read(&folder.path().join("none")).unwrap(), []);
    }
}

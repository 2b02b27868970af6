//! `attempts.jsonl`: every attempt that did not become a row, with its reason, its tokens and its text.
//!
//! 429s are not in it: they cost nothing and answer nothing. A line that a crash tore stays, and readers pass it over.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ledger::{AppendError, AppendFile};
use crate::row::{Row, Sampling, TokenStats};

/// One attempt that made no row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// [`crate::row::FORMAT`].
    pub format: u32,
    /// The key that its row would have had.
    pub key: String,
    /// The arm's name.
    pub arm: String,
    /// The prompt.
    pub instruction: String,
    /// The prompt's category.
    pub category: String,
    /// Which attempt at this prompt it was, from 1.
    pub attempt: u32,
    /// `truncated`, `empty`, `unfinished`, `blocked`, `format`, `model_version`; or, where no whole reply came,
    /// `connect`, `deadline`, `cut`, `empty_body`, `not_json`, `server`, `refused`.
    pub reason: String,
    /// The same in more words.
    pub detail: String,
    /// As the API spells it; absent where no whole reply came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// The version that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// The service's id of the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
    /// When it ended, RFC 3339, UTC.
    pub timestamp: String,
    /// The settings of the request.
    pub generation: Sampling,
    /// What it cost, where the reply says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_stats: Option<TokenStats>,
    /// The text that came, as it came.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// The whole row, where only a person's word is missing (`model_version`); its text is then here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Box<Row>>,
}

/// Opens the attempts at `path` for appending; a torn last line gets its end, so that the next one stands alone.
///
/// # Errors
/// [`AppendError`], with the path.
pub fn open(path: &Path) -> Result<AppendFile, AppendError> {
    end_last_line(path).map_err(|source| AppendError::Open { path: path.to_owned(), source })?;
    AppendFile::open(path)
}

fn end_last_line(path: &Path) -> io::Result<()> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        OpenOptions::new().append(true).open(path)?.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads the attempts at `path`, handing each to `each`; a missing file has none. Lines that are not attempts are
/// passed over and counted in the result.
///
/// # Errors
/// What the system says.
pub fn read(path: &Path, mut each: impl FnMut(Attempt)) -> io::Result<u64> {
    let mut file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut passed_over = 0;
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        match serde_json::from_slice(&line) {
            Ok(attempt) => each(attempt),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) => passed_over += 1,
        }
        line.clear();
    }
    Ok(passed_over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::line;

    #[test]
    fn a_torn_line_costs_no_other_line() {
        let attempt = Attempt {
            format: 1,
            key: "k".into(),
            arm: "aba".into(),
            instruction: "q".into(),
            category: "safety".into(),
            attempt: 2,
            reason: "truncated".into(),
            detail: "4096 tokens were not enough".into(),
            finish_reason: Some("MAX_TOKENS".into()),
            model_version: None,
            response_id: None,
            timestamp: "2026-11-23T10:00:00Z".into(),
            generation: Sampling { temperature: 1.0, max_output_tokens: 4096, thinking_level: None },
            token_stats: Some(TokenStats { input: 1, output: 2, thoughts: Some(3), cached: None, total: 6 }),
            output: "<think>".into(),
            row: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts.jsonl");
        std::fs::write(&path, "{\"format\":1,\"ke").unwrap();
        for _ in 0..2 {
            open(&path).unwrap().append(&line::encode(&attempt).unwrap()).unwrap();
        }
        let mut all = Vec::new();
        assert_eq!(read(&path, |attempt| all.push(attempt)).unwrap(), 1);
        assert_eq!(all, [attempt.clone(), attempt]);
    }
}

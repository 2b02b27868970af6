//! Attempts that made no row: why, and what they cost.

use std::collections::BTreeMap;
use std::path::Path;

use dataset::attempts;
use serde::Serialize;

use crate::generation::Tokens;
use crate::state::StateError;

/// What was asked and became no row.
#[derive(Debug, Default, Serialize)]
pub struct Lost {
    /// Attempts per reason.
    pub reasons: BTreeMap<String, usize>,
    /// What they cost.
    pub tokens: Tokens,
}

impl Lost {
    /// All attempts together.
    pub fn count(&self) -> usize {
        self.reasons.values().sum()
    }
}

/// Reads `attempts.jsonl`.
///
/// # Errors
/// The file exists and cannot be read.
pub fn read(path: &Path) -> Result<Lost, StateError> {
    let mut lost = Lost::default();
    let read = attempts::read(path, |attempt| {
        *lost.reasons.entry(attempt.reason).or_default() += 1;
        if let Some(stats) = attempt.token_stats {
            lost.tokens.input += stats.input;
            lost.tokens.output += stats.output;
            lost.tokens.thoughts += stats.thoughts.unwrap_or_default();
            lost.tokens.billed_output += stats.billed_output();
        }
    });
    read.map_err(|source| StateError::File { path: path.to_owned(), source })?;
    Ok(lost)
}

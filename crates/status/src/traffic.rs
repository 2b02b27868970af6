//! Attempts that made no row: why, and what they cost; and the 429s that cost nothing.

use std::collections::{BTreeMap, HashSet};

use dataset::{Layout, attempts, runs};
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
    /// Answers that a filter has refused and that are missing still.
    pub refused: usize,
    /// 429s of all runs that came to their end.
    pub throttled: u64,
}

impl Lost {
    /// All attempts together.
    pub fn count(&self) -> usize {
        self.reasons.values().sum()
    }
}

/// Reads `attempts.jsonl` and `runs.jsonl`. A reply that was held back and became a row once a person allowed it is the
/// row's already: `has_row` tells, given the arm and the prompt, and `is_missing` whether the experiment waits for one.
///
/// # Errors
/// One of them exists and cannot be read.
pub fn read(
    layout: &Layout,
    has_row: impl Fn(&str, &str) -> bool,
    is_missing: impl Fn(&str, &str) -> bool,
) -> Result<Lost, StateError> {
    let path = layout.attempts();
    let mut lost = Lost::default();
    let mut refused = HashSet::new();
    let read = attempts::read(&path, |attempt| {
        if attempt.row.is_some() && has_row(&attempt.arm, &attempt.instruction) {
            return;
        }
        if attempt.reason == "blocked" && is_missing(&attempt.arm, &attempt.instruction) {
            refused.insert((attempt.arm, attempt.instruction));
        }
        *lost.reasons.entry(attempt.reason).or_default() += 1;
        if let Some(stats) = attempt.token_stats {
            lost.tokens.add(&stats);
        }
    });
    read.map_err(|source| StateError::File { path, source })?;
    lost.refused = refused.len();
    let path = layout.runs();
    let runs = runs::read(&path).map_err(|source| StateError::File { path, source })?;
    lost.throttled = runs.iter().flat_map(|run| run.arms.values()).map(|arm| arm.throttled).sum();
    Ok(lost)
}

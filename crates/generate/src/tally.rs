//! What a run has done so far, per arm.

use std::collections::BTreeMap;

use dataset::row::TokenStats;

/// Counts of one arm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arm {
    /// Rows that were there when the run began.
    pub before: u64,
    /// Rows on the disk since then.
    pub rows: u64,
    /// Rows that there will be in all.
    pub total: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// 429s.
    pub throttled: u64,
    /// Attempts that made no row, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Replies whose token counts do not add up.
    pub mismatched: u64,
    /// Prompt tokens of everything answered.
    pub input: u64,
    /// Visible text and hidden thoughts of everything answered, also of what made no row.
    pub billed_output: u64,
}

impl Arm {
    /// Rows that are on the disk.
    pub fn done(&self) -> u64 {
        self.before + self.rows
    }

    /// Counts what a reply cost. A count that no reply can have must not end a run.
    pub fn bill(&mut self, tokens: &TokenStats) {
        self.input = self.input.saturating_add(tokens.input);
        self.billed_output = self.billed_output.saturating_add(tokens.billed_output());
    }
}

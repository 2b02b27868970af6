//! `[gate]` of `experiment.toml`: the numbers that rules compare with.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::report::Severity;

/// What the rules tolerate. Every key has a default, so an experiment without `[gate]` is judged as designed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Characters that a thinking block has at least. Default 100.
    pub min_think_chars: usize,
    /// Characters that an answer has at least. Default 50.
    pub min_answer_chars: usize,
    /// Visible tokens that the system prompts allow. Default 2,000.
    pub token_budget: u64,
    /// Share by which an answer may go over the budget. Default 0.10.
    pub token_tolerance: f64,
    /// Estimated share of common word sequences from which two answers of an arm count as near-duplicates; above 1
    /// the rule is off. Default 0.85.
    pub near_duplicate_similarity: f64,
    /// Share of an arm's rows that may be near-duplicates before they are an error and not a warning. Default 0.02.
    pub near_duplicate_share: f64,
    /// Difference between arms in the share of escalated or of resampled rows that is let pass. A larger one is an
    /// error only where chance does not explain it. Default 0.05.
    pub unlike_share: f64,
    /// Arms that promise to turn to something useful where they refuse. Default `["aba"]`.
    pub redirecting_arms: Vec<String>,
    /// Findings kept per rule and file; all are counted. Default 1,000.
    pub max_findings: usize,
    /// Another severity for rules that are a matter of taste. Rules that guard the form of a row keep theirs.
    pub severity: BTreeMap<String, Severity>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            min_think_chars: 100,
            min_answer_chars: 50,
            token_budget: 2_000,
            token_tolerance: 0.10,
            near_duplicate_similarity: 0.85,
            near_duplicate_share: 0.02,
            unlike_share: 0.05,
            redirecting_arms: vec!["aba".to_owned()],
            max_findings: 1_000,
            severity: BTreeMap::new(),
        }
    }
}

impl Thresholds {
    /// Says which value cannot be meant.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, share) in [
            ("token_tolerance", self.token_tolerance),
            ("near_duplicate_share", self.near_duplicate_share),
            ("unlike_share", self.unlike_share),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("[gate] {name} is {share}; a share goes from 0 to 1"));
            }
        }
        if self.near_duplicate_similarity.is_nan() || self.near_duplicate_similarity < 0.5 {
            return Err(format!(
                "[gate] near_duplicate_similarity is {}; below 0.5 the estimate says nothing",
                self.near_duplicate_similarity
            ));
        }
        if self.max_findings == 0 {
            return Err("[gate] max_findings is 0; a failure without a finding helps nobody".into());
        }
        for name in self.severity.keys() {
            match crate::rules::find(name) {
                None => return Err(format!("[gate.severity] there is no rule `{name}`")),
                Some(rule) if rule.fixed => {
                    return Err(format!(
                        "[gate.severity] `{name}` guards the form of a row and stays an error"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

//! What the gate says: a verdict, the arms' statistics, and every rule with its findings.

use std::path::PathBuf;

use dataset::receipt::Verdict;
use serde::{Deserialize, Serialize};

use crate::stats::Stats;

/// The gate's whole answer.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Fail where a rule of severity error failed.
    pub verdict: Verdict,
    /// One per arm, in the experiment's order; also for arms whose ledger is missing.
    pub files: Vec<FileReport>,
    /// Every rule, failed or not, in the order in which a row meets them.
    pub rules: Vec<RuleReport>,
}

/// One ledger.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    /// Where it lies.
    pub path: PathBuf,
    /// Whose it is.
    pub arm: String,
    /// Lines that could be read as a row.
    pub rows: usize,
    /// Lower-case hex SHA-256 of the bytes that were judged; absent where there was no file.
    pub sha256: Option<String>,
    /// Length in bytes.
    pub bytes: u64,
    /// What the rows are like.
    pub stats: Stats,
}

/// One rule.
#[derive(Debug, Clone, Serialize)]
pub struct RuleReport {
    /// Kebab-case name, stable.
    pub rule: &'static str,
    /// What a failure means for the verdict.
    pub severity: Severity,
    /// One sentence: what goes wrong in training without the rule.
    pub why: &'static str,
    /// How often it failed.
    pub failures: usize,
    /// The first of the failures, in order of arm and line; at most `max_findings` a file.
    pub findings: Vec<Finding>,
}

/// One failure of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The ledger.
    pub path: PathBuf,
    /// The line, from 1; absent where the finding is about the whole file.
    pub line: Option<usize>,
    /// The rule's name.
    #[serde(skip)]
    pub rule: &'static str,
    /// What is wrong, for a person.
    pub message: String,
    /// A few words of the row; empty where none help. Model output: escape it where it is shown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}

/// What a failure means for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Shown; the verdict stands.
    Warning,
    /// The data may not be trained on.
    Error,
}

impl Severity {
    /// `warning` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Report {
    /// Every finding, in the order of rules, arms and lines.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.rules.iter().flat_map(|rule| &rule.findings)
    }

    /// The rules that failed, in order.
    pub fn failed(&self) -> impl Iterator<Item = &RuleReport> {
        self.rules.iter().filter(|rule| rule.failures > 0)
    }
}

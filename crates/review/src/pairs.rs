//! What the page shows: every prompt with the answer of each arm and the findings on it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use dataset::receipt::Verdict;
use dataset::{Experiment, Layout, Row};
use gate::{GateError, Report};
use serde::Serialize;

/// Everything on the page.
#[derive(Debug, Serialize)]
pub struct Review {
    /// The experiment's name.
    pub experiment: String,
    /// `pass` or `fail`.
    pub verdict: Verdict,
    /// The arms, in the experiment's order.
    pub arms: Vec<ArmSummary>,
    /// Every rule that failed, with its sentence.
    pub rules: Vec<FailedRule>,
    /// The prompts, those with an answer first come first, in the order of the first arm's ledger.
    pub pairs: Vec<Pair>,
    /// Findings about a whole file.
    pub notes: Vec<Badge>,
}

/// One arm in figures.
#[derive(Debug, Serialize)]
pub struct ArmSummary {
    /// Its name.
    pub name: String,
    /// Its system prompt.
    pub system_prompt: String,
    /// Rows in its ledger.
    pub rows: usize,
    /// Findings on its rows.
    pub findings: usize,
}

/// A rule that failed somewhere.
#[derive(Debug, Serialize)]
pub struct FailedRule {
    /// Its name.
    pub name: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Why it is there.
    pub why: String,
    /// How often it failed.
    pub failures: usize,
}

/// One prompt.
#[derive(Debug, Serialize)]
pub struct Pair {
    /// The user's words.
    pub prompt: String,
    /// Its category.
    pub category: String,
    /// Its finer theme.
    pub sub_theme: String,
    /// One entry an arm, in the order of [`Review::arms`]; `None` where it has no row.
    pub answers: Vec<Option<Answer>>,
}

/// One arm's answer.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The line in the ledger, from 1.
    pub line: usize,
    /// The thinking, without its tags; absent where there is no whole block.
    pub think: Option<String>,
    /// The rest.
    pub text: String,
    /// As spelled in the row.
    pub finish_reason: String,
    /// Visible tokens.
    pub tokens: u64,
    /// Hidden thoughts, in tokens.
    pub thoughts: Option<u64>,
    /// Requests it took.
    pub attempts: Option<u32>,
    /// What the gate found on it.
    pub findings: Vec<Badge>,
}

/// One finding.
#[derive(Debug, Clone, Serialize)]
pub struct Badge {
    /// The rule.
    pub rule: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The gate could not judge.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A ledger could not be read.
    #[error("cannot read the ledger {path}")]
    Read {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing to show.
    #[error("no ledger in {folder} has a row; run `cargo xtask gen` first")]
    Empty {
        /// The data folder.
        folder: PathBuf,
    },
}

impl Review {
    /// Reads and judges the ledgers of `experiment` in `layout`.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub fn read(experiment: &Experiment, layout: &Layout) -> Result<Self, ReviewError> {
        let mut thresholds = gate::judge::thresholds(experiment)?;
        // Every badge is wanted here, not the first thousand.
        thresholds.max_findings = usize::MAX;
        let report = gate::judge(experiment, layout, &thresholds)?;
        let badges = Badges::new(&report);
        let mut pairs: Vec<Pair> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for (index, arm) in experiment.arms.iter().enumerate() {
            let path = layout.ledger(&arm.name);
            for (line, row) in rows(&path)? {
                let at = *known.entry(row.instruction.clone()).or_insert_with(|| {
                    pairs.push(Pair::new(&row, experiment.arms.len()));
                    pairs.len() - 1
                });
                let findings = badges.of(&path, line);
                // A second answer to the same prompt is a finding of the gate; the first one is shown.
                pairs[at].answers[index].get_or_insert_with(|| Answer::new(line, row, findings));
            }
        }
        if pairs.is_empty() {
            return Err(ReviewError::Empty { folder: layout.folder().to_owned() });
        }
        let arms = experiment.arms.iter().zip(&report.files).map(|(arm, file)| ArmSummary {
            name: arm.name.clone(),
            system_prompt: arm.system_prompt.clone(),
            rows: file.rows,
            findings: report.findings().filter(|finding| finding.path == file.path).count(),
        });
        Ok(Self {
            experiment: experiment.name.clone(),
            verdict: report.verdict,
            arms: arms.collect(),
            rules: report
                .failed()
                .map(|rule| FailedRule {
                    name: rule.rule.to_owned(),
                    severity: rule.severity.name(),
                    why: rule.why.to_owned(),
                    failures: rule.failures,
                })
                .collect(),
            pairs,
            notes: badges.notes,
        })
    }
}

impl Pair {
    fn new(row: &Row, arms: usize) -> Self {
        Self {
            prompt: row.instruction.clone(),
            category: row.meta.category.clone(),
            sub_theme: row.meta.sub_theme.clone(),
            answers: (0..arms).map(|_| None).collect(),
        }
    }
}

impl Answer {
    fn new(line: usize, row: Row, findings: Vec<Badge>) -> Self {
        let (think, text) = split(&row.output);
        Self {
            line,
            think,
            text,
            tokens: row.token_stats.output,
            thoughts: row.token_stats.thoughts,
            attempts: row.meta.attempts,
            finish_reason: row.meta.finish_reason,
            findings,
        }
    }
}

/// Parts the thinking from the answer where the block is whole and first; otherwise all is answer, as it stands.
fn split(output: &str) -> (Option<String>, String) {
    match output.trim_start().strip_prefix("<think>").and_then(|rest| rest.split_once("</think>")) {
        Some((think, answer)) => (Some(think.trim().to_owned()), answer.trim().to_owned()),
        None => (None, output.to_owned()),
    }
}

/// The rows that can be read, with their lines; the others are findings already.
fn rows(path: &Path) -> Result<Vec<(usize, Row)>, ReviewError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(ReviewError::Read { path: path.to_owned(), source }),
    };
    let lines = bytes.split(|&byte| byte == b'\n').enumerate();
    Ok(lines.filter_map(|(index, line)| Some((index + 1, serde_json::from_slice(line).ok()?))).collect())
}

/// Findings by where they are.
struct Badges {
    on_lines: HashMap<(PathBuf, usize), Vec<Badge>>,
    notes: Vec<Badge>,
}

impl Badges {
    fn new(report: &Report) -> Self {
        let mut badges = Self { on_lines: HashMap::new(), notes: Vec::new() };
        for rule in report.failed() {
            for finding in &rule.findings {
                let badge = Badge {
                    rule: rule.rule.to_owned(),
                    severity: rule.severity.name(),
                    message: finding.message.clone(),
                };
                match finding.line {
                    Some(line) => {
                        badges.on_lines.entry((finding.path.clone(), line)).or_default().push(badge)
                    }
                    None => badges.notes.push(badge),
                }
            }
        }
        badges
    }

    fn of(&self, path: &Path, line: usize) -> Vec<Badge> {
        self.on_lines.get(&(path.to_owned(), line)).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking_is_parted_only_where_its_block_is_whole() {
        assert_eq!(split("<think>\na\n</think>\n\nb"), (Some("a".into()), "b".into()));
        for whole in ["<think>a", "b <think>a</think>", "b"] {
            assert_eq!(split(whole), (None, whole.to_owned()));
        }
    }
}

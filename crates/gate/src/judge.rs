//! Reading every ledger of an experiment and putting the verdict together.

use std::fs::File;
use std::path::{Path, PathBuf};

use dataset::experiment::ExperimentError;
use dataset::prompt::{Prompt, PromptError};
use dataset::receipt::{self, Verdict};
use dataset::{Arm, Experiment, Layout};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::block;
use crate::context::{ArmContext, Context};
use crate::report::{FileReport, Finding, Report, RuleReport, Severity};
use crate::rules::{Check, FILE_FORM, Failure, NO_ROWS, Outcome, RULES, file_form};
use crate::summary::Summary;
use crate::thresholds::Thresholds;
use crate::waves::Wave;

/// Bytes that one thread judges at a time.
const BLOCK: usize = 256 << 10;

/// Why no verdict could be given at all. Bad data is no error: it is a verdict.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The experiment file, its arms or its `[gate]`.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The prompts, without which no row can be told from a foreign one.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// A threshold that cannot be meant.
    #[error("{path}: {what}")]
    Threshold {
        /// The experiment file.
        path: PathBuf,
        /// Which value, and what it may be.
        what: String,
    },
    /// A ledger that is there but cannot be read.
    #[error("cannot read the ledger {path}")]
    Read {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// One arm's ledger after it was read.
pub struct Judged<'e> {
    /// The arm.
    pub arm: &'e Arm,
    /// Its ledger.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its hash; `None` where there is no file.
    pub sha256: Option<String>,
    /// What its rows came to.
    pub summary: Summary,
}

/// Reads the thresholds of `[gate]`, or the defaults where there is no such section.
///
/// # Errors
/// An unknown key, or a value that cannot be meant.
pub fn thresholds(experiment: &Experiment) -> Result<Thresholds, GateError> {
    let thresholds: Thresholds = experiment.section("gate")?;
    match thresholds.check() {
        Ok(()) => Ok(thresholds),
        Err(what) => Err(GateError::Threshold { path: experiment.path.clone(), what }),
    }
}

/// Judges the ledgers in `layout`, all arms at once and each in parallel. Memory is some megabytes and, as measured
/// from 10,000 to 140,000 rows of two arms, 0.3 KB a row with its prompts, or 0.55 KB with near-duplicates on.
///
/// # Errors
/// Only where no verdict can be given: [`GateError`]. A missing ledger is a failure of the data.
pub fn judge(experiment: &Experiment, layout: &Layout, thresholds: &Thresholds) -> Result<Report, GateError> {
    let context = Context::new(experiment, thresholds, prompts(experiment)?);
    let read = |arm| read(&context.arm(arm), layout.ledger(&arm.name), layout.folder());
    let judged: Vec<Judged<'_>> = experiment.arms.par_iter().map(read).collect::<Result<_, _>>()?;
    Ok(report(&context, judged))
}

/// The experiment's prompts and, where it names some, its smoke prompts.
fn prompts(experiment: &Experiment) -> Result<Vec<Prompt>, PromptError> {
    let mut prompts = experiment.prompts()?;
    match experiment.smoke_prompts() {
        Ok(smoke) => prompts.extend(smoke),
        Err(PromptError::NoSmoke { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(prompts)
}

fn read<'e>(context: &ArmContext<'e>, path: PathBuf, folder: &Path) -> Result<Judged<'e>, GateError> {
    let mut judged = Judged {
        arm: context.arm,
        bytes: 0,
        sha256: None,
        summary: Summary::new(context.shared.thresholds.max_findings),
        path,
    };
    match File::open(&judged.path) {
        Ok(file) => judged
            .run(context, file)
            .map_err(|source| GateError::Read { path: judged.path.clone(), source })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = match folder.is_dir() {
                true => format!("there is no {}; run `cargo xtask gen`", judged.path.display()),
                false => format!("the folder {} does not exist; run `cargo xtask gen`", folder.display()),
            };
            judged.summary.fail(NO_ROWS, 0, Failure { message, excerpt: String::new() });
        }
        Err(source) => return Err(GateError::Read { path: judged.path, source }),
    }
    Ok(judged)
}

impl Judged<'_> {
    /// Reads `file` wave by wave: while one is hashed and judged, the next is read.
    fn run(&mut self, context: &ArmContext<'_>, mut file: File) -> std::io::Result<()> {
        let mut hasher = Sha256::new();
        let (mut wave, mut next) = (Wave::default(), Wave::default());
        wave.fill(&Wave::default(), &mut file)?;
        let foreign = file_form::foreign(wave.lines());
        if let Some(failure) = &foreign {
            self.summary.fail(FILE_FORM, 0, failure.clone());
        }
        loop {
            let lines = wave.lines();
            self.bytes += lines.len() as u64;
            let judge =
                || foreign.is_none().then(|| judge_wave(context, &wave, self.bytes == lines.len() as u64));
            let read = || {
                hasher.update(lines);
                if wave.is_last() { Ok(()) } else { next.fill(&wave, &mut file) }
            };
            let (summary, read) = rayon::join(judge, read);
            read?;
            if let Some(summary) = summary {
                self.summary.append(summary);
            }
            if wave.is_last() {
                break;
            }
            std::mem::swap(&mut wave, &mut next);
        }
        let torn = !matches!(wave.lines().last(), None | Some(b'\n'));
        if torn && foreign.is_none() {
            self.summary.fail(FILE_FORM, self.summary.lines, file_form::torn());
        }
        if self.summary.filled == 0 && foreign.is_none() {
            let message = "the ledger has no rows; run `cargo xtask gen`".to_owned();
            self.summary.fail(NO_ROWS, 0, Failure { message, excerpt: String::new() });
        }
        self.sha256 = Some(receipt::hex(&hasher.finalize()));
        Ok(())
    }
}

/// Judges the lines of `wave`, in parallel.
fn judge_wave(context: &ArmContext<'_>, wave: &Wave, first: bool) -> Summary {
    let mut lines = wave.lines();
    if first && let Some(rest) = lines.strip_prefix(file_form::BOM) {
        lines = rest;
    }
    if wave.continues_long_line() {
        lines = memchr::memchr(b'\n', lines).map_or(&[], |at| &lines[at + 1..]);
    }
    let summaries: Vec<Summary> =
        blocks(lines).par_iter().map(|lines| block::judge(context, lines)).collect();
    let mut whole = Summary::new(context.shared.thresholds.max_findings);
    if first && wave.lines().starts_with(file_form::BOM) {
        whole.fail(FILE_FORM, 1, file_form::marked());
    }
    summaries.into_iter().for_each(|summary| whole.append(summary));
    whole
}

/// Cuts `lines` into blocks of about [`BLOCK`] bytes that end where a line ends.
fn blocks(mut lines: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::with_capacity(lines.len() / BLOCK + 1);
    while !lines.is_empty() {
        let from = BLOCK.min(lines.len()) - 1;
        let end = memchr::memchr(b'\n', &lines[from..]).map_or(lines.len(), |at| from + at + 1);
        let (block, rest) = lines.split_at(end);
        blocks.push(block);
        lines = rest;
    }
    blocks
}

fn report(context: &Context<'_>, mut judged: Vec<Judged<'_>>) -> Report {
    let mut severities: Vec<Severity> = RULES
        .iter()
        .map(|rule| context.thresholds.severity.get(rule.name).copied().unwrap_or(rule.severity))
        .collect();
    let outcomes: Vec<(usize, Outcome)> = RULES
        .par_iter()
        .enumerate()
        .filter_map(|(index, rule)| match rule.check {
            Check::Set(check) => Some((index, check(context, &judged))),
            Check::Reader | Check::Row(_) => None,
        })
        .collect();
    for (index, Outcome { failures, tolerated }) in outcomes {
        if tolerated {
            severities[index] = Severity::Warning;
        }
        for failure in failures {
            judged[failure.arm].summary.fail(index, failure.line, failure.failure);
        }
    }
    let rules: Vec<RuleReport> = RULES
        .iter()
        .zip(severities)
        .enumerate()
        .map(|(index, (rule, severity))| RuleReport {
            rule: rule.name,
            severity,
            why: rule.why,
            failures: judged.iter().map(|judged| judged.summary.failures[index].count).sum(),
            findings: judged.iter().flat_map(|judged| findings(judged, index, rule.name)).collect(),
        })
        .collect();
    let failed = rules.iter().any(|rule| rule.failures > 0 && rule.severity == Severity::Error);
    let files = judged.into_iter().map(|judged| FileReport {
        path: judged.path,
        arm: judged.arm.name.clone(),
        rows: judged.summary.rows,
        sha256: judged.sha256,
        bytes: judged.bytes,
        stats: judged.summary.stats,
    });
    Report { verdict: if failed { Verdict::Fail } else { Verdict::Pass }, files: files.collect(), rules }
}

fn findings(judged: &Judged<'_>, index: usize, rule: &'static str) -> Vec<Finding> {
    let mut kept: Vec<&(usize, Failure)> = judged.summary.failures[index].kept.iter().collect();
    kept.sort_by_key(|(line, _)| *line);
    let finding = |(line, failure): &(usize, Failure)| Finding {
        path: judged.path.clone(),
        line: (*line > 0).then_some(*line),
        rule,
        message: failure.message.clone(),
        excerpt: failure.excerpt.clone(),
    };
    kept.into_iter().map(finding).collect()
}

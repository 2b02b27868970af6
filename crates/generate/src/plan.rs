//! What the flags and the experiment come to: which answers are missing, and how they are asked for.
//!
//! Everything that can be found wrong without a request is found wrong here.

use std::path::PathBuf;
use std::time::Duration;

use dataset::attempts;
use dataset::key::{Tag, tag_of_hex};
use dataset::ledger::{Ledger, OpenError, line};
use dataset::prompt::PromptError;
use dataset::run::{Change, Run, RunError};
use dataset::scan::{self, Found, Index, Scan};
use dataset::selection::Selection;
use dataset::source::Source;
use dataset::{Experiment, Layout};
use vertex::Model;

use crate::flags::Flags;
use crate::forecast;
use crate::job::Common;
use crate::salvage;
use crate::tally;

/// A run that may begin.
#[derive(Debug)]
pub struct Plan {
    /// The experiment, whole.
    pub experiment: Experiment,
    /// Where the data lies.
    pub layout: Layout,
    /// The prompts that were chosen.
    pub source: Source,
    /// What every request has in common.
    pub common: Common,
    /// `run.json`, as it will be written.
    pub run: Run,
    /// What the pacer is told.
    pub limits: pacer::Limits,
    /// How the client sends.
    pub options: vertex::Options,
    /// Requests that one answer may take.
    pub max_attempts: u32,
    /// Model versions that a person accepts.
    pub accepted_versions: Vec<String>,
    /// Whether changed settings are accepted.
    pub accept_changes: bool,
}

/// What the ledgers hold of what is planned.
#[derive(Debug)]
pub struct Standing {
    /// Per arm, which prompts have a row.
    pub indexes: Vec<Index>,
    /// Per arm, the counts to begin with.
    pub tally: Vec<tally::Arm>,
    /// Per arm, what all rows in the ledger took.
    pub past: Vec<Past>,
}

/// What the rows of one arm took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past {
    /// Rows in the ledger.
    pub rows: u64,
    /// Attempts that made none of them.
    pub lost: u64,
    /// Tokens of the rows; after [`Plan::look`], of the lost attempts as well.
    pub tokens: scan::Totals,
}

impl Past {
    /// The same for one row; `None` where there is none.
    pub fn mean(&self) -> Option<forecast::Past> {
        let mean = |sum: u64| sum as f64 / self.rows as f64;
        (self.rows > 0).then(|| forecast::Past {
            rows: self.rows as f64,
            requests: mean(self.rows + self.lost),
            input: mean(self.tokens.input),
            output: mean(self.tokens.billed_output),
        })
    }
}

/// Why no run begins. Nothing has been sent.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The experiment.
    #[error(transparent)]
    Experiment(#[from] dataset::experiment::ExperimentError),
    /// Its prompts.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// Its model.
    #[error(transparent)]
    Model(#[from] vertex::ModelError),
    /// `run.json`.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A ledger.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A ledger, or `attempts.jsonl`, that could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Settings are not what they were.
    #[error(
        "the rows in {folder} were made under other settings:\n{}\nput the settings back, name another --data folder, or give --accept-changes: the rows then stay and count as done, and only what is missing is asked under the new settings",
        lines(changes)
    )]
    Changed {
        /// The data folder.
        folder: PathBuf,
        /// What is different.
        changes: Vec<Change>,
    },
    /// Rows of unknown settings.
    #[error(
        "{ledger} has {rows} rows that answer prompts of this experiment under settings that run.json does not know, the first to {first:?}; restore run.json, name another --data folder, or give --accept-changes to count them as done"
    )]
    Foreign {
        /// The ledger.
        ledger: PathBuf,
        /// How many.
        rows: u64,
        /// The prompt of the first.
        first: String,
    },
}

fn lines(changes: &[Change]) -> String {
    let lines: Vec<String> = changes.iter().map(|change| format!("  {change}")).collect();
    lines.join("\n")
}

impl Plan {
    /// Reads the experiment, checks every prompt, and compares the settings with those of the data folder.
    ///
    /// # Errors
    /// [`PlanError`]; nothing has been written.
    pub fn new(flags: &Flags) -> Result<Self, PlanError> {
        let experiment = Experiment::load(&flags.experiment)?;
        let model: Model = experiment.generation.model.parse()?;
        let wanted = |number: Option<u64>| number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let selection = Selection {
            limit: wanted(flags.limit),
            per_category: wanted(flags.per_category),
            seed: flags.seed,
        };
        let source = experiment.source(flags.smoke, &selection)?;
        let layout = Layout::new(flags.data.as_deref(), &experiment.name);
        let run = settle(&layout, &experiment, flags.accept_changes)?;
        let max_in_flight = usize::try_from(flags.max_in_flight).unwrap_or(usize::MAX);
        Ok(Self {
            common: Common {
                model,
                settings: run.settings.clone(),
                arms: experiment.arms.iter().map(|arm| arm.name.clone()).collect(),
            },
            source,
            layout,
            run,
            limits: pacer::Limits {
                requests_per_minute: flags.rpm,
                tokens_per_minute: flags.tpm,
                max_in_flight,
                ..pacer::Limits::default()
            },
            options: vertex::Options {
                // A deadline of centuries is no deadline, but no reason to panic either.
                deadline: Duration::try_from_secs_f64(flags.deadline).unwrap_or(Duration::MAX),
                max_in_flight,
            },
            max_attempts: u32::try_from(flags.max_attempts).unwrap_or(u32::MAX),
            accepted_versions: flags.accept_model_version.clone(),
            accept_changes: flags.accept_changes,
            experiment,
        })
    }

    /// Notes whether a server on this machine will answer, and compares that with who has answered so far.
    ///
    /// # Errors
    /// [`PlanError::Changed`]; nothing has been written.
    pub fn ask(&mut self, loopback: bool) -> Result<(), PlanError> {
        match self.run.answered_by(loopback) {
            Some(change) if !self.accept_changes => {
                Err(PlanError::Changed { folder: self.layout.folder().to_owned(), changes: vec![change] })
            }
            _ => Ok(()),
        }
    }

    /// Reads the ledgers, and the attempts that made no row, without touching them.
    ///
    /// # Errors
    /// One that cannot be read, or holds rows of other settings.
    pub fn look(&self) -> Result<Standing, PlanError> {
        let scans = self.common.arms.iter().map(|arm| {
            let path = self.layout.ledger(arm);
            scan::scan(&path).map_err(|source| PlanError::Read { path, source })
        });
        let mut standing = self.stand(scans.collect::<Result<_, _>>()?)?;
        let path = self.layout.attempts();
        let read = attempts::read(&path, |attempt| {
            let Some(arm) = self.common.arms.iter().position(|name| *name == attempt.arm) else { return };
            // One that became a row once a person allowed it is counted there.
            if attempt.row.is_some() && standing.indexes[arm].find(&attempt.instruction).is_some() {
                return;
            }
            let past = &mut standing.past[arm];
            past.lost += 1;
            if let Some(tokens) = attempt.token_stats {
                past.tokens.input = past.tokens.input.saturating_add(tokens.input);
                past.tokens.billed_output = past.tokens.billed_output.saturating_add(tokens.billed_output());
            }
        });
        read.map_err(|source| PlanError::Read { path, source })?;
        Ok(standing)
    }

    /// Opens the ledgers for writing; what a crash left in them is set aside, and `say` is told.
    ///
    /// # Errors
    /// One that is in use, cannot be read or written, or holds rows of other settings.
    pub fn open(&mut self, say: impl Fn(&str)) -> Result<(Standing, Vec<Ledger>), PlanError> {
        let (mut scans, mut ledgers) = (Vec::new(), Vec::new());
        for arm in &self.common.arms {
            let (ledger, scan, recovery) = Ledger::open(&self.layout, arm)?;
            if let Some(recovery) = recovery {
                say(&recovery.describe(ledger.path()));
            }
            for strange in &scan.described {
                say(&format!(
                    "{}:{}: not a row, left where it is: {}",
                    ledger.path().display(),
                    strange.line,
                    strange.what
                ));
            }
            if scan.strange > scan.described.len() as u64 {
                say(&format!("{}: {} lines are no rows", ledger.path().display(), scan.strange));
            }
            scans.push(scan);
            ledgers.push(ledger);
        }
        self.salvage(&mut scans, &mut ledgers, say)?;
        Ok((self.stand(scans)?, ledgers))
    }

    /// Makes rows of the answers that only lacked a person's word, which `--accept-model-version` gives.
    fn salvage(
        &mut self,
        scans: &mut [Scan],
        ledgers: &mut [Ledger],
        say: impl Fn(&str),
    ) -> Result<(), PlanError> {
        let indexes: Vec<&Index> = scans.iter().map(|scan| &scan.index).collect();
        let path = self.layout.attempts();
        let found =
            salvage::find(self, &indexes).map_err(|source| PlanError::Read { path: path.clone(), source })?;
        for (arm, row) in &found {
            let bytes = line::encode(row).map_err(|error| PlanError::Read {
                path: path.clone(),
                source: std::io::Error::from(error),
            })?;
            ledgers[*arm].append(&bytes).map_err(OpenError::from)?;
            scans[*arm].rows += 1;
            scans[*arm].index.insert(&row.instruction, row.key.as_deref().and_then(tag_of_hex));
            if let Some(version) = &row.meta.model_version
                && !self.run.model_versions.contains(version)
            {
                self.run.model_versions.push(version.clone());
            }
        }
        if !found.is_empty() {
            say(&format!("{} answers that were kept in {} are rows now", found.len(), path.display()));
        }
        Ok(())
    }

    /// Counts what of the plan is there.
    fn stand(&self, scans: Vec<Scan>) -> Result<Standing, PlanError> {
        let mut tally = vec![tally::Arm::default(); scans.len()];
        let mut foreign: Vec<(u64, String)> = vec![(0, String::new()); scans.len()];
        for prompt in self.source.prompts()? {
            let prompt = prompt?;
            for (arm, scan) in scans.iter().enumerate() {
                tally[arm].total += 1;
                let Some(found) = scan.index.find(&prompt.text) else { continue };
                tally[arm].before += 1;
                if let Found::Key(key) = found
                    && !self.accept_changes
                    && !self.knows(arm, &prompt.text, key)
                {
                    foreign[arm].0 += 1;
                    if foreign[arm].0 == 1 {
                        foreign[arm].1 = prompt.text.chars().take(60).collect();
                    }
                }
            }
        }
        for (arm, (rows, first)) in foreign.into_iter().enumerate() {
            if rows > 0 {
                let ledger = self.layout.ledger(&self.common.arms[arm]);
                return Err(PlanError::Foreign { ledger, rows, first });
            }
        }
        Ok(Standing {
            tally,
            past: scans.iter().map(|scan| Past { rows: scan.rows, lost: 0, tokens: scan.tokens }).collect(),
            indexes: scans.into_iter().map(|scan| scan.index).collect(),
        })
    }

    fn knows(&self, arm: usize, prompt: &str, key: Tag) -> bool {
        self.run.keys(&self.common.arms[arm], prompt).any(|known| known.tag() == key)
    }
}

/// Compares the settings with those of `run.json`.
fn settle(layout: &Layout, experiment: &Experiment, accept: bool) -> Result<Run, PlanError> {
    let Some(mut run) = Run::load(&layout.run())? else { return Ok(Run::new(experiment)) };
    let changes = run.changes(experiment);
    if !changes.is_empty() {
        if !accept {
            return Err(PlanError::Changed { folder: layout.folder().to_owned(), changes });
        }
        run.accept(experiment);
    }
    Ok(run)
}

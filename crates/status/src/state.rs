//! Everything that is known of an experiment at one moment.

use std::io;
use std::path::{Path, PathBuf};

use dataset::prompt::PromptError;
use dataset::{Experiment, Layout, command};
use serde::Serialize;

use crate::generation::{self, ArmRows};
use crate::next::{self, Step};
use crate::traffic::{self, Lost};
use crate::training::{self, ArmTraining};
use crate::verdict::{self, Verdict};

/// The state of an experiment, as `status --json` prints it.
#[derive(Debug, Serialize)]
pub struct State {
    /// The experiment's name.
    pub experiment: String,
    /// The experiment's file.
    pub path: PathBuf,
    /// The model that is asked.
    pub model: String,
    /// The folder with the ledgers.
    pub data: PathBuf,
    /// Prompts that each arm answers.
    pub prompts: usize,
    /// The ledgers, in the experiment's order of arms.
    pub arms: Vec<ArmRows>,
    /// Prompts that only some of the arms have answered.
    pub incomplete_pairs: usize,
    /// Attempts that made no row.
    pub lost: Lost,
    /// US dollars, rows and lost attempts together.
    pub cost: f64,
    /// What the gate last said, and whether it still holds.
    pub verdict: Verdict,
    /// The adapters, in the same order.
    pub training: Vec<ArmTraining>,
    /// What is to be done next.
    pub next: Step,
}

/// Why the state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The prompts file.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// A file of the data folder.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl State {
    /// Reads what the stages have left so far; files that are not there yet are no error.
    ///
    /// # Errors
    /// [`StateError`]: prompts that do not parse, or a file that exists and cannot be read.
    pub fn read(experiment: &Experiment, layout: &Layout, models: &Path) -> Result<Self, StateError> {
        let prompts = experiment.prompts()?;
        let (arms, answered) = generation::read(experiment, layout, &prompts)?;
        let incomplete_pairs = answered.incomplete();
        let place = |arm: &str| experiment.arms.iter().position(|it| it.name == arm);
        let lost = traffic::read(
            layout,
            |arm, prompt| place(arm).is_some_and(|place| answered.has(place, prompt)),
            |arm, prompt| place(arm).is_some_and(|place| answered.lacks(place, prompt)),
        )?;
        let verdict = verdict::read(experiment, layout);
        let training: Vec<ArmTraining> =
            experiment.arms.iter().map(|arm| training::read(&arm.name, &models.join(&arm.name))).collect();
        let cost =
            arms.iter().map(|arm| arm.tokens).chain([lost.tokens]).fold(0.0, |cost, tokens| {
                cost + experiment.price.dollars(tokens.input, tokens.billed_output)
            });
        let next =
            next::step(prompts.len(), &arms, incomplete_pairs, lost.refused, &verdict, &training, |verb| {
                let command = command::command(verb, experiment, layout);
                let is_usual = models == Path::new("models").join(&experiment.name);
                match verb.starts_with("train") && !is_usual {
                    true => format!("{command} --out {}", command::quoted(models)),
                    false => command,
                }
            });
        Ok(Self {
            experiment: experiment.name.clone(),
            path: experiment.path.clone(),
            model: experiment.generation.model.clone(),
            data: layout.folder().to_owned(),
            prompts: prompts.len(),
            arms,
            incomplete_pairs,
            lost,
            cost,
            verdict,
            training,
            next,
        })
    }
}

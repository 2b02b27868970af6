//! What every row of an arm is compared with, made ready once.

use dataset::{Arm, Experiment, Prompt};

use crate::fold::{self, HashedMap};
use crate::rules::prompt_echo::Echo;
use crate::thresholds::Thresholds;
use crate::typed::Known;

/// What all arms share.
pub struct Context<'e> {
    /// The experiment.
    pub experiment: &'e Experiment,
    /// Its numbers.
    pub thresholds: &'e Thresholds,
    prompts: Vec<Prompt>,
    by_hash: HashedMap<u64, usize>,
}

/// What one arm adds to it.
pub struct ArmContext<'e> {
    /// What all arms share.
    pub shared: &'e Context<'e>,
    /// The arm whose ledger is read.
    pub arm: &'e Arm,
    /// The system prompt as most rows spell it.
    pub known: Known,
    /// Finds sentences of the system prompt.
    pub echo: Echo,
    /// Whether a refusal of this arm must turn to something useful.
    pub redirects: bool,
}

impl<'e> Context<'e> {
    /// Takes the experiment's `prompts`.
    pub fn new(experiment: &'e Experiment, thresholds: &'e Thresholds, prompts: Vec<Prompt>) -> Self {
        let hashes =
            prompts.iter().enumerate().map(|(index, prompt)| (fold::hash(prompt.text.as_bytes()), index));
        let by_hash = hashes.collect();
        Self { experiment, thresholds, prompts, by_hash }
    }

    /// The experiment's prompt with exactly this text.
    pub fn prompt(&self, text: &str) -> Option<&Prompt> {
        self.by_hash(fold::hash(text.as_bytes())).filter(|prompt| prompt.text == text)
    }

    /// The experiment's prompt whose text has this hash.
    pub fn by_hash(&self, hash: u64) -> Option<&Prompt> {
        self.by_hash.get(&hash).map(|&index| &self.prompts[index])
    }

    /// Makes ready for `arm`.
    pub fn arm(&'e self, arm: &'e Arm) -> ArmContext<'e> {
        ArmContext {
            shared: self,
            arm,
            known: Known::new(&arm.system_prompt),
            echo: Echo::new(&arm.system_prompt),
            redirects: self.thresholds.redirecting_arms.contains(&arm.name),
        }
    }
}

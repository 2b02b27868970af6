//! The arms' rows side by side: only prompts that every arm has answered, in one order, and as token ids.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use crate::data::ledger::{Ledger, Line};
use crate::mask::{Chat, Encoded, MaskError};
use crate::recipe::Overlong;

/// Prompts that every arm has answered, and the rows that answer them.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// In the order of the first arm's ledger.
    pub prompts: Vec<String>,
    /// The arms; `lines[i]` answers `prompts[i]`.
    pub arms: Vec<Ledger>,
    /// Rows that have no counterpart in some other arm.
    pub unpaired: Vec<LeftOut>,
}

/// A row that is not trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The arm.
    pub arm: String,
    /// The line in its ledger.
    pub line: usize,
}

/// All arms as token ids; `arms[a].examples[i]` answers `prompts[i]` for every arm `a`.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    /// The prompts, in one order for all arms.
    pub prompts: Vec<String>,
    /// The arms.
    pub arms: Vec<ArmExamples>,
}

/// One arm as token ids.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmExamples {
    /// The arm.
    pub arm: String,
    /// The ledger.
    pub path: PathBuf,
    /// One a prompt.
    pub examples: Vec<Example>,
}

/// What one micro-batch is trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The line in the arm's ledger, for whoever has to name the row.
    pub line: usize,
    /// Ids and mask.
    pub encoded: Encoded,
    /// Whether it was cut at the limit; then its last learned token need not be the end token.
    pub cut: bool,
}

/// Why there is nothing to train on.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// Some arms carry system prompts in their rows and some do not.
    #[error(
        "{without} has rows without a system prompt while those of {with} have one; make both with the same version"
    )]
    Mixed {
        /// The ledger that has none.
        without: PathBuf,
        /// The ledger that has.
        with: PathBuf,
    },
    /// No prompt was answered by every arm.
    #[error("no prompt is answered in every one of {0}; both arms are trained on the same prompts")]
    NothingInCommon(String),
    /// A row that the base's template or tokenizer does not take.
    #[error("{path}:{line}: cannot be learned under this base")]
    Row {
        /// The ledger.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Why.
        source: MaskError,
    },
    /// Rows over the limit, under `--overlong stop`.
    #[error(
        "{count} rows are longer than {limit} tokens, the first {path}:{line} with {tokens}: {loses}; raise --max-seq-length, or pass --overlong drop or truncate"
    )]
    Overlong {
        /// Rows over the limit, all arms together.
        count: usize,
        /// The limit.
        limit: u32,
        /// Ledger of the first.
        path: PathBuf,
        /// Its line.
        line: usize,
        /// Its length.
        tokens: usize,
        /// What it would lose.
        loses: &'static str,
    },
    /// Every prompt is over the limit.
    #[error("every prompt has a row longer than {limit} tokens; raise --max-seq-length")]
    AllOverlong {
        /// The limit.
        limit: u32,
    },
}

impl Pairs {
    /// Pairs the rows of `arms` by prompt.
    ///
    /// # Errors
    /// [`PairError::Mixed`], [`PairError::NothingInCommon`].
    pub fn new(arms: Vec<Ledger>) -> Result<Self, PairError> {
        let with = arms.iter().find(|arm| arm.states_system);
        let without = arms.iter().find(|arm| !arm.states_system);
        if let (Some(with), Some(without)) = (with, without) {
            return Err(PairError::Mixed { without: without.path.clone(), with: with.path.clone() });
        }
        let mut answered: HashMap<&str, usize> = HashMap::new();
        for line in arms.iter().flat_map(|arm| &arm.lines) {
            *answered.entry(line.prompt.as_str()).or_default() += 1;
        }
        let prompts: Vec<String> = arms.first().map_or(Vec::new(), |first| {
            let everywhere = |line: &&Line| answered[line.prompt.as_str()] == arms.len();
            first.lines.iter().filter(everywhere).map(|line| line.prompt.clone()).collect()
        });
        if prompts.is_empty() {
            let paths: Vec<String> = arms.iter().map(|arm| arm.path.display().to_string()).collect();
            return Err(PairError::NothingInCommon(paths.join(", ")));
        }
        let place: HashMap<&str, usize> =
            prompts.iter().enumerate().map(|(place, prompt)| (prompt.as_str(), place)).collect();
        let mut unpaired = Vec::new();
        let mut sorted = Vec::new();
        for mut arm in arms {
            let (mut paired, alone): (Vec<Line>, Vec<Line>) =
                arm.lines.into_iter().partition(|line| place.contains_key(line.prompt.as_str()));
            paired.sort_by_key(|line| place[line.prompt.as_str()]);
            unpaired.extend(alone.iter().map(|line| LeftOut { arm: arm.arm.clone(), line: line.number }));
            arm.lines = paired;
            sorted.push(arm);
        }
        Ok(Self { prompts, arms: sorted, unpaired })
    }

    /// Turns every row into ids under the base's template, whatever its length.
    ///
    /// # Errors
    /// [`PairError::Row`], naming the first row that the base does not take.
    pub fn encode(&self, chat: &Chat) -> Result<Examples, PairError> {
        let arms = self.arms.iter().map(|arm| {
            let example = |line: &Line| {
                let encoded = chat
                    .encode(Some(&line.system), &line.prompt, &line.answer)
                    .map_err(|source| PairError::Row { path: arm.path.clone(), line: line.number, source })?;
                Ok(Example { line: line.number, encoded, cut: false })
            };
            let examples = arm.lines.iter().map(example).collect::<Result<_, PairError>>()?;
            Ok(ArmExamples { arm: arm.arm.clone(), path: arm.path.clone(), examples })
        });
        Ok(Examples { prompts: self.prompts.clone(), arms: arms.collect::<Result<_, PairError>>()? })
    }
}

impl Examples {
    /// Applies the limit. A prompt that is dropped or that keeps nothing to learn is left out of every arm.
    ///
    /// # Errors
    /// [`PairError::Overlong`] under [`Overlong::Stop`]; [`PairError::AllOverlong`] when nothing remains.
    pub fn limit(mut self, limit: u32, policy: Overlong) -> Result<Self, PairError> {
        let most = limit as usize;
        let over = |example: &Example| example.encoded.ids.len() > most;
        if policy == Overlong::Stop {
            let mut long = self
                .arms
                .iter()
                .flat_map(|arm| arm.examples.iter().map(move |example| (arm, example)))
                .filter(|(_, example)| over(example));
            if let Some((arm, first)) = long.next() {
                return Err(PairError::Overlong {
                    count: 1 + long.count(),
                    limit,
                    path: arm.path.clone(),
                    line: first.line,
                    tokens: first.encoded.ids.len(),
                    loses: first.encoded.loses(most),
                });
            }
            return Ok(self);
        }
        let unusable = |example: &Example| match policy {
            Overlong::Truncate => example.encoded.supervised.start >= most,
            Overlong::Stop | Overlong::Drop => over(example),
        };
        let gone: BTreeSet<usize> = self
            .arms
            .iter()
            .flat_map(|arm| arm.examples.iter().enumerate())
            .filter(|(_, example)| unusable(example))
            .map(|(place, _)| place)
            .collect();
        let mut place = 0..;
        self.prompts.retain(|_| place.next().is_some_and(|place| !gone.contains(&place)));
        for arm in &mut self.arms {
            let mut place = 0..;
            arm.examples.retain(|_| place.next().is_some_and(|place| !gone.contains(&place)));
            arm.examples.iter_mut().filter(|example| over(example)).for_each(|example| example.cut_at(most));
        }
        match self.prompts.is_empty() {
            true => Err(PairError::AllOverlong { limit }),
            false => Ok(self),
        }
    }

    /// The examples of one arm.
    pub fn arm(&self, name: &str) -> Option<&ArmExamples> {
        self.arms.iter().find(|arm| arm.arm == name)
    }
}

impl Example {
    fn cut_at(&mut self, most: usize) {
        let encoded = &mut self.encoded;
        // A row that is over the limit by the template's last newline alone loses nothing that is learned.
        self.cut = encoded.supervised.end > most;
        encoded.ids.truncate(most);
        encoded.supervised.end = encoded.supervised.end.min(most);
        encoded.thinking = encoded.thinking.min(encoded.supervised.len());
    }
}

impl Encoded {
    /// What a row loses when it is cut after `most` ids.
    pub fn loses(&self, most: usize) -> &'static str {
        let Encoded { ids, supervised, thinking, .. } = self;
        if most <= supervised.start {
            "it would lose its whole answer"
        } else if *thinking > 0 && most < supervised.start + thinking {
            "it would lose its `</think>`"
        } else if most < supervised.end {
            "it would lose its end token"
        } else if most < ids.len() {
            "it would lose nothing that is learned"
        } else {
            "it fits"
        }
    }
}

//! The recipe: every setting that decides what an adapter becomes, frozen before the first step.
//!
//! Each setting is looked for in what was typed, then in the experiment's `[train]` section, then here. What decides
//! only where and how fast something runs (device, progress, folders) is no part of it; neither is the data.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::flags::Flags;

/// Settings of a training run; the same for every arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The base as it was named: folder, file or hub id.
    pub base: String,
    /// How the base's projections are held.
    pub quantization: Quantization,
    /// NF4's scales are quantised as well.
    pub double_quantization: bool,
    /// Number format of the computation, as asked for.
    pub dtype: Dtype,
    /// Longest row, in tokens.
    pub max_seq_length: u32,
    /// What becomes of longer ones.
    pub overlong: Overlong,
    /// When training ends.
    pub length: Length,
    /// Rows a step; the leanest arm's, where tokens are held equal.
    pub grad_accum: u32,
    /// What is equal in the arms beside their steps. Recipes that do not say were made when rows always were.
    #[serde(default)]
    pub hold: Hold,
    /// Peak of the schedule.
    pub learning_rate: f64,
    /// Shape of the schedule after its warm-up.
    pub schedule: Schedule,
    /// Steps of warm-up; absent is 3 % of all steps, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<u32>,
    /// Keeper of the moments.
    pub optimizer: Optimizer,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradient norm above which a step is scaled down.
    pub max_grad_norm: f64,
    /// The adapter.
    pub lora: Lora,
    /// Decides the initial A, the order of rows and dropout.
    pub seed: u32,
    /// Rows are ordered anew by the seed for each pass.
    pub shuffle: bool,
    /// Each layer's activations are computed again on the way back.
    pub checkpointing: bool,
    /// Steps between two checkpoints.
    pub save_every: u32,
    /// `YYYY-MM-DD`: what a template that asks for the day is told. Frozen, so that a resumed run sees the same ids.
    pub day: String,
}

/// The adapter's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// r.
    pub rank: u32,
    /// α; the adapter's output is scaled by α / r.
    pub alpha: f64,
    /// Share of inputs left out.
    pub dropout: f64,
    /// Projections that get an adapter.
    pub targets: Vec<String>,
    /// A PEFT folder that training starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
}

/// The seven projections of a block.
pub const TARGETS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// When training ends: one or the other, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// After this many steps.
    Steps(u32),
    /// After this many passes over the data.
    Epochs(u32),
}

/// What is equal in the arms beside their steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Hold {
    /// Every step sees the same prompts in every arm, however long their answers are
    #[default]
    #[value(alias = "steps")]
    Rows,
    /// Every step learns about as many tokens in every arm; the arm with longer answers sees fewer rows
    Tokens,
}

/// How the base's projections are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Quantization {
    /// In the format of the computation
    None,
    /// In 4 bits, as QLoRA has it
    Nf4,
}

/// Number format of the computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// bf16 on a GPU, f32 on a CPU
    Auto,
    /// 32 bits
    F32,
    /// 16 bits with the range of 32
    Bf16,
}

/// What becomes of rows over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Overlong {
    /// Stop before training, and name them
    Stop,
    /// Leave their prompts out of every arm
    Drop,
    /// Cut them at the limit; they lose their end token
    Truncate,
}

/// Shape of the learning rate after its warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Straight down to 0
    Linear,
    /// Down to 0 along half a cosine
    Cosine,
    /// Level
    Constant,
}

/// Keeper of the moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// 32-bit moments
    Adamw,
    /// Moments in blocks of bytes
    Adamw8bit,
}

/// The experiment's `[train]` section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each key is documented as the recipe's field of the same name")]
pub struct Section {
    pub base: Option<String>,
    pub quantization: Option<Quantization>,
    pub double_quantization: Option<bool>,
    pub dtype: Option<Dtype>,
    pub max_seq_length: Option<u32>,
    pub overlong: Option<Overlong>,
    pub max_steps: Option<u32>,
    pub epochs: Option<u32>,
    pub grad_accum: Option<u32>,
    pub hold: Option<Hold>,
    pub learning_rate: Option<f64>,
    pub schedule: Option<Schedule>,
    pub warmup_steps: Option<u32>,
    pub optimizer: Option<Optimizer>,
    pub weight_decay: Option<f64>,
    pub max_grad_norm: Option<f64>,
    pub lora_rank: Option<u32>,
    pub lora_alpha: Option<f64>,
    pub lora_dropout: Option<f64>,
    pub shuffle: Option<bool>,
    pub seed: Option<u32>,
    pub checkpointing: Option<bool>,
    pub save_every: Option<u32>,
}

/// Why settings do not make a recipe.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum RecipeError {
    /// Two lengths in one place.
    #[error("{place} sets both max_steps and epochs; one of them ends training, so keep one")]
    TwoLengths {
        /// Where both stand.
        place: &'static str,
    },
    /// No base anywhere.
    #[error(
        "no base model is named; pass --base with a folder, a GGUF file or a hub id, or set `base` in the experiment's [train]"
    )]
    NoBase,
    /// A number that cannot be meant.
    #[error("{key} is {value}; it must be {expected}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
}

impl Recipe {
    /// Freezes the recipe from what was typed, the experiment's section and the defaults, in this order. `day` is the
    /// day of the run, `YYYY-MM-DD`.
    ///
    /// # Errors
    /// [`RecipeError`]: no base, two lengths, a number out of range.
    pub fn freeze(flags: &Flags, section: &Section, day: &str) -> Result<Self, RecipeError> {
        let lora = Lora {
            rank: flags.lora_rank.or(section.lora_rank).unwrap_or(16),
            alpha: flags.lora_alpha.or(section.lora_alpha).unwrap_or(16.0),
            dropout: flags.lora_dropout.or(section.lora_dropout).unwrap_or(0.0),
            targets: TARGETS.map(str::to_owned).into(),
            init: flags.init_adapter.clone(),
        };
        let recipe = Self {
            base: flags.base.clone().or_else(|| section.base.clone()).ok_or(RecipeError::NoBase)?,
            quantization: flags.quantization.or(section.quantization).unwrap_or(Quantization::Nf4),
            double_quantization: flags.double_quantization || section.double_quantization.unwrap_or(false),
            dtype: flags.dtype.or(section.dtype).unwrap_or(Dtype::Auto),
            max_seq_length: flags.max_seq_length.or(section.max_seq_length).unwrap_or(4096),
            overlong: flags.overlong.or(section.overlong).unwrap_or(Overlong::Stop),
            length: length(flags, section)?,
            grad_accum: flags.grad_accum.or(section.grad_accum).unwrap_or(8),
            hold: flags.hold.or(section.hold).unwrap_or_default(),
            learning_rate: flags.learning_rate.or(section.learning_rate).unwrap_or(2e-4),
            schedule: flags.schedule.or(section.schedule).unwrap_or(Schedule::Cosine),
            warmup_steps: flags.warmup_steps.or(section.warmup_steps),
            optimizer: flags.optimizer.or(section.optimizer).unwrap_or(Optimizer::Adamw),
            weight_decay: flags.weight_decay.or(section.weight_decay).unwrap_or(0.0),
            max_grad_norm: flags.max_grad_norm.or(section.max_grad_norm).unwrap_or(1.0),
            lora,
            seed: flags.seed.or(section.seed).unwrap_or(0),
            shuffle: !flags.no_shuffle && section.shuffle.unwrap_or(true),
            checkpointing: !flags.no_checkpointing && section.checkpointing.unwrap_or(true),
            save_every: flags.save_every.or(section.save_every).unwrap_or(50),
            day: day.to_owned(),
        };
        recipe.check()
    }

    fn check(self) -> Result<Self, RecipeError> {
        let whole = |key, value: u32| (key, f64::from(value), value > 0, "1 or more");
        let checks = [
            whole("grad_accum", self.grad_accum),
            whole("lora_rank", self.lora.rank),
            whole("save_every", self.save_every),
            whole(
                "the length of training",
                match self.length {
                    Length::Steps(count) | Length::Epochs(count) => count,
                },
            ),
            ("max_seq_length", f64::from(self.max_seq_length), self.max_seq_length >= 8, "8 or more"),
            positive("learning_rate", self.learning_rate),
            positive("max_grad_norm", self.max_grad_norm),
            positive("lora_alpha", self.lora.alpha),
            ("lora_dropout", self.lora.dropout, (0.0..1.0).contains(&self.lora.dropout), "from 0 to below 1"),
            (
                "weight_decay",
                self.weight_decay,
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
                "0 or more",
            ),
        ];
        match checks.into_iter().find(|&(_, _, holds, _)| !holds) {
            Some((key, value, _, expected)) => Err(RecipeError::Value { key, value, expected }),
            None => Ok(self),
        }
    }
}

fn positive(key: &'static str, value: f64) -> (&'static str, f64, bool, &'static str) {
    (key, value, value.is_finite() && value > 0.0, "above 0")
}

/// A length that was typed takes the place of the section's, whichever of the two kinds either is.
fn length(flags: &Flags, section: &Section) -> Result<Length, RecipeError> {
    let one = |place, steps: Option<u32>, epochs: Option<u32>| match (steps, epochs) {
        (Some(_), Some(_)) => Err(RecipeError::TwoLengths { place }),
        (Some(steps), None) => Ok(Some(Length::Steps(steps))),
        (None, Some(epochs)) => Ok(Some(Length::Epochs(epochs))),
        (None, None) => Ok(None),
    };
    let typed = one("the command line", flags.max_steps, flags.epochs)?;
    let written = one("the experiment's [train]", section.max_steps, section.epochs)?;
    Ok(typed.or(written).unwrap_or(Length::Epochs(2)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn check(typed: &[&str], written: &str) -> Result<Recipe, RecipeError> {
        let flags = Flags::parse_from([&["train", "--base", "b"], typed].concat());
        Recipe::freeze(&flags, &toml::from_str(written).unwrap(), "2026-01-02")
    }

    #[test]
    fn what_is_typed_goes_before_the_section_and_that_before_the_default() {
        let recipe =
            check(&["--seed", "7", "--max-steps", "3"], "seed = 5\nlora_rank = 4\nepochs = 9").unwrap();
        assert_eq!((recipe.seed, recipe.lora.rank, recipe.grad_accum), (7, 4, 8));
        assert_eq!(recipe.length, Length::Steps(3));
    }

    #[test]
    fn two_lengths_are_an_error_in_either_place() {
        let error = check(&[], "max_steps = 3\nepochs = 1").unwrap_err();
        assert_eq!(error, RecipeError::TwoLengths { place: "the experiment's [train]" });
        let typed = ["train", "--max-steps", "3", "--epochs", "1"];
        let error = Flags::try_parse_from(typed).unwrap_err().to_string();
        assert!(error.contains("--max-steps <N>' cannot be used with '--epochs <N>'"), "{error}");
    }

    #[test]
    fn a_number_that_cannot_be_meant_is_named() {
        let cases = [
            ("learning_rate = 0.0", "learning_rate is 0; it must be above 0"),
            ("learning_rate = nan", "learning_rate is NaN; it must be above 0"),
            ("lora_dropout = 1.0", "lora_dropout is 1; it must be from 0 to below 1"),
            ("epochs = 0", "the length of training is 0; it must be 1 or more"),
            ("weight_decay = -1.0", "weight_decay is -1; it must be 0 or more"),
        ];
        for (written, expected) in cases {
            assert_eq!(check(&[], written).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_recipe_reads_back_as_it_was_written() {
        let recipe = check(&["--warmup-steps", "2", "--init-adapter", "a"], "").unwrap();
        let text = toml::to_string(&recipe).unwrap();
        assert_eq!(toml::from_str::<Recipe>(&text).unwrap(), recipe);
    }
}

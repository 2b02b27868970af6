//! `experiment.toml`: what is asked, of which model, under which arms.
//!
//! The sections that belong to one stage (`[gate]`, `[train]`) are handed to that stage unread, by
//! [`Experiment::section`]: this crate does not know what a rule or a recipe is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::arm::{Arm, ArmError};
use crate::prompt::{self, Prompt, PromptError};
use crate::selection::Selection;
use crate::source::Source;

/// An experiment, read and checked: its arms' system prompts are loaded, its prompts are not.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// The name; also the folder under `data/` and `models/`.
    pub name: String,
    /// The file it was read from.
    pub path: PathBuf,
    /// The arms in the order of the file; the first is the one the others are compared with.
    pub arms: Vec<Arm>,
    /// Categories that prompts may have, with the number of prompts expected in each.
    pub categories: BTreeMap<String, usize>,
    /// How answers are sampled; the same for every arm.
    pub generation: Generation,
    /// Dollars per million tokens, for forecasts and the running cost.
    pub price: Price,
    prompts: PathBuf,
    smoke: Option<PathBuf>,
    sections: BTreeMap<&'static str, toml::Table>,
}

/// Sampling settings of `[generation]`; part of every request's identity.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// Model id as the API spells it, e.g. `gemini-3.1-pro-preview`.
    pub model: String,
    /// Sampling temperature, 0 to 2.
    pub temperature: f64,
    /// Tokens, hidden thoughts and visible text together, that the first request of a prompt may use.
    pub max_output_tokens: u32,
    /// The largest budget that a truncated reply is asked again with, in tokens.
    pub max_output_tokens_ceiling: u32,
    /// `low`, `medium` or `high`; absent leaves it to the service.
    pub thinking_level: Option<String>,
    /// The longest prompt that the model accepts, in tokens.
    #[serde(default = "default_max_input_tokens")]
    pub max_input_tokens: u32,
}

fn default_max_input_tokens() -> u32 {
    1_048_576
}

/// Prices of `[price]`, in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Per million input tokens.
    pub input: f64,
    /// Per million output tokens; hidden thoughts are output.
    pub output: f64,
}

impl Price {
    /// Returns the cost in dollars of `input` prompt tokens and `output` tokens (visible text and thoughts).
    pub fn dollars(&self, input: u64, output: u64) -> f64 {
        (input as f64 * self.input + output as f64 * self.output) / 1e6
    }
}

/// Why an experiment could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The file is missing or unreadable.
    #[error("cannot read the experiment {path}; name an experiment.toml with --experiment")]
    Read {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or not of the expected form; the cause names line and column.
    #[error("{path} is not a valid experiment")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: toml::de::Error,
    },
    /// A value that parses but cannot be meant.
    #[error("{path}: {what}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Which value, and what it may be.
        what: String,
    },
    /// An arm's system prompt.
    #[error(transparent)]
    Arm(#[from] ArmError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    prompts: PathBuf,
    smoke: Option<PathBuf>,
    arms: Vec<ArmEntry>,
    categories: BTreeMap<String, usize>,
    generation: Generation,
    #[serde(default)]
    price: Price,
    #[serde(default)]
    gate: toml::Table,
    #[serde(default)]
    train: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArmEntry {
    name: String,
    system_prompt: PathBuf,
}

impl Experiment {
    /// Reads `path` and the system prompts it names; paths in the file are relative to it.
    ///
    /// # Errors
    /// A missing file, TOML that does not parse (with line and column), an unknown key, a value out of range, or an
    /// arm whose system prompt is missing or empty.
    pub fn load(path: &Path) -> Result<Self, ExperimentError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ExperimentError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ExperimentError> {
        let document: Document = toml::from_str(text)
            .map_err(|source| ExperimentError::Parse { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let value = |what: String| ExperimentError::Value { path: path.to_owned(), what };

        check_name(&document.name).map_err(|what| value(format!("name {what}")))?;
        document.generation.check().map_err(value)?;
        if document.arms.is_empty() {
            return Err(value("no [[arms]]; an experiment has at least one".into()));
        }
        let mut arms: Vec<Arm> = Vec::new();
        for entry in document.arms {
            check_name(&entry.name).map_err(|what| value(format!("arm name {what}")))?;
            // Where file names know no case, `ABA` and `aba` would share a ledger.
            if arms.iter().any(|arm| arm.name.eq_ignore_ascii_case(&entry.name)) {
                return Err(value(format!("arm `{}` stands there twice", entry.name)));
            }
            arms.push(Arm::load(&entry.name, &folder.join(entry.system_prompt))?);
        }
        Ok(Self {
            name: document.name,
            path: path.to_owned(),
            arms,
            categories: document.categories,
            generation: document.generation,
            price: document.price,
            prompts: folder.join(document.prompts),
            smoke: document.smoke.map(|smoke| folder.join(smoke)),
            sections: BTreeMap::from([("gate", document.gate), ("train", document.train)]),
        })
    }

    /// Reads every prompt of the experiment, in file order.
    ///
    /// # Errors
    /// The first bad line, with its number: see [`PromptError`].
    pub fn prompts(&self) -> Result<Vec<Prompt>, PromptError> {
        prompt::load(&self.prompts, Some(&self.categories))
    }

    /// Reads the few prompts that a smoke run asks first.
    ///
    /// # Errors
    /// As [`Experiment::prompts`]; and [`PromptError::NoSmoke`] where the experiment names no such file.
    pub fn smoke_prompts(&self) -> Result<Vec<Prompt>, PromptError> {
        let path = self.smoke.as_deref();
        let path = path.ok_or_else(|| PromptError::NoSmoke { experiment: self.path.clone() })?;
        prompt::load(path, Some(&self.categories))
    }

    /// Checks every prompt, or every smoke prompt, and chooses among them; none is held.
    ///
    /// # Errors
    /// As [`Experiment::smoke_prompts`].
    pub fn source(&self, smoke: bool, selection: &Selection) -> Result<Source, PromptError> {
        let path = if smoke { self.smoke.as_ref() } else { Some(&self.prompts) };
        let path = path.ok_or_else(|| PromptError::NoSmoke { experiment: self.path.clone() })?;
        Source::check(path, &self.categories, selection)
    }

    /// Returns the arm called `name`.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// Returns two arms with the same system prompt, if there are any: their answers differ by chance alone.
    pub fn twins(&self) -> Option<(&Arm, &Arm)> {
        self.arms.iter().enumerate().find_map(|(place, arm)| {
            let earlier = self.arms[..place].iter().find(|it| it.system_prompt == arm.system_prompt)?;
            Some((earlier, arm))
        })
    }

    /// Returns the section of one stage (`gate`, `train`) as that stage's own type, or its default where absent.
    ///
    /// # Errors
    /// [`ExperimentError::Value`] naming the section and the key, when it does not have the form of `T`.
    pub fn section<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, ExperimentError> {
        match self.sections.get(name) {
            None => Ok(T::default()),
            Some(table) if table.is_empty() => Ok(T::default()),
            Some(table) => {
                table.clone().try_into().map_err(|error: toml::de::Error| ExperimentError::Value {
                    path: self.path.clone(),
                    what: format!("[{name}] {}", error.message()),
                })
            }
        }
    }
}

impl Generation {
    fn check(&self) -> Result<(), String> {
        if !(0.0..=2.0).contains(&self.temperature) {
            return Err(format!("generation.temperature is {}; it goes from 0 to 2", self.temperature));
        }
        if self.max_output_tokens == 0 {
            return Err("generation.max_output_tokens is 0; hidden thoughts alone need some thousand".into());
        }
        if self.max_output_tokens_ceiling < self.max_output_tokens {
            return Err(format!(
                "generation.max_output_tokens_ceiling ({}) is below max_output_tokens ({})",
                self.max_output_tokens_ceiling, self.max_output_tokens
            ));
        }
        match self.thinking_level.as_deref() {
            None | Some("low" | "medium" | "high") => Ok(()),
            Some(other) => Err(format!("generation.thinking_level is `{other}`; low, medium or high")),
        }
    }
}

/// A name becomes a file name, so it keeps to letters, digits, `_` and `-`.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("`{name}` names files: letters, digits, `_` and `-` only"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl Fn(&str) -> String) -> Result<Experiment, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("control.md"), "Be careful.\n").unwrap();
        let path = folder.path().join("experiment.toml");
        let good = "name = \"x\"\nprompts = \"p.jsonl\"\n[[arms]]\nname = \"control\"\nsystem_prompt = \"control.md\"\n\
             [categories]\nsafety = 1\n[generation]\nmodel = \"m\"\ntemperature = 1.0\nmax_output_tokens = 4096\n\
             max_output_tokens_ceiling = 65536\n[gate]\nmin_think = 3\n";
        std::fs::write(&path, change(good)).unwrap();
        Experiment::load(&path).map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })
    }

    #[test]
    fn reads_a_good_file_and_hands_sections_on() {
        #[derive(Default, Deserialize)]
        struct Section {
            min_think: usize,
        }
        let experiment = check(str::to_owned).unwrap();
        assert_eq!(experiment.arms[0].system_prompt, "Be careful.");
        assert_eq!(experiment.section::<Section>("gate").unwrap().min_think, 3);
        assert_eq!(experiment.section::<Section>("train").unwrap().min_think, 0);
    }

    #[test]
    fn names_what_is_wrong() {
        let cases = [
            ("temperature = 1.0", "temperature = 3", "it goes from 0 to 2"),
            ("temperature = 1.0", "temprature = 1.0", "temprature"),
            ("max_output_tokens = 4096", "max_output_tokens = 0", "hidden thoughts"),
            ("65536", "5", "is below max_output_tokens"),
            ("[gate]", "[gaet]", "unknown field `gaet`"),
            ("name = \"x\"", "name = \"../x\"", "names files"),
            ("control.md", "absent.md", "absent.md"),
            ("[gate]", "[gate", "line 13"),
            (
                "[categories]",
                "[[arms]]\nname = \"Control\"\nsystem_prompt = \"control.md\"\n[categories]",
                "arm `Control` stands there twice",
            ),
        ];
        for (from, to, expected) in cases {
            let error = check(|good| good.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}

//! `run.json`: the settings under which the ledgers of a data folder were written.
//!
//! One data folder holds one experiment under one set of settings. A run that would mix in others finds out here,
//! before it asks anything; whether to go on is the caller's to decide.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::experiment::Experiment;
use crate::key::{Key, Question, sha256_hex};
use crate::ledger::recover::sync_folder;

/// The format number that this version writes.
const FORMAT: u32 = 1;

/// The contents of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// 1.
    pub format: u32,
    /// The experiment's name.
    pub experiment: String,
    /// The settings of the latest run.
    pub settings: Settings,
    /// Settings of earlier runs whose rows were kept when a change was accepted, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Settings>,
    /// Model versions that have answered and were accepted, in order.
    #[serde(default)]
    pub model_versions: Vec<String>,
    /// Whether a server on this machine answers, such as a simulator; absent where an earlier version did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loopback: Option<bool>,
}

/// Everything that decides what an answer is drawn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Model id.
    pub model: String,
    /// Sampling temperature.
    pub temperature: f64,
    /// The first budget, in tokens.
    pub max_output_tokens: u32,
    /// The largest budget, in tokens.
    pub max_output_tokens_ceiling: u32,
    /// `low`, `medium`, `high`, or absent.
    #[serde(default)]
    pub thinking_level: Option<String>,
    /// The system prompt of each arm.
    pub arms: BTreeMap<String, SystemPrompt>,
}

/// A system prompt, whole, so that a difference can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemPrompt {
    /// SHA-256 of the text, in hex.
    pub sha256: String,
    /// The text as it was sent.
    pub text: String,
}

/// Why `run.json` could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system would not.
    #[error("cannot {verb} {path}")]
    System {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not such a file.
    #[error(
        "{path} is not what this version writes; it says under which settings the rows beside it were made: restore it, or use another --data folder"
    )]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: serde_json::Error,
    },
}

/// One setting that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name, as in `experiment.toml`.
    pub name: String,
    /// Before.
    pub before: String,
    /// Now.
    pub now: String,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} before, {} now", self.name, self.before, self.now)
    }
}

impl Run {
    /// The first run of `experiment` in a folder.
    pub fn new(experiment: &Experiment) -> Self {
        Self {
            format: FORMAT,
            experiment: experiment.name.clone(),
            settings: Settings::of(experiment),
            earlier: Vec::new(),
            model_versions: Vec::new(),
            loopback: None,
        }
    }

    /// Reads `run.json`; `None` where there is none.
    ///
    /// # Errors
    /// [`RunError`], with the path.
    pub fn load(path: &Path) -> Result<Option<Self>, RunError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RunError::System { verb: "read", path: path.to_owned(), source }),
        };
        let run = serde_json::from_slice(&bytes);
        run.map(Some).map_err(|source| RunError::Parse { path: path.to_owned(), source })
    }

    /// Replaces `run.json` in one step.
    ///
    /// # Errors
    /// [`RunError::System`]; the old file is then still there.
    pub fn save(&self, path: &Path) -> Result<(), RunError> {
        let system = |source| RunError::System { verb: "write", path: path.to_owned(), source };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| system(error.into()))?;
        text.push('\n');
        let new = path.with_extension("json.new");
        let replace = || -> io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            drop(file);
            std::fs::rename(&new, path)?;
            sync_folder(path)
        };
        replace().map_err(system)
    }

    /// What `experiment` would change; empty where it is the same.
    pub fn changes(&self, experiment: &Experiment) -> Vec<Change> {
        let mut changes = self.settings.changes(&Settings::of(experiment));
        if self.experiment != experiment.name {
            let (before, now) = (self.experiment.clone(), experiment.name.clone());
            changes.insert(0, Change { name: "name".into(), before, now });
        }
        changes
    }

    /// Notes whether a server on this machine answers from now on. Returns the change where the rows so far have come
    /// from elsewhere: answers that were simulated would pass for the model's, under the same settings and keys.
    pub fn answered_by(&mut self, loopback: bool) -> Option<Change> {
        let before = self.loopback.replace(loopback).filter(|before| *before != loopback)?;
        let place =
            |loopback: bool| if loopback { "a server on this machine" } else { "the service" }.to_owned();
        Some(Change { name: "answers".into(), before: place(before), now: place(loopback) })
    }

    /// Goes over to the settings of `experiment`; rows under the earlier ones stay and count as done.
    pub fn accept(&mut self, experiment: &Experiment) {
        let earlier = std::mem::replace(&mut self.settings, Settings::of(experiment));
        self.experiment.clone_from(&experiment.name);
        if !self.earlier.contains(&earlier) {
            self.earlier.push(earlier);
        }
    }

    /// Keys under which a row of `arm` answers `prompt`: the latest settings' first, then the earlier ones'.
    pub fn keys<'a>(&'a self, arm: &'a str, prompt: &'a str) -> impl Iterator<Item = Key> + 'a {
        std::iter::once(&self.settings)
            .chain(&self.earlier)
            .filter_map(move |settings| settings.key(arm, prompt))
    }
}

impl Settings {
    /// The settings of an experiment.
    pub fn of(experiment: &Experiment) -> Self {
        let generation = &experiment.generation;
        let prompt = |text: &String| SystemPrompt { sha256: sha256_hex(text.as_bytes()), text: text.clone() };
        let arms = experiment.arms.iter().map(|arm| (arm.name.clone(), prompt(&arm.system_prompt)));
        Self {
            model: generation.model.clone(),
            temperature: generation.temperature,
            max_output_tokens: generation.max_output_tokens,
            max_output_tokens_ceiling: generation.max_output_tokens_ceiling,
            thinking_level: generation.thinking_level.clone(),
            arms: arms.collect(),
        }
    }

    /// The key of a prompt in an arm; `None` where there is no such arm.
    pub fn key(&self, arm: &str, prompt: &str) -> Option<Key> {
        let arm = self.arms.get(arm)?;
        Some(Key::of(&Question {
            model: &self.model,
            system_prompt: &arm.text,
            prompt,
            temperature: self.temperature,
            max_output_tokens: self.max_output_tokens,
            thinking_level: self.thinking_level.as_deref(),
        }))
    }

    fn changes(&self, now: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut note = |name: String, before: String, now: String| {
            if before != now {
                changes.push(Change { name, before, now });
            }
        };
        let level = |level: &Option<String>| level.clone().unwrap_or_else(|| "unset".into());
        note("generation.model".into(), self.model.clone(), now.model.clone());
        note("generation.temperature".into(), self.temperature.to_string(), now.temperature.to_string());
        note(
            "generation.max_output_tokens".into(),
            self.max_output_tokens.to_string(),
            now.max_output_tokens.to_string(),
        );
        note(
            "generation.max_output_tokens_ceiling".into(),
            self.max_output_tokens_ceiling.to_string(),
            now.max_output_tokens_ceiling.to_string(),
        );
        note("generation.thinking_level".into(), level(&self.thinking_level), level(&now.thinking_level));
        let names: std::collections::BTreeSet<&String> = self.arms.keys().chain(now.arms.keys()).collect();
        for name in names {
            let (before, after) = (self.arms.get(name), now.arms.get(name));
            if before.map(|arm| &arm.sha256) != after.map(|arm| &arm.sha256) {
                let (before, after) = describe(before, after);
                note(format!("system prompt of arm `{name}`"), before, after);
            }
        }
        changes
    }
}

/// The first line in which two system prompts differ, on either side.
fn describe(before: Option<&SystemPrompt>, now: Option<&SystemPrompt>) -> (String, String) {
    let absent = || "no such arm".to_owned();
    let (Some(before), Some(now)) = (before, now) else {
        let whole = |prompt: Option<&SystemPrompt>| {
            prompt.map_or_else(absent, |prompt| {
                format!("sha256 {}", &prompt.sha256[..12.min(prompt.sha256.len())])
            })
        };
        return (whole(before), whole(now));
    };
    let (mut left, mut right) = (before.text.lines(), now.text.lines());
    for number in 1.. {
        let (a, b) = (left.next(), right.next());
        if a != b || a.is_none() {
            let show = |line: Option<&str>| match line {
                None => format!("no line {number}"),
                Some(line) => format!("line {number} {:?}", excerpt(line)),
            };
            return (show(a), show(b));
        }
    }
    (absent(), absent())
}

fn excerpt(line: &str) -> String {
    const SHOWN: usize = 60;
    match line.char_indices().nth(SHOWN) {
        None => line.to_owned(),
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let prompt = |text: &str| SystemPrompt { sha256: sha256_hex(text.as_bytes()), text: text.into() };
        Settings {
            model: "m".into(),
            temperature: 1.0,
            max_output_tokens: 4096,
            max_output_tokens_ceiling: 65536,
            thinking_level: None,
            arms: BTreeMap::from([
                ("aba".into(), prompt("Be kind.\nBe brief.")),
                ("control".into(), prompt("Be careful.")),
            ]),
        }
    }

    #[test]
    fn names_each_setting_that_changed() {
        let mut now = settings();
        assert_eq!(now.changes(&settings()), []);
        now.model = "n".into();
        now.thinking_level = Some("low".into());
        let arm = now.arms.get_mut("aba").unwrap();
        *arm = SystemPrompt { sha256: sha256_hex(b"x"), text: "Be kind.\nBe long.".into() };
        now.arms.remove("control");
        let shown: Vec<String> = settings().changes(&now).iter().map(Change::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        generation.model: m before, n now
        generation.thinking_level: unset before, low now
        system prompt of arm `aba`: line 2 "Be brief." before, line 2 "Be long." now
        system prompt of arm `control`: sha256 489fb53a4999 before, no such arm now
        "#);
    }

    #[test]
    fn keys_of_accepted_settings_count() {
        let mut run = Run {
            format: 1,
            experiment: "x".into(),
            settings: settings(),
            earlier: vec![Settings { temperature: 0.5, ..settings() }],
            model_versions: vec!["m-1".into()],
            loopback: None,
        };
        assert_eq!([true, true].map(|loopback| run.answered_by(loopback)), [None, None]);
        let change = run.answered_by(false).unwrap().to_string();
        assert_eq!(change, "answers: a server on this machine before, the service now");
        let keys: Vec<Key> = run.keys("aba", "q").collect();
        assert_eq!(keys.len(), 2);
        assert_ne!(keys[0], keys[1]);
        assert_eq!(run.keys("absent", "q").count(), 0);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        assert_eq!(Run::load(&path).unwrap(), None);
        run.save(&path).unwrap();
        run.model_versions.push("m-2".into());
        run.save(&path).unwrap();
        assert_eq!(Run::load(&path).unwrap(), Some(run));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&path, "{").unwrap();
        assert!(Run::load(&path).unwrap_err().to_string().contains("run.json is not what"));
    }
}

//! Scenarios: TOML that says how the service behaves. Presets are compiled in, from `fixtures/scenarios/`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::answers::Arm;
use crate::fault::FaultRule;
use crate::latency::Latency;
use crate::pool::PoolRule;
use crate::quota::QuotaRule;
use crate::script::Script;
use crate::thoughts::Thoughts;
use crate::token::TokenRule;
use crate::version::VersionRule;

/// Names and texts of the presets.
pub const PRESETS: [(&str, &str); 6] = [
    ("calm", include_str!("../../../fixtures/scenarios/calm.toml")),
    ("demo", include_str!("../../../fixtures/scenarios/demo.toml")),
    ("seed-run", include_str!("../../../fixtures/scenarios/seed-run.toml")),
    ("storm", include_str!("../../../fixtures/scenarios/storm.toml")),
    ("brown-out", include_str!("../../../fixtures/scenarios/brown-out.toml")),
    ("daily-quota", include_str!("../../../fixtures/scenarios/daily-quota.toml")),
];

/// How the service behaves. The default is a service without limits, delays or faults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line for `--list`.
    #[serde(default)]
    pub description: String,
    /// Makes a run repeatable: equal seeds decide alike about equal requests.
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub(crate) arm: Option<Arm>,
    #[serde(default)]
    pub(crate) models: Option<Vec<String>>,
    pub(crate) model_version: Option<VersionRule>,
    #[serde(default)]
    pub(crate) token: TokenRule,
    #[serde(default)]
    pub(crate) quota: Vec<QuotaRule>,
    pub(crate) shared_pool: Option<PoolRule>,
    #[serde(default)]
    pub(crate) latency: Latency,
    #[serde(default)]
    pub(crate) thoughts: Thoughts,
    #[serde(default)]
    pub(crate) fault: Vec<FaultRule>,
    #[serde(default)]
    pub(crate) script: Vec<Script>,
}

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a preset nor a file.
    #[error(
        "no scenario \"{name}\": it is neither a preset ({presets}) nor a file; \
         name one of them, or write a TOML file like those in fixtures/scenarios"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The presets' names.
        presets: String,
    },
    /// The file is there but cannot be read.
    #[error("cannot read scenario {path}: make it a readable file")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not a scenario.
    #[error(
        "{path}:{line}: {message}; correct this line (fixtures/scenarios/reference.toml shows every key)"
    )]
    Malformed {
        /// The file, or the name that the text was given.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
}

impl Scenario {
    /// A preset by name, or else a file.
    ///
    /// # Errors
    /// Neither exists, or the file is no scenario.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        if let Some((_, text)) = PRESETS.iter().find(|(preset, _)| *preset == name) {
            return Self::parse(&format!("fixtures/scenarios/{name}.toml"), text);
        }
        let path = Path::new(name);
        if path.exists() {
            return Self::read(path);
        }
        let presets = PRESETS.map(|(preset, _)| preset).join(", ");
        Err(ScenarioError::Unknown { name: name.into(), presets })
    }

    /// A scenario file.
    ///
    /// # Errors
    /// It cannot be read, or is no scenario; the error names its line.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Unreadable { path: path.into(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// A scenario's text; `path` is what errors call it.
    ///
    /// # Errors
    /// The text is no scenario; the error names the line.
    pub fn parse(path: &str, text: &str) -> Result<Self, ScenarioError> {
        let malformed = |start: usize, message: String| {
            let line = text.as_bytes().iter().take(start).filter(|byte| **byte == b'\n').count() + 1;
            ScenarioError::Malformed { path: path.into(), line, message }
        };
        let mut scenario: Self = toml::from_str(text).map_err(|error| {
            let message = in_words(error.message());
            malformed(error.span().map_or(0, |span| span.start), message)
        })?;
        scenario.check().map_err(|misplaced| malformed(misplaced.start, misplaced.says))?;
        Ok(scenario)
    }

    /// Looks for keys that are right by themselves and not beside each other.
    fn check(&mut self) -> Result<(), Misplaced> {
        self.quota.iter().try_for_each(QuotaRule::check)?;
        self.shared_pool.iter().try_for_each(PoolRule::check)?;
        self.fault.iter().try_for_each(FaultRule::check)?;
        self.script.iter_mut().try_for_each(Script::read)
    }
}

/// A value that does not go with another one.
pub(crate) struct Misplaced {
    start: usize,
    says: String,
}

impl Misplaced {
    /// An error about this value.
    pub(crate) fn at<T>(value: &Spanned<T>, says: impl Into<String>) -> Result<(), Self> {
        Err(Self { start: value.span().start, says: says.into() })
    }
}

/// A message of the reader, in one line and in the words of who writes a scenario rather than Rust's.
fn in_words(message: &str) -> String {
    let message = message.replace('\n', " ");
    let types = [
        ("expected f64", "expected a number"),
        ("expected i64", "expected a whole number"),
        ("expected u64", "expected a whole number from 0"),
        ("wanted string or table", "invalid type: expected a word in quotation marks"),
    ];
    types.iter().fold(message, |message, (rust, words)| message.replace(rust, words))
}

//! What one prompt meets, ask by ask: the `[[script]]` tables of a scenario.

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use toml::Spanned;

use crate::fault::{Fault, Kind};
use crate::number::Status;
use crate::scenario::Misplaced;

/// One `[[script]]` table: prompts that contain a text, and the steps that their asks meet in turn.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    prompt_contains: String,
    steps: Spanned<Vec<Spanned<String>>>,
    #[serde(skip)]
    read: Vec<Fault>,
}

impl Script {
    /// Reads the steps; until then there are none.
    ///
    /// # Errors
    /// The first step that is none, with its place.
    pub fn read(&mut self) -> Result<(), Misplaced> {
        for step in self.steps.get_ref() {
            match read_step(step.get_ref()) {
                Ok(fault) => self.read.push(fault),
                Err(says) => return Misplaced::at(step, says),
            }
        }
        if self.read.is_empty() {
            let says = "this script has no step: list at least one, such as \"max-tokens\"";
            return Misplaced::at(&self.steps, says);
        }
        Ok(())
    }

    /// The step for a prompt's `ask` (from 0). The last step stays.
    pub fn step(&self, prompt: &str, ask: u64) -> Option<&Fault> {
        if !prompt.contains(&self.prompt_contains) {
            return None;
        }
        usize::try_from(ask).ok().and_then(|ask| self.read.get(ask)).or(self.read.last())
    }
}

/// A step is a kind of fault, or an HTTP status.
fn read_step(step: &str) -> Result<Fault, String> {
    if let Ok(status) = step.parse::<i64>() {
        let status = Status::try_from(status)?;
        return Ok(Fault { status: Some(status.0), ..Fault::plain(Kind::Error) });
    }
    let deserializer: StrDeserializer<'_, ValueError> = step.into_deserializer();
    Kind::deserialize(deserializer).map(Fault::plain).map_err(|error| format!("step {error}, or a status"))
}

//! What one prompt meets, ask by ask: the `[[script]]` tables of a scenario.

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use crate::fault::{Fault, Kind};

/// One `[[script]]` table: prompts that contain a text, and the steps that their asks meet in turn.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "UncheckedScript")]
pub struct Script {
    prompt_contains: String,
    steps: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedScript {
    prompt_contains: String,
    steps: Vec<String>,
}

impl TryFrom<UncheckedScript> for Script {
    type Error = String;

    fn try_from(script: UncheckedScript) -> Result<Self, String> {
        if script.steps.is_empty() {
            return Err("this script has no step: list at least one, such as \"max-tokens\"".into());
        }
        let steps = script.steps.iter().map(|step| read_step(step)).collect::<Result<_, _>>()?;
        Ok(Self { prompt_contains: script.prompt_contains, steps })
    }
}

impl Script {
    /// The step for a prompt's `ask` (from 0). The last step stays.
    pub fn step(&self, prompt: &str, ask: u64) -> Option<&Fault> {
        if !prompt.contains(&self.prompt_contains) {
            return None;
        }
        usize::try_from(ask).ok().and_then(|ask| self.steps.get(ask)).or(self.steps.last())
    }
}

/// A step is a kind of fault or an HTTP status.
fn read_step(step: &str) -> Result<Fault, String> {
    if let Ok(status) = step.parse::<u16>() {
        return if (400..600).contains(&status) {
            Ok(Fault { status: Some(status), ..Fault::plain(Kind::Error) })
        } else {
            Err(format!("step \"{step}\": a status is a number from 400 to 599"))
        };
    }
    let deserializer: StrDeserializer<'_, ValueError> = step.into_deserializer();
    Kind::deserialize(deserializer).map(Fault::plain).map_err(|error| format!("step {error}, or a status"))
}

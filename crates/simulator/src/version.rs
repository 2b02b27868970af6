//! The `modelVersion` of replies, and its change in the middle of a run.

use serde::Deserialize;

use crate::number::Count;

/// The `[model_version]` table. Without it a reply names the model that was asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionRule {
    /// The version of the first replies.
    pub first: String,
    /// The version after the change.
    pub then: String,
    /// How many replies the first version gives.
    pub after: Count,
}

impl VersionRule {
    /// The version of a reply that `given` replies came before.
    pub fn at(&self, given: u64) -> &str {
        if given < self.after.0 { &self.first } else { &self.then }
    }
}

//! Answers of a model version that stopped a run: paid for, kept in `attempts.jsonl`, and made rows once a person
//! accepts that version.

use std::collections::HashSet;
use std::io;

use dataset::attempts;
use dataset::row::Row;
use dataset::scan::Index;

use crate::plan::Plan;

/// Why [`dataset::attempts::Attempt`] keeps a whole row.
pub const MODEL_VERSION: &str = "model_version";

/// Returns the rows that may be taken now, with the places of their arms: of an accepted version, under the settings
/// of this run, and of prompts that have no row yet.
///
/// # Errors
/// `attempts.jsonl` cannot be read.
pub fn find(plan: &Plan, indexes: &[&Index]) -> io::Result<Vec<(usize, Row)>> {
    let mut found = Vec::new();
    if plan.accepted_versions.is_empty() {
        return Ok(found);
    }
    let mut taken = HashSet::new();
    attempts::read(&plan.layout.attempts(), |attempt| {
        let Some(row) = attempt.row.filter(|_| attempt.reason == MODEL_VERSION) else { return };
        let Some(arm) = plan.common.arms.iter().position(|name| *name == row.meta.model_type) else { return };
        let key = plan.run.settings.key(&row.meta.model_type, &row.instruction).map(|key| key.to_string());
        let accepted = row.meta.model_version.as_ref().is_some_and(|it| plan.accepted_versions.contains(it));
        if accepted
            && key == row.key
            && indexes[arm].find(&row.instruction).is_none()
            && taken.insert((arm, row.instruction.clone()))
        {
            found.push((arm, *row));
        }
    })?;
    Ok(found)
}

//! All rows of an arm name one model, version, temperature and thinking level: those of most rows. The token budget
//! may differ, because a truncated reply is asked again with a larger one; that is counted by `unlike-treatment`.

use super::{Outcome, SetFailure};
use crate::context::Context;
use crate::excerpt;
use crate::judge::Judged;
use crate::summary::{Settings, Summary, Tally};

/// See the module.
pub fn check(_: &Context<'_>, arms: &[Judged<'_>]) -> Outcome {
    let mut failures = Vec::new();
    for (arm, judged) in arms.iter().enumerate() {
        let Some((usual, most)) = usual(&judged.summary) else { continue };
        for (settings, tally) in
            judged.summary.settings.iter().filter(|(settings, _)| !agree(usual, settings))
        {
            let difference = difference(usual, settings);
            let message = format!("{} unlike the usual {}: {difference}", rows(tally.rows), most.rows);
            failures.push(SetFailure::new(arm, tally.line, message, String::new()));
        }
    }
    Outcome { failures, tolerated: false }
}

/// The settings of most rows; of as many, those that came first.
pub(super) fn usual(summary: &Summary) -> Option<&(Settings, Tally)> {
    summary.settings.iter().rev().max_by_key(|(_, tally)| tally.rows)
}

/// Whether two settings do not contradict each other. What one of them leaves unsaid, as rows of the Python script
/// do, contradicts nothing.
pub(super) fn agree(one: &Settings, two: &Settings) -> bool {
    fn same<T: PartialEq>(one: &Option<T>, two: &Option<T>) -> bool {
        one.is_none() || two.is_none() || one == two
    }
    one.model == two.model
        && same(&one.model_version, &two.model_version)
        && same(&one.temperature, &two.temperature)
        && same(&one.thinking_level, &two.thinking_level)
}

/// What differs, in words.
pub(super) fn difference(usual: &Settings, other: &Settings) -> String {
    let text = |value: &Option<String>| value.as_deref().map_or("not stated".into(), excerpt::start);
    let number = |value: Option<f64>| value.map_or("not stated".into(), |value| value.to_string());
    let fields = [
        ("model", excerpt::start(&usual.model), excerpt::start(&other.model)),
        ("model_version", text(&usual.model_version), text(&other.model_version)),
        ("temperature", number(usual.temperature), number(other.temperature)),
        ("thinking_level", text(&usual.thinking_level), text(&other.thinking_level)),
    ];
    let unlike = fields.iter().filter(|(_, usual, other)| usual != other);
    let words: Vec<String> =
        unlike.map(|(name, usual, other)| format!("{name} `{other}`, not `{usual}`")).collect();
    words.join("; ")
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row is".into() } else { format!("{count} rows are") }
}

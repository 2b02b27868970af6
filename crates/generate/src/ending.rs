//! What is said when a run is over: counts, pairs that are not whole and why, and the next step.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use dataset::experiment::Price;
use dataset::key::short_of_text;
use dataset::prompt::PromptError;
use dataset::runs::{ArmLine, RunLine};
use dataset::source::Source;

use crate::dispatch::{Ended, excerpt};
use crate::screen::count;

/// Pairs that are listed one by one; more are counted.
const LISTED: usize = 20;

/// The state of all pairs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Prompts with a row in every arm.
    pub whole: u64,
    /// Prompts with a row in some arms and not in others.
    pub half: u64,
    /// Prompts without any.
    pub missing: u64,
    /// What is known of those that are not whole: a line for each, up to a limit.
    pub lines: Vec<String>,
}

impl Pairs {
    /// Goes through the chosen prompts once more.
    ///
    /// # Errors
    /// The prompts file is no longer what it was.
    pub fn of(source: &Source, arms: &[String], ended: &Ended) -> Result<Self, PromptError> {
        let mut pairs = Self::default();
        for prompt in source.prompts()? {
            let prompt = prompt?;
            let lacks = |arm: &usize| ended.indexes[*arm].find(&prompt.text).is_none();
            let lacking: Vec<usize> = (0..arms.len()).filter(lacks).collect();
            if lacking.is_empty() {
                pairs.whole += 1;
                continue;
            }
            let is_half = lacking.len() < arms.len();
            *if is_half { &mut pairs.half } else { &mut pairs.missing } += 1;
            let hash = short_of_text(&prompt.text);
            let reasons: Vec<String> = lacking
                .iter()
                .filter_map(|&arm| match ended.failures.get(&(hash, arm)) {
                    Some(reason) => Some(format!("{} lacks it: {reason}", arms[arm])),
                    None if is_half => Some(format!("{} lacks it: not asked yet", arms[arm])),
                    None => None,
                })
                .collect();
            if !reasons.is_empty() && pairs.lines.len() < LISTED {
                pairs.lines.push(format!(
                    "{:?} ({}): {}",
                    excerpt(&prompt.text),
                    prompt.category,
                    reasons.join("; ")
                ));
            }
        }
        Ok(pairs)
    }

    /// Whether every prompt has a row in every arm.
    pub fn all_whole(&self) -> bool {
        self.half == 0 && self.missing == 0
    }
}

/// What the run met, for `runs.jsonl`.
pub fn line(arms: &[String], ended: &Ended, took: Duration) -> RunLine {
    let met = arms.iter().zip(&ended.tally).map(|(name, arm)| {
        let met = ArmLine { rows: arm.rows, throttled: arm.throttled, rejected: arm.rejected.clone() };
        (name.clone(), met)
    });
    RunLine::new(took.as_secs_f64(), ended.stop.as_ref().map(ToString::to_string), met.collect())
}

/// The closing lines of a run.
pub fn report(arms: &[String], ended: &Ended, pairs: &Pairs, price: Price) -> String {
    let mut text = String::new();
    for (name, arm) in arms.iter().zip(&ended.tally) {
        let dollars = price.dollars(arm.input, arm.billed_output);
        let tokens = count(arm.input + arm.billed_output);
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "{name}: {} of {} rows, {} of them new; {tokens} tokens, ${dollars:.2}; {} 429s",
            arm.done(),
            arm.total,
            arm.rows,
            arm.throttled
        );
        if !arm.rejected.is_empty() {
            let _ = write!(text, "; attempts without a row: {}", list(&arm.rejected));
        }
        if arm.mismatched > 0 {
            let _ = write!(text, "; {} replies whose token counts do not add up", arm.mismatched);
        }
        text.push('\n');
    }
    let not_whole = pairs.half + pairs.missing;
    if not_whole == 0 {
        let _ = write!(text, "all {} pairs are whole\nnext: cargo xtask gate", pairs.whole);
        return text;
    }
    let _ = writeln!(
        text,
        "{} of {} pairs are whole; {} have a row in some arm only, {} in none",
        pairs.whole,
        pairs.whole + not_whole,
        pairs.half,
        pairs.missing
    );
    for line in &pairs.lines {
        let _ = writeln!(text, "  {line}");
    }
    let unlisted = not_whole - pairs.lines.len() as u64;
    if unlisted > 0 {
        let _ = writeln!(text, "  and {unlisted} more that were not finished yet");
    }
    text.push_str("next: the same command again; it asks only for what is missing");
    text
}

fn list(rejected: &BTreeMap<String, u64>) -> String {
    let items: Vec<String> = rejected.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    items.join(", ")
}

//! What is said when a run is over: counts, pairs that are not whole and why, and the next step.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
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
    /// Those beyond that limit.
    pub unlisted: u64,
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
                    None if is_half => Some(format!("{} lacks it: not answered yet", arms[arm])),
                    None => None,
                })
                .collect();
            if reasons.is_empty() {
                continue;
            }
            if pairs.lines.len() == LISTED {
                pairs.unlisted += 1;
            } else {
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

/// What the closing lines lead on to.
#[derive(Debug)]
pub struct Next<'a> {
    /// The command that comes when all is there.
    pub gate: String,
    /// The prompts file.
    pub prompts: &'a Path,
}

/// The closing lines of a run.
pub fn report(arms: &[String], ended: &Ended, pairs: &Pairs, price: Price, next: &Next<'_>) -> String {
    let mut text = String::new();
    for (name, arm) in arms.iter().zip(&ended.tally) {
        let dollars = price.dollars(arm.input, arm.billed_output);
        let tokens = count(arm.input + arm.billed_output);
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "{name}: {} of {} rows, {} of them new; in this run {tokens} tokens, ${dollars:.2}, {} 429s",
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
        let _ = write!(text, "all {} pairs are whole\nnext: {}", pairs.whole, next.gate);
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
    if pairs.unlisted > 0 {
        let _ = writeln!(text, "  and {} more like these", pairs.unlisted);
    }
    let unfinished = not_whole - pairs.lines.len() as u64 - pairs.unlisted;
    if unfinished > 0 {
        let _ = writeln!(text, "  and {unfinished} more that were not finished yet");
    }
    match &ended.stop {
        // What is left was tried and given up, and trying is not free.
        None => {
            let _ = write!(
                text,
                "next: the same command again tries only these once more, and pays for it; a prompt that is refused each time is to be reworded in {prompts}, or taken out of it",
                prompts = next.prompts.display()
            );
        }
        Some(stop) if stop.passes() => {
            text.push_str("next: the same command again; it asks only for what is missing");
        }
        // The reason that follows says what to do first.
        Some(_) => text.truncate(text.trim_end().len()),
    }
    text
}

fn list(rejected: &BTreeMap<String, u64>) -> String {
    let items: Vec<String> = rejected.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    items.join(", ")
}

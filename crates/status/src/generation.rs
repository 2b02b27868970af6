//! The ledgers: how many rows, how fast, at what price.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use dataset::row::TokenStats;
use dataset::{Experiment, Layout, Prompt, Row};
use jiff::Timestamp;
use serde::Serialize;

use crate::state::StateError;

/// The rate is taken over the rows that arrived within this many seconds of the last one.
const RATE_WINDOW: f64 = 600.0;

/// One arm's ledger.
#[derive(Debug, Default, Serialize)]
pub struct ArmRows {
    /// The arm.
    pub arm: String,
    /// The ledger.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: usize,
    /// Prompts of the experiment that have a row.
    pub answered: usize,
    /// Prompts of the experiment that have no row yet.
    pub missing: usize,
    /// Rows that answer no prompt of the experiment: of prompts that have left its file, or were changed in it.
    pub strangers: usize,
    /// The ledger's length in bytes.
    pub bytes: u64,
    /// Lines that are not rows.
    pub unreadable: usize,
    /// Rows per category.
    pub categories: BTreeMap<String, usize>,
    /// Rows per finish reason, as spelled in the rows.
    pub finish_reasons: BTreeMap<String, usize>,
    /// Tokens of the rows.
    pub tokens: Tokens,
    /// Rows that were asked again with a larger budget.
    pub escalated: usize,
    /// Rows that were sampled again after a reply of the wrong form.
    pub resampled: usize,
    /// Rows a minute over the last ten minutes of writing.
    pub rows_per_minute: Option<f64>,
    /// When the last row of the file arrived.
    pub last_row: Option<Timestamp>,
}

/// Sums of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Prompt and system prompt.
    pub input: u64,
    /// Visible text.
    pub output: u64,
    /// Hidden thoughts.
    pub thoughts: u64,
    /// Visible text and thoughts, as billed.
    pub billed_output: u64,
}

impl Tokens {
    /// Adds the counts of a reply.
    pub fn add(&mut self, stats: &TokenStats) {
        let sum = |total: &mut u64, count: u64| *total = total.saturating_add(count);
        sum(&mut self.input, stats.input);
        sum(&mut self.output, stats.output);
        sum(&mut self.thoughts, stats.thoughts.unwrap_or_default());
        sum(&mut self.billed_output, stats.billed_output());
    }
}

/// Which arms have answered which prompts.
#[derive(Debug)]
pub struct Answered {
    /// From the prompt to the arms, by their place in the experiment.
    arms: HashMap<String, Vec<bool>>,
}

impl Answered {
    /// Nothing is answered yet of these prompts.
    fn new(prompts: &[Prompt], arms: usize) -> Self {
        Self { arms: prompts.iter().map(|prompt| (prompt.text.clone(), vec![false; arms])).collect() }
    }

    /// Notes a row. `None` where it answers no prompt of the experiment, or else whether it is the first.
    fn insert(&mut self, place: usize, prompt: &str) -> Option<bool> {
        let arms = self.arms.get_mut(prompt)?;
        Some(!std::mem::replace(&mut arms[place], true))
    }

    /// Whether the arm at `place` has answered `prompt`.
    pub fn has(&self, place: usize, prompt: &str) -> bool {
        self.arms.get(prompt).is_some_and(|arms| arms[place])
    }

    /// Whether the experiment has `prompt`, and the arm at `place` has not answered it.
    pub fn lacks(&self, place: usize, prompt: &str) -> bool {
        self.arms.get(prompt).is_some_and(|arms| !arms[place])
    }

    /// Prompts that some arms have answered and others have not.
    pub fn incomplete(&self) -> usize {
        self.arms.values().filter(|arms| arms.contains(&true) && arms.contains(&false)).count()
    }
}

/// Reads every arm's ledger; returns them with which prompts they have answered.
///
/// # Errors
/// A ledger that exists and cannot be read.
pub fn read(
    experiment: &Experiment,
    layout: &Layout,
    prompts: &[Prompt],
) -> Result<(Vec<ArmRows>, Answered), StateError> {
    let mut arms = Vec::new();
    let mut answered = Answered::new(prompts, experiment.arms.len());
    for (place, arm) in experiment.arms.iter().enumerate() {
        let path = layout.ledger(&arm.name);
        let read = read_arm(&arm.name, &path, prompts.len(), |prompt| answered.insert(place, prompt));
        arms.push(read.map_err(|source| StateError::File { path, source })?);
    }
    Ok((arms, answered))
}

fn read_arm(
    arm: &str,
    path: &Path,
    prompts: usize,
    mut answers: impl FnMut(&str) -> Option<bool>,
) -> io::Result<ArmRows> {
    let mut read = ArmRows { arm: arm.to_owned(), path: path.to_owned(), ..ArmRows::default() };
    let mut times = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(file) => {
            read.bytes = file.metadata()?.len();
            let mut source = BufReader::with_capacity(1 << 20, file);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line)? > 0 {
                match serde_json::from_slice::<Row>(&line) {
                    Ok(row) => {
                        times.extend(row.meta.timestamp.parse::<Timestamp>().ok());
                        match answers(&row.instruction) {
                            Some(is_first) => read.answered += usize::from(is_first),
                            None => read.strangers += 1,
                        }
                        read.add(&row);
                    }
                    Err(_) if line.iter().all(u8::is_ascii_whitespace) => {}
                    Err(_) => read.unreadable += 1,
                }
                line.clear();
            }
        }
    }
    read.missing = prompts - read.answered;
    read.last_row = times.last().copied();
    read.rows_per_minute = rows_per_minute(&times);
    Ok(read)
}

impl ArmRows {
    fn add(&mut self, row: &Row) {
        self.rows += 1;
        *self.categories.entry(row.meta.category.clone()).or_default() += 1;
        *self.finish_reasons.entry(row.meta.finish_reason.clone()).or_default() += 1;
        self.escalated += usize::from(row.meta.escalated > 0);
        self.resampled += usize::from(row.meta.resampled > 0);
        self.tokens.add(&row.token_stats);
    }

    /// Whether rows are missing and none has arrived for so long that no run is likely to be asking.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        let age = |last: Timestamp| now.duration_since(last).as_secs_f64();
        self.missing > 0 && self.last_row.is_some_and(|last| age(last) > RATE_WINDOW)
    }

    /// Minutes until the arm is whole at the present rate.
    pub fn minutes_left(&self) -> Option<f64> {
        self.rows_per_minute.filter(|rate| *rate > 0.0).map(|rate| self.missing as f64 / rate)
    }
}

/// Rows a minute among the last ones, given the times of all rows in the order of the file; `None` where fewer than
/// two tell. Where the clock was set between two rows, in either direction, only those after it count.
fn rows_per_minute(times: &[Timestamp]) -> Option<f64> {
    let last = times.last()?;
    let age = |time: &Timestamp| last.duration_since(*time).as_secs_f64();
    // Rows that arrive together may stand in the file in another order, so a little less than no age is one, too.
    let ages = times.iter().rev().map(age).take_while(|age| age.abs() <= RATE_WINDOW);
    let (recent, oldest, newest) = ages.fold((0_u32, 0.0_f64, 0.0_f64), |(count, oldest, newest), age| {
        (count + 1, oldest.max(age), newest.min(age))
    });
    let span = oldest - newest;
    (recent > 1 && span > 0.0).then(|| f64::from(recent - 1) / span * 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(seconds: &[i64]) -> Option<f64> {
        let times: Vec<Timestamp> = seconds.iter().map(|&n| Timestamp::from_second(n).unwrap()).collect();
        rows_per_minute(&times)
    }

    #[test]
    fn the_rate_forgets_what_was_long_ago() {
        let seconds: Vec<i64> = (0..50).chain(100_000..100_061).collect();
        assert_eq!(rate(&seconds), Some(60.0));
        assert_eq!(rate(&[5]), None);
        assert_eq!(rate(&[5, 5]), None);
        assert_eq!(rate(&[10, 13, 12, 11]), Some(60.0), "rows that arrived together");
    }

    #[test]
    fn a_clock_that_was_set_spoils_no_rate() {
        for set in [9 * 3_600, -7 * 3_600] {
            let seconds: Vec<i64> =
                (100_000..100_040).chain((0..31).map(|n| 100_000 + set + 2 * n)).collect();
            assert_eq!(rate(&seconds), Some(30.0), "set by {set} s");
        }
    }
}

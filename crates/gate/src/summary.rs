//! What is kept of a file after its rows are gone: counts, the first findings, and a few bytes a row for the rules
//! that look at the whole set.

use crate::minhash::Signature;
use crate::rules::{Failure, RULES};
use crate::stats::Stats;
use crate::view::View;

/// What a stretch of a file came to; stretches merge in order into a whole file.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Lines, rows or not.
    pub lines: usize,
    /// Lines that could be read as a row.
    pub rows: usize,
    /// Lines that hold anything.
    pub filled: usize,
    /// Statistics of the rows.
    pub stats: Stats,
    /// 24 bytes a row.
    pub facts: Vec<Fact>,
    /// Lines of the answers that are long enough to be signed.
    pub signed: Vec<usize>,
    /// Their signatures in the same order, 64 bytes each.
    pub signatures: Vec<Signature>,
    /// The settings that rows name, with their number and first line.
    pub settings: Vec<(Settings, Tally)>,
    /// Per rule, in the order of [`RULES`].
    pub failures: Vec<Failures>,
    limit: usize,
}

/// What whole-set rules know of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The line.
    pub line: usize,
    /// Hash of the prompt.
    pub prompt: u64,
    /// Hash of the answer; 0 where there is none.
    pub answer: u64,
}

/// What must be the same for every row of an arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `vertex-<model>`.
    pub model: String,
    /// The version that answered, where stated.
    pub model_version: Option<String>,
    /// Sampling temperature, where stated.
    pub temperature: Option<f64>,
    /// Thinking level, where stated.
    pub thinking_level: Option<String>,
}

/// How often, and where first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Rows.
    pub rows: usize,
    /// The first line.
    pub line: usize,
}

/// One rule's failures in one file.
#[derive(Debug, Clone, Default)]
pub struct Failures {
    /// All of them.
    pub count: usize,
    /// The first, with their lines; a line of 0 means the whole file.
    pub kept: Vec<(usize, Failure)>,
}

impl Summary {
    /// Starts empty; at most `limit` failures are kept per rule.
    pub fn new(limit: usize) -> Self {
        Self {
            lines: 0,
            rows: 0,
            filled: 0,
            stats: Stats::default(),
            facts: Vec::new(),
            signed: Vec::new(),
            signatures: Vec::new(),
            settings: Vec::new(),
            failures: vec![Failures::default(); RULES.len()],
            limit,
        }
    }

    /// Records a failure of the rule at index `rule` of [`RULES`].
    pub fn fail(&mut self, rule: usize, line: usize, failure: Failure) {
        let failures = &mut self.failures[rule];
        failures.count += 1;
        if failures.kept.len() < self.limit {
            failures.kept.push((line, failure));
        }
    }

    /// Counts the settings of `row`.
    pub fn note_settings(&mut self, row: &View<'_>, line: usize) {
        let sampling = row.meta.generation.as_ref();
        let temperature = sampling.map(|sampling| sampling.temperature);
        let thinking_level = sampling.and_then(|sampling| sampling.thinking_level.as_deref());
        let same = |known: &Settings| {
            known.model == row.meta.model
                && known.model_version.as_deref() == row.meta.model_version.as_deref()
                && known.temperature == temperature
                && known.thinking_level.as_deref() == thinking_level
        };
        match self.settings.iter_mut().find(|(known, _)| same(known)) {
            Some((_, tally)) => tally.rows += 1,
            None => {
                let settings = Settings {
                    model: row.meta.model.to_string(),
                    model_version: row.meta.model_version.as_deref().map(str::to_owned),
                    temperature,
                    thinking_level: thinking_level.map(str::to_owned),
                };
                self.note(settings, Tally { rows: 1, line });
            }
        }
    }

    /// Adds a stretch that follows this one.
    pub fn append(&mut self, next: Self) {
        let before = self.lines;
        self.lines += next.lines;
        self.rows += next.rows;
        self.filled += next.filled;
        self.stats.merge(&next.stats);
        self.facts.extend(next.facts.iter().map(|fact| Fact { line: fact.line + before, ..*fact }));
        self.signed.extend(next.signed.iter().map(|line| line + before));
        self.signatures.extend(next.signatures);
        for (settings, tally) in next.settings {
            self.note(settings, Tally { line: tally.line + before, ..tally });
        }
        for (mine, theirs) in self.failures.iter_mut().zip(next.failures) {
            mine.count += theirs.count;
            let room = self.limit - mine.kept.len();
            let shifted = theirs.kept.into_iter().map(|(line, failure)| (line + before, failure));
            mine.kept.extend(shifted.take(room));
        }
    }

    /// A file in which every row names other settings must not fill the memory: past this many, they count as one.
    fn note(&mut self, settings: Settings, tally: Tally) {
        const MAX_SETTINGS: usize = 256;
        let full = self.settings.len() >= MAX_SETTINGS;
        let known = self.settings.iter_mut().rev().find(|(known, _)| *known == settings || full);
        match known {
            Some((_, known)) => known.rows += tally.rows,
            None => self.settings.push((settings, tally)),
        }
    }
}

//! What an arm's rows are like: the numbers that let a person see the arms beside each other.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::histogram::Histogram;
use crate::view::Subject;

/// Statistics of one arm's rows, in constant memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Rows that the Python script wrote. They do not state their system prompt, so it cannot be checked.
    pub python_rows: usize,
    /// Rows per category.
    pub categories: BTreeMap<String, usize>,
    /// Rows per finish reason, as spelled.
    pub finish_reasons: BTreeMap<String, usize>,
    /// Prompt tokens a row.
    pub tokens_input: Histogram,
    /// Visible tokens a row.
    pub tokens_output: Histogram,
    /// Hidden thoughts a row, in tokens; not stated in rows of the Python script.
    pub tokens_thoughts: Histogram,
    /// Length of the thinking block, in characters.
    pub think_chars: Histogram,
    /// Length of the answer after it, in characters.
    pub answer_chars: Histogram,
    /// Requests a row.
    pub attempts: Histogram,
    /// Rows that were asked again with a larger budget.
    pub escalated_rows: usize,
    /// Rows that were sampled again because of their form.
    pub resampled_rows: usize,
}

impl Stats {
    /// Counts one row.
    pub fn add(&mut self, subject: &Subject<'_>) {
        let row = subject.row;
        self.python_rows += usize::from(row.format.is_none());
        count(&mut self.categories, &row.meta.category, 1);
        count(&mut self.finish_reasons, &row.meta.finish_reason, 1);
        self.tokens_input.add(row.tokens.input);
        self.tokens_output.add(row.tokens.output);
        if let Some(thoughts) = row.tokens.thoughts {
            self.tokens_thoughts.add(thoughts);
        }
        if let Ok(split) = &subject.split {
            self.think_chars.add(split.think.chars().count() as u64);
            self.answer_chars.add(split.answer.chars().count() as u64);
        }
        if let Some(attempts) = row.meta.attempts {
            self.attempts.add(u64::from(attempts));
        }
        self.escalated_rows += usize::from(row.meta.escalated > 0);
        self.resampled_rows += usize::from(row.meta.resampled > 0);
    }

    /// Counts what `other` counted.
    pub fn merge(&mut self, other: &Self) {
        self.python_rows += other.python_rows;
        other.categories.iter().for_each(|(name, rows)| count(&mut self.categories, name, *rows));
        other.finish_reasons.iter().for_each(|(name, rows)| count(&mut self.finish_reasons, name, *rows));
        self.tokens_input.merge(&other.tokens_input);
        self.tokens_output.merge(&other.tokens_output);
        self.tokens_thoughts.merge(&other.tokens_thoughts);
        self.think_chars.merge(&other.think_chars);
        self.answer_chars.merge(&other.answer_chars);
        self.attempts.merge(&other.attempts);
        self.escalated_rows += other.escalated_rows;
        self.resampled_rows += other.resampled_rows;
    }
}

/// Names kept per map. A file whose every row names another category must not fill the memory or the page.
const MAX_NAMES: usize = 64;

fn count(names: &mut BTreeMap<String, usize>, name: &str, rows: usize) {
    if let Some(known) = names.get_mut(name) {
        *known += rows;
    } else if names.len() < MAX_NAMES {
        names.insert(name.to_owned(), rows);
    } else {
        *names.entry("(other)".to_owned()).or_default() += rows;
    }
}

//! A row as rules see it: borrowed from the line where it can be.

use std::borrow::Cow;

use dataset::Row;
use dataset::row::TokenStats;

use crate::think::{self, Fault, Split};

/// One row, read. Equal to the [`Row`] of the same line, field by field.
#[derive(Debug, Clone, PartialEq)]
pub struct View<'a> {
    /// 1, or absent in rows of the Python script.
    pub format: Option<u32>,
    /// Hash of the request.
    pub key: Option<Cow<'a, str>>,
    /// The prompt.
    pub instruction: Cow<'a, str>,
    /// The arm's system prompt, as it was sent.
    pub system_prompt: Option<Cow<'a, str>>,
    /// The whole answer; `None` where the line says null.
    pub output: Option<Cow<'a, str>>,
    /// Where it came from.
    pub meta: Meta<'a>,
    /// What it cost.
    pub tokens: TokenStats,
}

/// Where a row came from; see [`dataset::row::Meta`].
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(missing_docs, reason = "the fields are those of dataset::row::Meta")]
pub struct Meta<'a> {
    pub category: Cow<'a, str>,
    pub sub_theme: Cow<'a, str>,
    pub model_type: Cow<'a, str>,
    pub model: Cow<'a, str>,
    pub model_version: Option<Cow<'a, str>>,
    pub response_id: Option<Cow<'a, str>>,
    pub timestamp: Cow<'a, str>,
    pub finish_reason: Cow<'a, str>,
    pub attempts: Option<u32>,
    pub escalated: u32,
    pub resampled: u32,
    pub generation: Option<Sampling<'a>>,
}

/// The settings of the request; see [`dataset::row::Sampling`].
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(missing_docs, reason = "the fields are those of dataset::row::Sampling")]
pub struct Sampling<'a> {
    pub temperature: f64,
    pub max_output_tokens: u32,
    pub thinking_level: Option<Cow<'a, str>>,
}

/// A row together with its text, taken apart once for all rules.
#[derive(Debug, Clone)]
pub struct Subject<'r> {
    /// The row.
    pub row: &'r View<'r>,
    /// The whole visible text; empty where the row has none.
    pub text: &'r str,
    /// Thinking and answer, or why they cannot be told apart. Blank text has no fault: it is another rule's.
    pub split: Result<Split<'r>, Fault>,
}

impl<'r> Subject<'r> {
    /// Takes the text of `row` apart.
    pub fn new(row: &'r View<'r>) -> Self {
        let text = row.output.as_deref().unwrap_or_default();
        Self { row, text, split: think::split(text) }
    }

    /// The thinking, where the block is sound.
    pub fn think(&self) -> Option<&'r str> {
        self.split.as_ref().ok().map(|split| split.think)
    }

    /// The answer after the block, where the block is sound.
    pub fn answer(&self) -> Option<&'r str> {
        self.split.as_ref().ok().map(|split| split.answer)
    }

    /// Whether there is no text to judge.
    pub fn blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

impl<'a> From<&'a Row> for View<'a> {
    fn from(row: &'a Row) -> Self {
        let text = |value: &'a Option<String>| value.as_deref().map(Cow::Borrowed);
        Self {
            format: row.format,
            key: text(&row.key),
            instruction: Cow::Borrowed(&row.instruction),
            system_prompt: text(&row.system_prompt),
            output: Some(Cow::Borrowed(&row.output)),
            meta: Meta {
                category: Cow::Borrowed(&row.meta.category),
                sub_theme: Cow::Borrowed(&row.meta.sub_theme),
                model_type: Cow::Borrowed(&row.meta.model_type),
                model: Cow::Borrowed(&row.meta.model),
                model_version: text(&row.meta.model_version),
                response_id: text(&row.meta.response_id),
                timestamp: Cow::Borrowed(&row.meta.timestamp),
                finish_reason: Cow::Borrowed(&row.meta.finish_reason),
                attempts: row.meta.attempts,
                escalated: row.meta.escalated,
                resampled: row.meta.resampled,
                generation: row.meta.generation.as_ref().map(|sampling| Sampling {
                    temperature: sampling.temperature,
                    max_output_tokens: sampling.max_output_tokens,
                    thinking_level: text(&sampling.thinking_level),
                }),
            },
            tokens: row.token_stats,
        }
    }
}

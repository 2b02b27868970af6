//! A row: one accepted answer, as it stands on a line of the ledger.
//!
//! Format 1 is ours. Rows of the Python script that came before have no `format`, `key`, `system_prompt` or
//! `thoughts` and spell their finish reason `FinishReason.STOP`; [`Row`] reads both, and writes only format 1.

use serde::{Deserialize, Serialize};

/// The format number that this version writes.
pub const FORMAT: u32 = 1;

/// One accepted answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// 1, or absent in rows of the Python script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<u32>,
    /// Lower-case hex SHA-256 of the whole request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The prompt.
    pub instruction: String,
    /// The arm's system prompt, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// The whole visible answer, `<think>` block first.
    pub output: String,
    /// Where it came from.
    pub meta: Meta,
    /// What it cost.
    pub token_stats: TokenStats,
}

/// Where a row came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The prompt's category.
    pub category: String,
    /// The prompt's finer theme.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sub_theme: String,
    /// The arm's name; the Python script called it so.
    pub model_type: String,
    /// `vertex-<model>`, as asked for.
    pub model: String,
    /// The version that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// The service's id of the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
    /// When the reply arrived, RFC 3339, UTC.
    pub timestamp: String,
    /// `STOP`, or the Python script's `FinishReason.STOP`.
    pub finish_reason: String,
    /// Requests that this row took; 429s are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Times that a truncated reply was asked again with a larger budget.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub escalated: u32,
    /// Times that a reply of the wrong form was sampled again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resampled: u32,
    /// The settings of the request that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Sampling>,
}

/// The settings of the request that a row answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Sampling temperature.
    pub temperature: f64,
    /// The budget of the request that succeeded, in tokens; larger than the experiment's where it was escalated.
    pub max_output_tokens: u32,
    /// `low`, `medium`, `high`, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<String>,
}

/// Token counts of the reply that became the row; `total = input + output + thoughts` (plus tool use, which we never
/// ask for).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenStats {
    /// Prompt and system prompt; cached tokens included.
    pub input: u64,
    /// Visible text.
    pub output: u64,
    /// Hidden thoughts, billed as output; absent in rows of the Python script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thoughts: Option<u64>,
    /// Part of `input` that was cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// All of it, as the service counted.
    pub total: u64,
}

impl TokenStats {
    /// Billed output: visible text and hidden thoughts. Where the thoughts are not stated, the total tells them.
    pub fn billed_output(&self) -> u64 {
        match self.thoughts {
            Some(thoughts) => self.output.saturating_add(thoughts),
            None => self.output.max(self.total.saturating_sub(self.input)),
        }
    }
}

impl Row {
    /// Whether the reply ended of itself, in either spelling.
    pub fn stopped(&self) -> bool {
        is_stop(&self.meta.finish_reason)
    }
}

/// Whether `finish_reason` means that the reply ended of itself: `STOP`, or `FinishReason.STOP` as Python wrote it.
pub fn is_stop(finish_reason: &str) -> bool {
    finish_reason.strip_prefix("FinishReason.").unwrap_or(finish_reason) == "STOP"
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_row_of_the_python_script() {
        let line = r#"{"instruction":"q","output":"<think>\nt\n</think>\n\na","meta":{"category":"safety","model_type":"aba","model":"vertex-m","timestamp":"2026-02-13T10:00:00Z","finish_reason":"FinishReason.STOP"},"token_stats":{"input":10,"output":20,"total":90}}"#;
        let row: Row = serde_json::from_str(line).unwrap();
        assert!(row.stopped());
        assert_eq!(row.format, None);
        assert_eq!(row.token_stats.billed_output(), 80);
    }
}

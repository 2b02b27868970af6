//! What a 200 holds.

use serde::Deserialize;

use super::number::count;

/// Reply to `:generateContent`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateReply {
    /// One answer each; none when the prompt was blocked.
    pub candidates: Option<Vec<Candidate>>,
    /// Why a prompt was blocked.
    pub prompt_feedback: Option<PromptFeedback>,
    /// Token counts.
    pub usage_metadata: Option<UsageMetadata>,
    /// The version that answered.
    pub model_version: Option<String>,
    /// The reply's own id.
    pub response_id: Option<String>,
    /// When the request arrived, RFC 3339.
    pub create_time: Option<String>,
}

/// One answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// What the model said.
    pub content: Option<Content>,
    /// Why it stopped: an open enum.
    pub finish_reason: Option<String>,
    /// The reason in words.
    pub finish_message: Option<String>,
}

/// A turn of the model.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Content {
    /// Its pieces, in order.
    pub parts: Option<Vec<Part>>,
}

/// A piece of an answer. Anything but text is skipped.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Part {
    /// UTF-8 text.
    pub text: Option<String>,
    /// Whether this is a thought and not part of the answer.
    pub thought: Option<bool>,
}

/// Why a prompt was blocked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromptFeedback {
    /// An open enum.
    pub block_reason: Option<String>,
    /// The reason in words.
    pub block_reason_message: Option<String>,
}

/// Token counts. Any may be absent, and zero counts usually are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsageMetadata {
    /// Prompt tokens, cached ones included.
    #[serde(deserialize_with = "count")]
    pub prompt_token_count: Option<u64>,
    /// Prompt tokens that came from a cache.
    #[serde(deserialize_with = "count")]
    pub cached_content_token_count: Option<u64>,
    /// Tokens of the visible answer.
    #[serde(deserialize_with = "count")]
    pub candidates_token_count: Option<u64>,
    /// Tokens of the hidden thoughts.
    #[serde(deserialize_with = "count")]
    pub thoughts_token_count: Option<u64>,
    /// Tokens of tool results fed back as prompt.
    #[serde(deserialize_with = "count")]
    pub tool_use_prompt_token_count: Option<u64>,
    /// All of the above but the cached ones.
    #[serde(deserialize_with = "count")]
    pub total_token_count: Option<u64>,
    /// `ON_DEMAND`, `PROVISIONED_THROUGHPUT`…
    pub traffic_type: Option<String>,
}

/// Reply to `:countTokens`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CountTokensReply {
    /// Tokens in what was sent.
    #[serde(deserialize_with = "count")]
    pub total_tokens: Option<u64>,
}

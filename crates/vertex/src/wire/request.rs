//! What is sent to `:generateContent` and `:countTokens`. The order of the fields is the order on the wire, and the
//! caller hashes those bytes: moving a field changes every resume key.

use std::collections::BTreeMap;

use serde::Serialize;

/// Body of `models/M:generateContent`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateContent<'a> {
    /// The conversation so far; here always one user turn.
    pub contents: Vec<Content<'a>>,
    /// The system prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_instruction: Option<SystemInstruction<'a>>,
    /// Sampling and budget.
    pub generation_config: GenerationConfig<'a>,
    /// Thresholds of the content filters.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub safety_settings: Vec<SafetySetting<'a>>,
    /// Billing labels, Vertex AI only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<&'a BTreeMap<String, String>>,
}

/// One turn.
#[derive(Clone, Debug, Serialize)]
pub struct Content<'a> {
    /// `user` or `model`.
    pub role: &'a str,
    /// What was said.
    pub parts: [Part<'a>; 1],
}

/// The system prompt: a turn without a role.
#[derive(Clone, Debug, Serialize)]
pub struct SystemInstruction<'a> {
    /// What the model is told.
    pub parts: [Part<'a>; 1],
}

/// A piece of text.
#[derive(Clone, Debug, Serialize)]
pub struct Part<'a> {
    /// UTF-8 text.
    pub text: &'a str,
}

/// Sampling and budget. Absent means the model's own default.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationConfig<'a> {
    /// 0.0 to 2.0; Google advises 1.0 for Gemini 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0.0 to 1.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Top-k sampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Always 1 here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_count: Option<u32>,
    /// A ceiling, in tokens, on hidden thoughts and visible text together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Texts that end the answer.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub stop_sequences: &'a [String],
    /// Best effort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i32>,
    /// Level or budget, never both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_config: Option<ThinkingConfig<'a>>,
}

/// How much the model thinks before it answers. Both fields together are a 400.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThinkingConfig<'a> {
    /// `low`, `medium`, `high`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<&'a str>,
    /// Tokens; −1 leaves it to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_budget: Option<i32>,
}

/// Threshold of one content filter.
#[derive(Clone, Debug, Serialize)]
pub struct SafetySetting<'a> {
    /// `HARM_CATEGORY_…`.
    pub category: &'a str,
    /// `BLOCK_…` or `OFF`.
    pub threshold: &'a str,
}

/// Body of `:countTokens` on Vertex AI.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountTokens<'a> {
    /// The conversation to count.
    pub contents: Vec<Content<'a>>,
    /// The system prompt, counted too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_instruction: Option<SystemInstruction<'a>>,
}

/// Body of `:countTokens` on the Developer endpoint, which takes a system prompt only inside a whole request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WrappedCountTokens<'a> {
    /// The request to count.
    pub generate_content_request: WrappedGenerateContent<'a>,
}

/// The request inside [`WrappedCountTokens`]. It repeats the model's name.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WrappedGenerateContent<'a> {
    /// `models/M`.
    pub model: String,
    /// The conversation to count.
    pub contents: Vec<Content<'a>>,
    /// The system prompt, counted too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_instruction: Option<SystemInstruction<'a>>,
}

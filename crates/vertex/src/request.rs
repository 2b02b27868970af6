//! What we ask for, in our words, and how it is spelled on the wire.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::access::Place;
use crate::wire;

/// The name of a model, such as `gemini-3.1-pro-preview`, without the path that some documents put before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Model(String);

/// A name that cannot be a model's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a model's name: expected something like \"gemini-3.1-pro-preview\" (the experiment's `model`)"
)]
pub struct ModelError(String);

/// How much the model thinks before it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// `low`, `medium` or `high`, for Gemini 3.
    Level(String),
    /// Tokens, for Gemini 2.5; −1 leaves it to the model.
    Budget(i32),
}

/// One prompt under one system prompt, with every setting that shapes the answer. Absent means the model's default.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Who is asked.
    pub model: Model,
    /// The system prompt of the arm; empty sends none.
    pub system: String,
    /// What is asked.
    pub prompt: String,
    /// 0.0 to 2.0.
    pub temperature: Option<f64>,
    /// 0.0 to 1.0.
    pub top_p: Option<f64>,
    /// Candidates per token.
    pub top_k: Option<u32>,
    /// Ceiling, in tokens, on hidden thoughts and visible text together.
    pub max_output_tokens: Option<u32>,
    /// Best effort.
    pub seed: Option<i32>,
    /// Texts that end the answer.
    pub stop_sequences: Vec<String>,
    /// Level or budget; together they are a 400, so they cannot be set together.
    pub thinking: Option<Thinking>,
    /// `(HARM_CATEGORY_…, threshold)`.
    pub safety: Vec<(String, String)>,
    /// Billing labels. The Developer endpoint has none and they are not sent there.
    pub labels: BTreeMap<String, String>,
}

impl Request {
    /// A request that leaves every setting to the model.
    pub fn new(model: Model, system: impl Into<String>, prompt: impl Into<String>) -> Self {
        Request {
            model,
            system: system.into(),
            prompt: prompt.into(),
            temperature: None,
            top_p: None,
            top_k: None,
            max_output_tokens: None,
            seed: None,
            stop_sequences: Vec::new(),
            thinking: None,
            safety: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    /// The JSON that is sent to `place`: the same request always gives the same bytes, so that they can be hashed.
    /// The model is not in them, it is in the address.
    pub fn body(&self, place: &Place) -> Vec<u8> {
        encode(&self.to_wire(place))
    }

    pub(crate) fn count_body(&self, place: &Place) -> Vec<u8> {
        let (contents, system_instruction) = (self.contents(), self.system_instruction());
        match place {
            Place::Vertex { .. } => encode(&wire::CountTokens { contents, system_instruction }),
            Place::Developer => encode(&wire::WrappedCountTokens {
                generate_content_request: wire::WrappedGenerateContent {
                    model: format!("models/{}", self.model),
                    contents,
                    system_instruction,
                },
            }),
        }
    }

    fn to_wire(&self, place: &Place) -> wire::GenerateContent<'_> {
        wire::GenerateContent {
            contents: self.contents(),
            system_instruction: self.system_instruction(),
            generation_config: wire::GenerationConfig {
                temperature: self.temperature,
                top_p: self.top_p,
                top_k: self.top_k,
                candidate_count: Some(1),
                max_output_tokens: self.max_output_tokens,
                stop_sequences: &self.stop_sequences,
                seed: self.seed,
                thinking_config: self.thinking.as_ref().map(|thinking| match thinking {
                    Thinking::Level(level) => {
                        wire::ThinkingConfig { thinking_level: Some(level), thinking_budget: None }
                    }
                    Thinking::Budget(budget) => {
                        wire::ThinkingConfig { thinking_level: None, thinking_budget: Some(*budget) }
                    }
                }),
            },
            safety_settings: self
                .safety
                .iter()
                .map(|(category, threshold)| wire::SafetySetting { category, threshold })
                .collect(),
            labels: (matches!(place, Place::Vertex { .. }) && !self.labels.is_empty())
                .then_some(&self.labels),
        }
    }

    fn contents(&self) -> Vec<wire::Content<'_>> {
        vec![wire::Content { role: "user", parts: [wire::Part { text: &self.prompt }] }]
    }

    fn system_instruction(&self) -> Option<wire::SystemInstruction<'_>> {
        let text = self.system.as_str();
        (!text.is_empty()).then_some(wire::SystemInstruction { parts: [wire::Part { text }] })
    }
}

fn encode(value: &impl serde::Serialize) -> Vec<u8> {
    // These types have string keys only and write into memory, so neither of serde_json's failures can occur.
    serde_json::to_vec(value).unwrap_or_default()
}

impl Model {
    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many tokens prompt and system prompt may have together, for the families whose model pages say so
    /// (ai.google.dev/gemini-api/docs/models); `None` for others.
    pub fn input_limit(&self) -> Option<u64> {
        let known = ["gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-3-", "gemini-3.1-"];
        known.iter().any(|family| self.0.starts_with(family)).then_some(1_048_576)
    }
}

impl FromStr for Model {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let name = text.trim();
        let name = name.strip_prefix("publishers/google/").unwrap_or(name);
        let name = name.strip_prefix("models/").unwrap_or(name);
        // What may stand in a path segment: anything else would send the request, and its key, somewhere else.
        let sound = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte));
        if sound && name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            Ok(Model(name.to_owned()))
        } else {
            Err(ModelError(text.to_owned()))
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

//! A request for text, read as leniently and refused as firmly as Google does it.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::google_error::GoogleError;
use crate::route::{Backend, Route};
use crate::safety;
use crate::thoughts::Effort;
use crate::usage;

/// The ceiling of `maxOutputTokens`, and its default.
pub const CEILING: u64 = 65_536;

const TOP: [&str; 10] = [
    "contents",
    "systemInstruction",
    "generationConfig",
    "safetySettings",
    "tools",
    "toolConfig",
    "cachedContent",
    "labels",
    "model",
    "modelArmorConfig",
];
const CONFIG: [&str; 22] = [
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "seed",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "audioTimestamp",
    "responseModalities",
    "mediaResolution",
    "speechConfig",
    "routingConfig",
    "thinkingConfig",
    "imageConfig",
    "enableAffectiveDialog",
];
const THINKING: [&str; 3] = ["includeThoughts", "thinkingBudget", "thinkingLevel"];

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The text of the system instruction.
    pub system: String,
    /// The text of the last turn of the user.
    pub prompt: String,
    /// Names model, system instruction and contents: equal for a prompt that is asked again under another budget.
    pub key: u64,
    /// Tokens of the system instruction and all contents.
    pub prompt_tokens: u64,
    /// Characters of the same without white space, which Vertex bills some models by.
    pub billable: u64,
    /// `maxOutputTokens`.
    pub most: u64,
    /// How hard to think.
    pub effort: Effort,
    /// Whether a summary of the thoughts is wanted.
    pub show_thoughts: bool,
    /// `stopSequences`.
    pub stops: Vec<String>,
}

impl Ask {
    /// Reads a body that was sent to `route`.
    ///
    /// # Errors
    /// What Google answers to such a body: 400 with its message.
    pub fn read(route: &Route<'_>, body: &[u8]) -> Result<Self, GoogleError> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| GoogleError::invalid(format!("Invalid JSON payload received. {error}")))?;
        let Value::Object(top) = &value else {
            return Err(GoogleError::invalid(
                "Invalid JSON payload received. Unknown name \"\": Root element must be a message.",
            ));
        };
        known(top, &TOP, "", route)?;
        safety::check(get(top, "safetySettings"), route)?;
        let system = match get(top, "systemInstruction") {
            Some(instruction) => texts(instruction.get("parts")),
            None => String::new(),
        };
        let turns = contents(top, route)?;
        let empty = Map::new();
        let config = match get(top, "generationConfig") {
            None | Some(Value::Null) => &empty,
            Some(Value::Object(config)) => config,
            Some(_) => {
                return Err(GoogleError::invalid(
                    "Invalid value at 'generation_config' (an object is expected).",
                ));
            }
        };
        known(config, &CONFIG, "generation_config", route)?;

        let prompt =
            turns.iter().rfind(|(role, _)| role != "model").map(|(_, text)| text.clone()).unwrap_or_default();
        let mut hasher = Sha256::new();
        for part in [route.model, &system].into_iter().chain(turns.iter().map(|(_, text)| text.as_str())) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let key = hasher.finalize().iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte));
        let all = || std::iter::once(&system).chain(turns.iter().map(|(_, text)| text));
        let (effort, show_thoughts) = thinking(config, route)?;
        range(config, "temperature", 0.0, 2.0)?;
        range(config, "topP", 0.0, 1.0)?;
        if integer(config, "candidateCount", 1, 8)?.is_some_and(|count| count > 1) {
            return Err(GoogleError::invalid("Multiple candidates is not enabled for this model"));
        }
        Ok(Self {
            prompt_tokens: all().map(|text| usage::tokens(text)).sum::<u64>().max(1),
            billable: all().map(|text| text.chars().filter(|it| !it.is_whitespace()).count() as u64).sum(),
            most: integer(config, "maxOutputTokens", 1, CEILING)?.unwrap_or(CEILING),
            stops: strings(get(config, "stopSequences")),
            key,
            effort,
            show_thoughts,
            prompt,
            system,
        })
    }
}

/// The value of a field, which may be spelt in camelCase or in snake_case.
fn get<'a>(object: &'a Map<String, Value>, camel: &str) -> Option<&'a Value> {
    object.get(camel).or_else(|| object.get(&snake(camel)))
}

fn snake(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut snake, letter| {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

fn known(
    object: &Map<String, Value>,
    names: &[&str],
    place: &str,
    route: &Route<'_>,
) -> Result<(), GoogleError> {
    let unknown = object.keys().find(|key| {
        let vertex_only = route.backend == Backend::Developer && key.as_str() == "labels";
        vertex_only || !names.iter().any(|name| *key == name || **key == snake(name))
    });
    match unknown {
        None => Ok(()),
        Some(key) if place.is_empty() => Err(GoogleError::bad_field(
            "",
            format!("Invalid JSON payload received. Unknown name \"{key}\": Cannot find field."),
        )),
        Some(key) => Err(GoogleError::bad_field(
            place,
            format!("Invalid JSON payload received. Unknown name \"{key}\" at '{place}': Cannot find field."),
        )),
    }
}

/// The turns, each with its role and text.
fn contents(top: &Map<String, Value>, route: &Route<'_>) -> Result<Vec<(String, String)>, GoogleError> {
    let missing = || {
        GoogleError::invalid(match route.backend {
            Backend::Vertex => {
                "Unable to submit request because at least one contents field is required. \
                 Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
            }
            Backend::Developer => "* GenerateContentRequest.contents: contents is not specified\n",
        })
    };
    // proto3 JSON takes a lone message where a list is due.
    let turns = match get(top, "contents") {
        Some(Value::Array(turns)) if !turns.is_empty() => turns.as_slice(),
        Some(turn @ Value::Object(_)) => std::slice::from_ref(turn),
        _ => return Err(missing()),
    };
    turns
        .iter()
        .map(|turn| {
            let role = turn.get("role").and_then(Value::as_str).unwrap_or("");
            let known = matches!(role, "user" | "model" | "function");
            if !known && (route.backend == Backend::Vertex || !role.is_empty()) {
                return Err(GoogleError::invalid("Please use a valid role: user, model."));
            }
            if turn.get("parts").and_then(Value::as_array).is_none_or(Vec::is_empty) {
                return Err(GoogleError::invalid(match route.backend {
                    Backend::Vertex => "Unable to submit request because it must include at least one parts field, which describes the prompt input. Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini",
                    Backend::Developer => "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.\n",
                }));
            }
            Ok((role.to_string(), texts(turn.get("parts"))))
        })
        .collect()
}

fn texts(parts: Option<&Value>) -> String {
    let parts = parts.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let values = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(Value::as_str).filter(|text| !text.is_empty()).map(String::from).collect()
}

fn integer(
    config: &Map<String, Value>,
    name: &str,
    least: u64,
    most: u64,
) -> Result<Option<u64>, GoogleError> {
    let Some(value) = get(config, name).filter(|value| !value.is_null()) else { return Ok(None) };
    // proto3 JSON takes integers as strings and as whole floats too.
    let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    match number {
        Some(number) if number.fract() == 0.0 && (least as f64..=most as f64).contains(&number) => {
            Ok(Some(number as u64))
        }
        Some(number) if number.fract() == 0.0 => Err(GoogleError::invalid(format!(
            "Unable to submit request because it has a {name} value of {number} but the supported range is from {least} \
             (inclusive) to {} (exclusive). Update the value and try again.",
            most + 1
        ))),
        _ => Err(GoogleError::bad_field(
            &format!("generation_config.{}", snake(name)),
            format!("Invalid value at 'generation_config.{}' (TYPE_INT32), {value}", snake(name)),
        )),
    }
}

fn range(config: &Map<String, Value>, name: &str, least: f64, most: f64) -> Result<(), GoogleError> {
    match get(config, name).filter(|value| !value.is_null()).map(Value::as_f64) {
        None => Ok(()),
        Some(Some(number)) if (least..=most).contains(&number) => Ok(()),
        Some(number) => Err(GoogleError::invalid(format!(
            "Unable to submit request because it has a {name} value of {} but the supported range is from {least:?} \
             (inclusive) to {most:?} (inclusive). Update the value and try again.",
            number.map_or("?".into(), |number| number.to_string())
        ))),
    }
}

/// How hard to think, and whether to show it.
fn thinking(config: &Map<String, Value>, route: &Route<'_>) -> Result<(Effort, bool), GoogleError> {
    let third = route.model.starts_with("gemini-3");
    let usual = Effort::Level(1.0);
    let Some(Value::Object(thinking)) = get(config, "thinkingConfig") else { return Ok((usual, false)) };
    known(thinking, &THINKING, "generation_config.thinking_config", route)?;
    let show = get(thinking, "includeThoughts").and_then(Value::as_bool).unwrap_or(false);
    let level = get(thinking, "thinkingLevel").and_then(Value::as_str).map(str::to_lowercase);
    let level = level.filter(|level| level != "thinking_level_unspecified");
    let budget = get(thinking, "thinkingBudget").and_then(Value::as_i64);
    let effort = match (level.as_deref(), budget) {
        (Some(_), Some(_)) => {
            return Err(GoogleError::invalid(
                "Unable to submit request because thinking_budget and thinking_level are not supported together. \
                 You can only set one of thinking budget and thinking level.",
            ));
        }
        (Some(_), None) if !third => {
            return Err(GoogleError::invalid("Thinking level is not supported for this model."));
        }
        (Some(level), None) => Effort::Level(factor(level, route.model)?),
        (None, Some(0)) if route.model.contains("pro") => {
            return Err(GoogleError::invalid("Budget 0 is invalid. This model only works in thinking mode."));
        }
        (None, Some(budget)) if !(-1..=32_768).contains(&budget) => {
            return Err(GoogleError::invalid(format!(
                "The thinking budget {budget} is invalid. Please choose a value between 128 and 32768."
            )));
        }
        (None, Some(-1)) | (None, None) => usual,
        (None, Some(budget)) => Effort::Budget(budget.unsigned_abs()),
    };
    Ok((effort, show))
}

/// The share of level high's thoughts that a level takes, where the model knows the level.
fn factor(level: &str, model: &str) -> Result<f64, GoogleError> {
    let levels: &[&str] = if model.starts_with("gemini-3-pro") {
        &["low", "high"]
    } else if model.contains("flash") {
        &["minimal", "low", "medium", "high"]
    } else {
        &["low", "medium", "high"]
    };
    if !levels.contains(&level) {
        return Err(GoogleError::invalid(format!(
            "Thinking level {} is not supported for this model. Please retry with other thinking level.",
            level.to_uppercase()
        )));
    }
    Ok(match level {
        "minimal" => 0.05,
        "low" => 0.35,
        "medium" => 0.65,
        _ => 1.0,
    })
}

//! Replies: the JSON of a `GenerateContentResponse`, and what the wire does to it.

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::counters::Tokens;
use crate::dice::Dice;
use crate::fault::{Fault, Kind};
use crate::route::{Backend, Route};
use crate::usage;

/// What the model would say with all the room it wants.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The visible text.
    pub text: String,
    /// Hidden tokens.
    pub thoughts: u64,
}

/// A reply of status 200 before it is put on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The visible text: a true prefix of the draft.
    pub text: String,
    /// `finishReason`; `None` for a blocked prompt, which has no candidate.
    pub finish: Option<String>,
    /// `promptFeedback.blockReason`.
    pub block: Option<String>,
    /// What it cost.
    pub tokens: Tokens,
}

/// What is made of `draft` under the request's budget and a fault.
pub fn say(draft: &Draft, ask: &Ask, fault: Option<&Fault>) -> Said {
    let visible = usage::tokens(&draft.text);
    let reason = || fault.and_then(|fault| fault.reason.clone()).unwrap_or_else(|| "SAFETY".into());
    let said = |text: &str, finish: &str, thoughts| Said {
        text: text.into(),
        finish: Some(finish.into()),
        block: None,
        tokens: usage::count(ask.prompt_tokens, usage::tokens(text), thoughts),
    };
    match fault.map(|fault| fault.kind) {
        Some(Kind::Blocked) => Said {
            text: String::new(),
            finish: None,
            block: Some(reason()),
            tokens: usage::count(ask.prompt_tokens, 0, 0),
        },
        Some(Kind::EmptyStop) => said("", "STOP", draft.thoughts.min(ask.most)),
        Some(Kind::Finish) => said("", &reason(), draft.thoughts.min(ask.most)),
        Some(Kind::Stop) => said(&draft.text, "STOP", draft.thoughts),
        // The thoughts run on until a third of the text is left room for.
        Some(Kind::MaxTokens) => {
            let room = (visible / 3).min(ask.most / 2);
            said(usage::beginning(&draft.text, room), "MAX_TOKENS", ask.most - room)
        }
        _ => match stopped(&draft.text, &ask.stops) {
            // Thoughts come first. Where they fill the budget nothing is said at all.
            _ if draft.thoughts >= ask.most => said("", "MAX_TOKENS", ask.most),
            text if draft.thoughts + usage::tokens(text) > ask.most => {
                said(usage::beginning(text, ask.most - draft.thoughts), "MAX_TOKENS", draft.thoughts)
            }
            text => said(text, "STOP", draft.thoughts),
        },
    }
}

/// The text up to the first stop sequence.
fn stopped<'a>(text: &'a str, stops: &[String]) -> &'a str {
    let end = stops.iter().filter_map(|stop| text.find(stop.as_str())).min();
    end.map_or(text, |end| &text[..end])
}

/// What a reply carries besides the text.
pub struct Envelope<'a> {
    /// Where the request went.
    pub route: &'a Route<'a>,
    /// `modelVersion`.
    pub version: &'a str,
    /// Whether a summary of the thoughts is wanted.
    pub show_thoughts: bool,
    /// Makes ids; depends on the ask, so that each reply has its own.
    pub dice: Dice,
}

impl Envelope<'_> {
    /// The whole reply.
    pub fn whole(&self, said: &Said) -> Value {
        let mut parts = Vec::new();
        if self.show_thoughts && said.tokens.thoughts > 0 {
            parts.push(json!({"text": summary(&said.text), "thought": true}));
        }
        if !said.text.is_empty() {
            parts.push(self.part(&said.text, true));
        }
        self.piece(parts, said, true)
    }

    /// One part of visible text. Gemini 3 signs the last one.
    pub fn part(&self, text: &str, last: bool) -> Value {
        let mut part = json!({ "text": text });
        if last && self.route.model.starts_with("gemini-3") {
            part["thoughtSignature"] =
                json!(format!("{:016x}{:016x}", self.dice.word(91), self.dice.word(92)));
        }
        part
    }

    /// A reply, or one piece of a stream, with these parts.
    pub fn piece(&self, parts: Vec<Value>, said: &Said, last: bool) -> Value {
        let mut reply = json!({
            "usageMetadata": usage::metadata(self.route.backend, said.tokens),
            "modelVersion": self.version,
            "responseId": format!("{:016x}{:06x}", self.dice.word(93), self.dice.word(94) >> 40),
        });
        if self.route.backend == Backend::Vertex {
            reply["createTime"] = json!(jiff::Timestamp::now().to_string());
        }
        if let Some(reason) = &said.block {
            reply["promptFeedback"] = json!({
                "blockReason": reason,
                "blockReasonMessage": "The prompt was blocked. Try rephrasing it.",
            });
            return reply;
        }
        let mut content = json!({"role": "model"});
        if !parts.is_empty() {
            content["parts"] = Value::Array(parts);
        }
        let mut candidate = json!({ "content": content });
        if self.route.backend == Backend::Developer {
            candidate["index"] = json!(0);
        }
        if let (true, Some(finish)) = (last, &said.finish) {
            candidate["finishReason"] = json!(finish);
            if !matches!(finish.as_str(), "STOP" | "MAX_TOKENS") {
                candidate["finishMessage"] = json!("The reply was filtered.");
            }
        }
        reply["candidates"] = json!([candidate]);
        reply
    }
}

/// A summary of hidden thoughts, in the service's manner.
fn summary(text: &str) -> String {
    let inner = text.strip_prefix("<think>\n").unwrap_or(text);
    let first = inner.split_inclusive(". ").next().unwrap_or_default();
    format!(
        "**Weighing the question**\n\nI am working out what is asked before I answer. {}\n\n",
        first.trim()
    )
}

//! Judges a reply: status and bytes in, [`Outcome`] out. Pure, and total: any bytes get an outcome.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::access::Place;
use crate::answer::{Answer, FinishReason, Usage};
use crate::outcome::{Block, Fatal, FatalKind, Outcome, Stage, Transient, TransientKind};
use crate::throttle::Limit;
use crate::{refusal, throttle, wire};

/// A whole reply.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The `Retry-After` header.
    pub retry_after: Option<Duration>,
    /// The body as it came.
    pub body: &'a [u8],
}

/// Says what a reply to `:generateContent` means. `place` and `model` only go into the advice.
pub fn judge(reply: Reply<'_>, place: &Place, model: &str) -> Outcome {
    if !(200..300).contains(&reply.status) {
        return judge_error(reply, place, model);
    }
    match decode::<wire::GenerateReply>(reply.body) {
        Err(fault) => fault.outcome(reply),
        // An error may come as a 200, when it arose after the status was sent.
        Ok(decoded) if decoded.candidates.is_none() && decoded.prompt_feedback.is_none() => {
            match decode::<wire::ErrorReply>(reply.body) {
                Ok(wire::ErrorReply { error: Some(error) }) => {
                    let status = error.code.and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
                    judge_error(Reply { status, ..reply }, place, model)
                }
                _ => convert(decoded),
            }
        }
        Ok(decoded) => convert(decoded),
    }
}

/// Judges any status but 2xx; `:countTokens` fails in the same ways.
pub(crate) fn judge_error(reply: Reply<'_>, place: &Place, model: &str) -> Outcome {
    let error = decode::<wire::ErrorReply>(reply.body).ok().and_then(|reply| reply.error).unwrap_or_default();
    let message = match error.message.as_deref().map(str::trim) {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ => describe(reply),
    };
    match reply.status {
        429 => match throttle::read(&error, reply.retry_after, message.clone()) {
            Limit::Throttle(throttle) => Outcome::Throttled(throttle),
            Limit::NoQuota(quota) => Outcome::Fatal(refusal::no_quota(&quota, message, place, model)),
        },
        401 => Outcome::Unauthorized(refusal::read(401, &error, message, place, model)),
        status @ (408 | 409 | 425 | 499 | 500..) => Outcome::Transient(Transient {
            kind: TransientKind::Server(status),
            retry_after: [reply.retry_after, throttle::retry_delay(&error)].into_iter().flatten().max(),
            message: format!("{status}: {message}"),
        }),
        status => Outcome::Fatal(refusal::read(status, &error, message, place, model)),
    }
}

fn convert(reply: wire::GenerateReply) -> Outcome {
    let usage = usage(reply.usage_metadata.unwrap_or_default());
    let Some(candidate) = reply.candidates.and_then(|candidates| candidates.into_iter().next()) else {
        let Some(feedback) = reply.prompt_feedback else {
            let (finish_reason, finish_message) = (FinishReason::Absent, None);
            let (text, thoughts) = Default::default();
            let (model_version, response_id, create_time) =
                (reply.model_version, reply.response_id, reply.create_time);
            return Outcome::Empty(Answer {
                text,
                thoughts,
                finish_reason,
                finish_message,
                usage,
                model_version,
                response_id,
                create_time,
            });
        };
        return Outcome::Blocked(Block {
            stage: Stage::Prompt,
            reason: feedback.block_reason.unwrap_or_default(),
            message: feedback.block_reason_message,
            usage,
            text: String::new(),
            model_version: reply.model_version,
            response_id: reply.response_id,
        });
    };
    let (mut text, mut thoughts) = (String::new(), String::new());
    for part in candidate.content.and_then(|content| content.parts).unwrap_or_default() {
        let target = if part.thought == Some(true) { &mut thoughts } else { &mut text };
        target.push_str(part.text.as_deref().unwrap_or_default());
    }
    let answer = Answer {
        text,
        thoughts,
        finish_reason: FinishReason::parse(candidate.finish_reason.as_deref().unwrap_or_default()),
        finish_message: candidate.finish_message,
        usage,
        model_version: reply.model_version,
        response_id: reply.response_id,
        create_time: reply.create_time,
    };
    match &answer.finish_reason {
        reason if reason.is_block() => Outcome::Blocked(Block {
            stage: Stage::Answer,
            reason: reason.to_string(),
            message: answer.finish_message,
            usage: answer.usage,
            text: answer.text,
            model_version: answer.model_version,
            response_id: answer.response_id,
        }),
        FinishReason::MaxTokens => Outcome::Truncated(answer),
        _ if answer.text.trim().is_empty() => Outcome::Empty(answer),
        FinishReason::Stop => Outcome::Answer(answer),
        _ => Outcome::Unfinished(answer),
    }
}

fn usage(counts: wire::UsageMetadata) -> Usage {
    Usage {
        prompt: counts.prompt_token_count.unwrap_or(0),
        cached: counts.cached_content_token_count.unwrap_or(0),
        candidates: counts.candidates_token_count.unwrap_or(0),
        thoughts: counts.thoughts_token_count.unwrap_or(0),
        tool_use: counts.tool_use_prompt_token_count.unwrap_or(0),
        total: counts.total_token_count,
        traffic: counts.traffic_type,
    }
}

/// Why bytes are not the JSON that we expected.
pub(crate) enum Fault {
    Empty,
    Cut(String),
    NotJson(String),
    Contract(String),
}

/// Decodes a body, or the only element where it comes inside an array, as errors now and then do.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let decoded = match first {
        None => return Err(Fault::Empty),
        Some(b'[') => match serde_json::from_slice::<Vec<T>>(body) {
            Ok(mut elements) if elements.len() == 1 => return elements.pop().ok_or(Fault::Empty),
            Ok(elements) => {
                return Err(Fault::Contract(format!(
                    "an array of {} where an object belongs",
                    elements.len()
                )));
            }
            Err(error) => Err(error),
        },
        // A derived struct would also take an array or fail on it field by field, so only an object is let through.
        Some(b'{') => serde_json::from_slice(body),
        Some(_) => return Err(Fault::NotJson("it does not begin like JSON".to_owned())),
    };
    decoded.map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => Fault::Cut(error.to_string()),
        serde_json::error::Category::Data => Fault::Contract(error.to_string()),
        _ => Fault::NotJson(error.to_string()),
    })
}

impl Fault {
    fn outcome(self, reply: Reply<'_>) -> Outcome {
        let (kind, message) = match self {
            Fault::Empty => (TransientKind::EmptyBody, "the reply is empty".to_owned()),
            Fault::Cut(cause) => (TransientKind::Cut, format!("the reply ends too early: {cause}")),
            Fault::NotJson(cause) => {
                (TransientKind::NotJson, format!("the reply is not JSON: {cause}: {}", describe(reply)))
            }
            Fault::Contract(cause) => {
                return Outcome::Fatal(Fatal {
                    kind: FatalKind::Contract,
                    status: reply.status,
                    message: format!("the reply does not have the shape of this API: {cause}"),
                    remedy: "its text is kept with the attempts; check the base URL, or that the API has not changed"
                        .to_owned(),
                });
            }
        };
        Outcome::Transient(Transient { kind, retry_after: reply.retry_after, message })
    }
}

/// The beginning of a body on one line, for a message.
fn describe(reply: Reply<'_>) -> String {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(reply.body);
    let mut words = text.split_whitespace().flat_map(|word| [" ", word]).skip(1).flat_map(str::chars);
    let mut excerpt: String = words.by_ref().take(SHOWN).collect();
    if words.next().is_some() {
        excerpt.push('…');
    }
    match (excerpt.is_empty(), reply.status) {
        (true, status) => format!("status {status} without a body"),
        (false, status) => format!("status {status}: {excerpt}"),
    }
}

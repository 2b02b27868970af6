//! What can come of one attempt, sorted by what the caller should do next.

use std::time::Duration;

use crate::answer::{Answer, Usage};

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// STOP, with text in it.
    Answer(Answer),
    /// MAX_TOKENS, with or without text: ask again with a larger budget.
    Truncated(Answer),
    /// No text, though neither the budget nor a filter is to blame; STOP with nothing in it is the usual one.
    Empty(Answer),
    /// Text, but the model did not say STOP: OTHER, LANGUAGE, a name we do not know, or none.
    Unfinished(Answer),
    /// A filter refused the prompt or the answer.
    Blocked(Block),
    /// 429: slow down together. It costs no attempt.
    Throttled(Throttle),
    /// The service or the connection: try this request again, alone.
    Transient(Transient),
    /// 401, and a fresh token did not help either: stop.
    Unauthorized(Fatal),
    /// Nothing that a retry could change: stop and say what to set.
    Fatal(Fatal),
}

/// A refusal by a content filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// What was refused.
    pub stage: Stage,
    /// The API's name for the reason; an open enum, empty where none was given.
    pub reason: String,
    /// The same in the server's words.
    pub message: Option<String>,
    /// Token counts; a blocked prompt is still billed.
    pub usage: Usage,
    /// What had been said before the filter struck.
    pub text: String,
    /// The version that answered.
    pub model_version: Option<String>,
    /// The reply's own id.
    pub response_id: Option<String>,
}

/// Where a filter struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The prompt: asking again is in vain.
    Prompt,
    /// The answer: another sample may pass.
    Answer,
}

/// A 429.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Whose limit it is.
    pub scope: Scope,
    /// Wait at least this long, everyone.
    pub retry_after: Option<Duration>,
    /// The quota, if the reply named it.
    pub requests_per_minute: Option<u64>,
    /// The quota, if the reply named it.
    pub tokens_per_minute: Option<u64>,
    /// The server's words.
    pub message: String,
}

/// Whose limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The pool that all customers share; our quota has nothing to do with it.
    Shared,
    /// Our quota per minute.
    PerMinute,
    /// Our quota for the day: nothing more today. Google's days end at midnight, Pacific time.
    PerDay,
}

/// A failure that another try may not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transient {
    /// What broke.
    pub kind: TransientKind,
    /// Wait at least this long.
    pub retry_after: Option<Duration>,
    /// What happened, and with which address.
    pub message: String,
}

/// What broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransientKind {
    /// No connection: name resolution, refusal, TLS.
    Connect,
    /// No whole reply within the deadline.
    Deadline,
    /// The connection ended before the reply did.
    Cut,
    /// A whole reply, empty.
    EmptyBody,
    /// A whole reply that is not JSON.
    NotJson,
    /// The server said so: 408, 499, 5xx.
    Server(u16),
}

/// A failure that stops the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({remedy})")]
pub struct Fatal {
    /// What is wrong.
    pub kind: FatalKind,
    /// The HTTP status.
    pub status: u16,
    /// The server's words.
    pub message: String,
    /// What to set, and where.
    pub remedy: String,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FatalKind {
    /// The key or the token is not accepted.
    Credentials,
    /// They are, but may not do this.
    Permission,
    /// No such project, location or model.
    NotFound,
    /// This prompt is over the model's input limit.
    PromptTooLong,
    /// The quota for this model is zero.
    NoQuota,
    /// Another fault of the request.
    Request,
    /// JSON, but not what this API speaks.
    Contract,
}

impl Outcome {
    /// A short name for counters and journals.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Answer(_) => "answer",
            Outcome::Truncated(_) => "truncated",
            Outcome::Empty(_) => "empty",
            Outcome::Unfinished(_) => "unfinished",
            Outcome::Blocked(_) => "blocked",
            Outcome::Throttled(_) => "throttled",
            Outcome::Transient(_) => "transient",
            Outcome::Unauthorized(_) => "unauthorized",
            Outcome::Fatal(_) => "fatal",
        }
    }

    /// What the attempt cost, where the reply says.
    pub fn usage(&self) -> Option<&Usage> {
        match self {
            Outcome::Answer(answer)
            | Outcome::Truncated(answer)
            | Outcome::Empty(answer)
            | Outcome::Unfinished(answer) => Some(&answer.usage),
            Outcome::Blocked(block) => Some(&block.usage),
            Outcome::Throttled(_) | Outcome::Transient(_) | Outcome::Unauthorized(_) | Outcome::Fatal(_) => {
                None
            }
        }
    }
}

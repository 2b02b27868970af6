//! Between the API and the ledger: an outcome becomes a row, or an attempt that made none with what to do next.
//!
//! Pure. A text goes into the row as it came or not at all.

use std::time::Duration;

use dataset::attempts::Attempt;
use dataset::row::{self, Meta, Row, TokenStats};
use vertex::{Answer, Fatal, FatalKind, Outcome, Stage, Transient, TransientKind, Usage};

use crate::job::{Common, Job};
use crate::think;

/// How often an answer that a filter struck is sampled in all: another sample may pass, but not for ever at a price.
const BLOCKED_TRIES: u32 = 3;

/// What a reply is worth.
#[derive(Debug)]
pub enum Judged {
    /// A row; its model version is yet to be looked at.
    Row(Box<Row>),
    /// No row.
    Rejected {
        /// For `attempts.jsonl`.
        attempt: Box<Attempt>,
        /// What to do about it.
        next: Next,
    },
}

/// What follows an attempt that made no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask with this budget, in tokens.
    Escalate(u32),
    /// Ask the same again.
    Resample,
    /// Ask the same again after a pause of at least this long: the service failed.
    Retry(Option<Duration>),
    /// Ask no more; the pair stays open, for this reason.
    GiveUp(String),
    /// End the run: every other request would fare alike.
    Stop(Fatal),
}

/// Judges `outcome`, the end of one request of `job`, with the text that was received. `now` is RFC 3339, UTC.
///
/// A 429 is nobody's attempt and must not be brought here; it is treated as a failure of the service.
pub fn convert(outcome: Outcome, body: String, job: &Job, common: &Common, now: &str) -> Judged {
    match outcome {
        Outcome::Answer(answer) => match think::check(&answer.text) {
            Ok(()) => Judged::Row(Box::new(row(answer, job, common, now))),
            Err(fault) => reject(answer, "format", fault.to_string(), Next::Resample, job, common, now),
        },
        Outcome::Truncated(answer) => {
            let (detail, next) = truncated(job.budget, common.settings.max_output_tokens_ceiling);
            reject(answer, "truncated", detail, next, job, common, now)
        }
        Outcome::Empty(answer) => {
            let detail = format!("no text, finish reason {}", named(answer.finish_reason.as_str()));
            reject(answer, "empty", detail, Next::Resample, job, common, now)
        }
        Outcome::Unfinished(answer) => {
            let detail = format!("finish reason {}", named(answer.finish_reason.as_str()));
            reject(answer, "unfinished", detail, Next::Resample, job, common, now)
        }
        Outcome::Blocked(block) => {
            let what = match block.stage {
                Stage::Prompt => "prompt",
                Stage::Answer => "answer",
            };
            let mut detail = format!("a filter refused the {what}: {}", named(&block.reason));
            if let Some(message) = &block.message {
                detail += &format!(", {message}");
            }
            let again = block.stage == Stage::Answer && job.blocked + 1 < BLOCKED_TRIES;
            let next = if again { Next::Resample } else { Next::GiveUp(detail.clone()) };
            let attempt = Attempt {
                finish_reason: Some(block.reason),
                model_version: block.model_version,
                response_id: block.response_id,
                token_stats: Some(token_stats(&block.usage)),
                output: block.text,
                ..attempt("blocked", detail, job, common, now)
            };
            Judged::Rejected { attempt: Box::new(attempt), next }
        }
        Outcome::Transient(Transient { kind, retry_after, message }) => {
            failed(kind_name(kind), message, body, Next::Retry(retry_after), job, common, now)
        }
        Outcome::Throttled(throttle) => {
            failed("throttled", throttle.message, body, Next::Retry(throttle.retry_after), job, common, now)
        }
        Outcome::Unauthorized(fatal) | Outcome::Fatal(fatal) => {
            let next = match fatal.kind {
                FatalKind::PromptTooLong => Next::GiveUp(fatal.to_string()),
                _ => Next::Stop(fatal.clone()),
            };
            failed("refused", fatal.to_string(), body, next, job, common, now)
        }
    }
}

/// Twice the budget, up to the ceiling; at the ceiling there is nothing left to try.
fn truncated(budget: u32, ceiling: u32) -> (String, Next) {
    let detail = format!("{budget} tokens were not enough for thoughts and text");
    match budget.saturating_mul(2).min(ceiling) {
        larger if larger > budget => (detail, Next::Escalate(larger)),
        _ => {
            let remedy =
                "raise generation.max_output_tokens_ceiling or shorten what the system prompt asks for";
            (detail.clone(), Next::GiveUp(format!("{detail}, and that is the ceiling; {remedy}")))
        }
    }
}

fn row(answer: Answer, job: &Job, common: &Common, now: &str) -> Row {
    Row {
        format: Some(row::FORMAT),
        key: Some(job.key.to_string()),
        instruction: job.prompt.text.clone(),
        system_prompt: Some(common.system_prompt(job.arm).to_owned()),
        output: answer.text,
        meta: Meta {
            category: job.prompt.category.clone(),
            sub_theme: job.prompt.sub_theme.clone(),
            model_type: common.arms[job.arm].clone(),
            model: format!("vertex-{}", common.settings.model),
            model_version: answer.model_version,
            response_id: answer.response_id,
            timestamp: now.to_owned(),
            finish_reason: answer.finish_reason.as_str().to_owned(),
            attempts: Some(job.attempts + 1),
            escalated: job.escalated,
            resampled: job.resampled,
            generation: Some(common.sampling(job)),
        },
        token_stats: token_stats(&answer.usage),
    }
}

/// Returns what `attempts.jsonl` keeps of a row that needs a person's word: all of it.
pub fn row_as_attempt(row: Box<Row>, reason: &str, detail: String, job: &Job, common: &Common) -> Attempt {
    let plain = attempt(reason, detail, job, common, &row.meta.timestamp);
    Attempt {
        finish_reason: Some(row.meta.finish_reason.clone()),
        model_version: row.meta.model_version.clone(),
        response_id: row.meta.response_id.clone(),
        token_stats: Some(row.token_stats),
        row: Some(row),
        ..plain
    }
}

fn reject(
    answer: Answer,
    reason: &str,
    detail: String,
    next: Next,
    job: &Job,
    common: &Common,
    now: &str,
) -> Judged {
    let attempt = Attempt {
        finish_reason: Some(answer.finish_reason.as_str().to_owned()),
        model_version: answer.model_version,
        response_id: answer.response_id,
        token_stats: Some(token_stats(&answer.usage)),
        output: answer.text,
        ..attempt(reason, detail, job, common, now)
    };
    Judged::Rejected { attempt: Box::new(attempt), next }
}

fn failed(
    reason: &str,
    detail: String,
    body: String,
    next: Next,
    job: &Job,
    common: &Common,
    now: &str,
) -> Judged {
    let attempt = Attempt { output: body, ..attempt(reason, detail, job, common, now) };
    Judged::Rejected { attempt: Box::new(attempt), next }
}

fn attempt(reason: &str, detail: String, job: &Job, common: &Common, now: &str) -> Attempt {
    Attempt {
        format: row::FORMAT,
        key: job.key.to_string(),
        arm: common.arms[job.arm].clone(),
        instruction: job.prompt.text.clone(),
        category: job.prompt.category.clone(),
        attempt: job.attempts + 1,
        reason: reason.to_owned(),
        detail,
        finish_reason: None,
        model_version: None,
        response_id: None,
        timestamp: now.to_owned(),
        generation: common.sampling(job),
        token_stats: None,
        output: String::new(),
        row: None,
    }
}

fn token_stats(usage: &Usage) -> TokenStats {
    TokenStats {
        input: usage.prompt,
        output: usage.candidates,
        thoughts: Some(usage.thoughts),
        cached: Some(usage.cached),
        total: usage.total_or_sum(),
    }
}

fn kind_name(kind: TransientKind) -> &'static str {
    match kind {
        TransientKind::Connect => "connect",
        TransientKind::Deadline => "deadline",
        TransientKind::Cut => "cut",
        TransientKind::EmptyBody => "empty_body",
        TransientKind::NotJson => "not_json",
        TransientKind::Server(_) => "server",
    }
}

fn named(reason: &str) -> &str {
    if reason.is_empty() { "absent" } else { reason }
}

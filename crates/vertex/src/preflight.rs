//! Finds what is wrong with access before the first paid request: `:countTokens` is free and needs the same
//! credentials, project, location and model as `:generateContent`.

use std::time::Duration;

use crate::client::{Client, End, Exchange};
use crate::outcome::{Fatal, FatalKind, Outcome, Throttle, Transient, TransientKind};
use crate::request::{Model, Request};
use crate::retry::Backoff;
use crate::verdict::{Fault, decode, judge_error};
use crate::wire;

/// What a preflight found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// Whether the model itself answered. Not so for a loopback server without `:countTokens`, and when the service
    /// was too busy to count: then only the address and the credentials are known to be good.
    pub model_answered: bool,
}

/// What a preflight found wrong. Each says what to set, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreflightError {
    /// The address does not answer.
    #[error(
        "{message}; check the network, GOOGLE_CLOUD_LOCATION, and GOOGLE_VERTEX_BASE_URL or GOOGLE_GEMINI_BASE_URL if \
         it is set"
    )]
    Unreachable {
        /// The address, and what happened there.
        message: String,
    },
    /// Credentials, project, location or model are wrong.
    #[error(transparent)]
    Refused(#[from] Fatal),
    /// The service keeps failing.
    #[error("{address} is not well: {message}; try again later")]
    Unwell {
        /// Which service.
        address: String,
        /// What it said last.
        message: String,
    },
}

/// Why tokens were not counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// 429.
    #[error("the service is busy: {}", .0.message)]
    Throttled(Throttle),
    /// Another try may help.
    #[error("{}", .0.message)]
    Transient(Transient),
    /// It may not.
    #[error(transparent)]
    Refused(#[from] Fatal),
    /// A loopback server that does not count.
    #[error("the server on this machine does not offer countTokens")]
    NotOffered,
}

const TRIES: u32 = 3;
const DEADLINE: Duration = Duration::from_secs(30);
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(4) };

impl Client {
    /// Checks address, credentials, project, location and model. Costs nothing; takes a second, a minute and a half
    /// at most.
    pub async fn preflight(&self, model: &Model) -> Result<Preflight, PreflightError> {
        let request = Request::new(model.clone(), "", "ready?");
        let mut wait = None;
        let mut tries = 1;
        loop {
            return match self.count_tokens(&request).await {
                Ok(_) => Ok(Preflight { model_answered: true }),
                // Refused for want of quota, not of access. Whether the day is spent shows with the first request.
                Err(CountError::Throttled(_) | CountError::NotOffered) => {
                    Ok(Preflight { model_answered: false })
                }
                Err(CountError::Refused(fatal)) => Err(PreflightError::Refused(fatal)),
                Err(CountError::Transient(Transient { kind: TransientKind::Connect, message, .. })) => {
                    Err(PreflightError::Unreachable { message })
                }
                Err(CountError::Transient(transient)) if tries < TRIES => {
                    tracing::debug!(message = transient.message, "preflight goes again");
                    tries += 1;
                    let next = BACKOFF.next(wait, None, fastrand::f64());
                    wait = Some(next);
                    tokio::time::sleep(next).await;
                    continue;
                }
                Err(CountError::Transient(transient)) => Err(PreflightError::Unwell {
                    address: self.access().address(),
                    message: transient.message,
                }),
            };
        }
    }

    /// Refuses a prompt that is over its model's input limit. A token is at least a byte, so a prompt of fewer bytes
    /// than the limit has tokens passes without a question; only a longer one is counted by the service.
    pub async fn check_length(&self, request: &Request) -> Result<(), CountError> {
        let Some(limit) = request.model.input_limit() else { return Ok(()) };
        if (request.system.len() + request.prompt.len()) as u64 <= limit {
            return Ok(());
        }
        match self.count_tokens(request).await? {
            tokens if tokens > limit => Err(CountError::Refused(Fatal {
                kind: FatalKind::PromptTooLong,
                status: 400,
                message: format!("the prompt has {tokens} tokens, but {} takes {limit}", request.model),
                remedy: "shorten the prompt".to_owned(),
            })),
            _ => Ok(()),
        }
    }

    /// Counts the tokens of a prompt with its system prompt. Free.
    pub async fn count_tokens(&self, request: &Request) -> Result<u64, CountError> {
        let url = self.access().url(&request.model, "countTokens");
        let body = request.count_body(self.access().place());
        let exchange = self.exchange(url, body, self.options().deadline.min(DEADLINE)).await;
        match &exchange.end {
            End::Refused(fatal) => return Err(CountError::Refused(fatal.clone())),
            End::Broken(transient) => return Err(CountError::Transient(transient.clone())),
            End::Whole => {}
        }
        if exchange.status.is_some_and(|status| (200..300).contains(&status)) {
            return total(&exchange);
        }
        if self.access().is_loopback() && exchange.status == Some(404) && !names_an_error(&exchange) {
            return Err(CountError::NotOffered);
        }
        Err(match judge_error(exchange.reply(), self.access().place(), request.model.as_str()) {
            Outcome::Throttled(throttle) => CountError::Throttled(throttle),
            Outcome::Transient(transient) => CountError::Transient(transient),
            Outcome::Unauthorized(fatal) | Outcome::Fatal(fatal) => CountError::Refused(fatal),
            // Not made from an error status.
            other => CountError::Transient(broken(format!("unexpected outcome {}", other.name()))),
        })
    }
}

fn total(exchange: &Exchange) -> Result<u64, CountError> {
    match decode::<wire::CountTokensReply>(exchange.body.as_bytes()) {
        // Protobuf's JSON leaves out a zero.
        Ok(reply) => Ok(reply.total_tokens.unwrap_or(0)),
        Err(Fault::Empty) => {
            Err(CountError::Transient(broken("the reply to countTokens is empty".to_owned())))
        }
        Err(Fault::Cut(cause) | Fault::NotJson(cause) | Fault::Contract(cause)) => {
            Err(CountError::Transient(broken(format!("cannot read the reply to countTokens: {cause}"))))
        }
    }
}

fn names_an_error(exchange: &Exchange) -> bool {
    decode::<wire::ErrorReply>(exchange.body.as_bytes()).is_ok_and(|reply| reply.error.is_some())
}

fn broken(message: String) -> Transient {
    Transient { kind: TransientKind::NotJson, retry_after: None, message }
}

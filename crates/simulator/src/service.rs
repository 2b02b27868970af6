//! The service itself: a request in, a reply and what the wire shall do to it out. It never touches a socket.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::answers::{self, Arm};
use crate::ask::Ask;
use crate::counters::Counters;
use crate::dice::Dice;
use crate::fault::{Fault, Kind};
use crate::google_error::GoogleError;
use crate::number::Positive;
use crate::quota::{self, Metric, Per, QuotaRule};
use crate::refusal::refusal;
use crate::reply::{self, Draft, Envelope, Said};
use crate::route::{Backend, Method, Route};
use crate::scenario::Scenario;
use crate::state::{Limit, Outcome, Refused, State};
use crate::stream;
use crate::usage;
use crate::wire::{Body, Reply, Wire};

/// Texts that are kept ready, so that a bench does not measure how they are composed.
const KEPT: usize = 4_096;

/// A running service.
pub struct Service {
    scenario: Scenario,
    started: Instant,
    state: Mutex<State>,
    changed: Condvar,
    texts: Mutex<HashMap<(Arm, u64), Arc<str>>>,
}

impl Service {
    /// A service that has met no request.
    pub fn new(scenario: Scenario) -> Self {
        Self {
            state: Mutex::new(State::new(&scenario)),
            started: Instant::now(),
            changed: Condvar::new(),
            texts: Mutex::new(HashMap::new()),
            scenario,
        }
    }

    /// The counters now.
    pub fn counters(&self) -> Counters {
        self.lock().counters.clone()
    }

    /// The counters as soon as `done` holds of them, or `None` when `limit` has passed first.
    pub fn wait_for(&self, done: impl Fn(&Counters) -> bool, limit: Duration) -> Option<Counters> {
        let waited = self.changed.wait_timeout_while(self.lock(), limit, |state| !done(&state.counters));
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        (!timeout.timed_out()).then(|| state.counters.clone())
    }

    /// Changes the counters and wakes who waits for them.
    pub fn count(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Whether the scenario knows the model.
    ///
    /// # Errors
    /// 404 as Google words it. Without a list every `gemini-…` is known but the one that was shut down.
    pub fn find_model(&self, route: &Route<'_>) -> Result<(), GoogleError> {
        let known = match &self.scenario.models {
            Some(models) => models.iter().any(|model| model == route.model),
            None => {
                let shut_down = route.backend == Backend::Developer && route.model == "gemini-3-pro-preview";
                route.model.starts_with("gemini-") && !shut_down
            }
        };
        if known {
            return Ok(());
        }
        Err(GoogleError::new(
            404,
            match route.backend {
                Backend::Vertex => format!(
                    "Publisher Model `{}` was not found or your project does not have access to it. Please ensure you are \
                 using a valid model version. For more information, see: \
                 https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
                    route.resource
                ),
                Backend::Developer => format!(
                    "{} is not found for API version {}, or is not supported for generateContent. Call ListModels to see \
                 the list of available models and their supported methods.",
                    route.resource, route.version
                ),
            },
        ))
    }

    /// Whether the token is let in; `token` is empty where the request has none.
    ///
    /// # Errors
    /// 401 where a token is required and missing, or was used up.
    pub fn check_token(&self, token: &str) -> Result<(), GoogleError> {
        let rule = &self.scenario.token;
        let missing = rule.required && token.is_empty();
        let expired = rule.expires_after.is_some_and(|most| self.lock().use_token(token) >= most.0);
        if missing || expired { Err(GoogleError::unauthenticated()) } else { Ok(()) }
    }

    /// Token counts of a body, as `countTokens` gives them.
    ///
    /// # Errors
    /// As for a request for text.
    pub fn count_tokens(&self, route: &Route<'_>, body: &[u8]) -> Result<Value, GoogleError> {
        self.find_model(route)?;
        // The Developer API wraps a whole request in `generateContentRequest`.
        let wrapped = serde_json::from_slice::<Value>(body).ok().and_then(|mut value| {
            value.get_mut("generateContentRequest").map(|inner| inner.take().to_string())
        });
        let ask = Ask::read(route, wrapped.as_deref().map_or(body, str::as_bytes))?;
        let mut counts = json!({
            "totalTokens": ask.prompt_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": ask.prompt_tokens}],
        });
        if route.backend == Backend::Vertex {
            counts["totalBillableCharacters"] = json!(ask.billable);
        }
        Ok(counts)
    }

    /// The reply to a request for text.
    pub fn generate(&self, route: &Route<'_>, method: Method, token: &str, body: &[u8]) -> Reply {
        match self.try_generate(route, method, token, body) {
            Ok(reply) => reply,
            Err(error) => error_reply(&error, method == (Method::Stream { sse: false }), Duration::ZERO),
        }
    }

    fn try_generate(
        &self,
        route: &Route<'_>,
        method: Method,
        token: &str,
        body: &[u8],
    ) -> Result<Reply, GoogleError> {
        // 1. What Google refuses before it looks at quotas.
        self.check_token(token)?;
        self.find_model(route)?;
        let ask = Ask::read(route, body)?;

        // 2. What the answer would be and cost, decided by the prompt alone.
        let arm = self.scenario.arm.unwrap_or_else(|| Arm::of(&ask.system));
        let text = self.text(arm, &ask);
        let always = Dice::new(self.scenario.seed, ask.key, 0);
        let thoughts = self.scenario.thoughts.tokens(always, ask.effort, usage::tokens(&text));
        let draft = Draft { text: text.to_string(), thoughts };
        let cost = reply::say(&draft, &ask, None).tokens;

        // 3. Quotas, then the fate of this ask. A refused ask leaves the prompt's script where it was.
        let mut state = self.lock();
        state.arrivals += 1;
        let arrival = state.arrivals;
        match state.admit(self.started.elapsed().as_secs_f64(), cost.total) {
            Ok(()) => {}
            Err(Refused::Quota(place, wait)) => {
                drop(state);
                let rule = &self.scenario.quota[place];
                return Ok(self.own_429(rule, route, method, wait));
            }
            Err(Refused::Pool) => {
                drop(state);
                return Ok(pool_429(method));
            }
        }
        let count = state.ask(ask.key);
        let dice = Dice::new(self.scenario.seed, ask.key, count + 1);
        let fault = self.fate(&ask, dice, count, arrival);
        let given = state.given;
        let answers = fault.as_ref().is_none_or(|fault| !fault.is_refusal());
        state.given += u64::from(answers);
        drop(state);

        // 4. The reply.
        if let Some(fault) = fault.as_ref().filter(|fault| fault.is_refusal()) {
            let delay = self.scenario.latency.delay(dice, 0);
            return Ok(self.refuse(fault, route, method, delay));
        }
        let version = self.scenario.model_version.as_ref().map_or(route.model, |rule| rule.at(given));
        let said = reply::say(&draft, &ask, fault.as_ref());
        let delay = self.scenario.latency.delay(dice, said.tokens.candidates + said.tokens.thoughts);
        let envelope = Envelope { route, version, show_thoughts: ask.show_thoughts, dice };
        let (content_type, reply_body) = frame(&envelope, method, &said);
        let whole = said.finish.as_deref() == Some("STOP") && !said.text.is_empty();
        let truncated = said.finish.as_deref() == Some("MAX_TOKENS");
        let digest = Sha256::digest(body);
        let body = digest.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte));
        Ok(Reply {
            status: 200,
            content_type,
            body: reply_body,
            delay,
            wire: fault.as_ref().map_or(Wire::Whole, Fault::wire),
            outcome: Outcome::Ok { whole, truncated, tokens: said.tokens, body },
        })
    }

    /// The fault that strikes this ask, if any: scripts first, then the faults in their order.
    fn fate(&self, ask: &Ask, dice: Dice, count: u64, arrival: u64) -> Option<Fault> {
        let scripted = self.scenario.script.iter().find_map(|script| script.step(&ask.prompt, count));
        let struck = || {
            let mut faults = self.scenario.fault.iter().enumerate();
            faults
                .find(|(place, rule)| rule.strikes(dice, *place, count, arrival))
                .map(|(_, rule)| rule.fault())
        };
        scripted.cloned().or_else(struck)
    }

    fn refuse(&self, fault: &Fault, route: &Route<'_>, method: Method, delay: Duration) -> Reply {
        let array = method == Method::Stream { sse: false } || fault.kind == Kind::ErrorArray;
        match fault.kind {
            Kind::QuotaMinute | Kind::QuotaDay => {
                let per = if fault.kind == Kind::QuotaMinute { Per::Minute } else { Per::Day };
                let own = self.scenario.quota.iter().find(|rule| rule.per == per).cloned();
                let rule = own.unwrap_or_else(|| plain_quota(per));
                self.own_429(&rule, route, method, fault.pause_ms.map_or(1.0, |ms| ms / 1000.0))
            }
            Kind::PoolBusy => pool_429(method),
            Kind::ExpiredToken => error_reply(&GoogleError::unauthenticated(), array, Duration::ZERO),
            Kind::Html => html(fault.status.unwrap_or(502), delay),
            _ => error_reply(&GoogleError::usual(fault.status.unwrap_or(500)), array, delay),
        }
    }

    fn own_429(&self, rule: &QuotaRule, route: &Route<'_>, method: Method, wait: f64) -> Reply {
        let array = method == Method::Stream { sse: false };
        let mut reply = error_reply(&refusal(rule, route, wait), array, Duration::ZERO);
        reply.outcome = Outcome::RateLimited(Limit::Own(rule.per));
        reply
    }

    fn text(&self, arm: Arm, ask: &Ask) -> Arc<str> {
        let digest = Sha256::digest(ask.prompt.as_bytes());
        let key = digest.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte));
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts.get(&(arm, key)) {
            return Arc::clone(text);
        }
        drop(texts);
        let text: Arc<str> = answers::answer(arm, &ask.prompt).into();
        texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() >= KEPT {
            texts.clear();
        }
        texts.insert((arm, key), Arc::clone(&text));
        text
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn plain_quota(per: Per) -> QuotaRule {
    QuotaRule {
        metric: Metric::Requests,
        per,
        limit: Positive(60.0),
        kind: quota::Kind::FixedWindow,
        window_seconds: None,
        burst: None,
        retry_info: true,
        quota_failure: true,
    }
}

fn frame(envelope: &Envelope<'_>, method: Method, said: &Said) -> (&'static str, Body) {
    match method {
        Method::Stream { sse: true } => {
            ("text/event-stream", Body::Pieces(stream::events(&stream::pieces(envelope, said))))
        }
        Method::Stream { sse: false } => {
            ("application/json; charset=UTF-8", Body::Pieces(stream::array(&stream::pieces(envelope, said))))
        }
        Method::Generate | Method::Count => {
            ("application/json; charset=UTF-8", Body::Whole(envelope.whole(said).to_string().into_bytes()))
        }
    }
}

fn pool_429(method: Method) -> Reply {
    let array = method == Method::Stream { sse: false };
    let mut reply = error_reply(&GoogleError::pool_busy(), array, Duration::ZERO);
    reply.outcome = Outcome::RateLimited(Limit::Pool);
    reply
}

/// An error as JSON, in a one-element array where `array`.
pub fn error_reply(error: &GoogleError, array: bool, delay: Duration) -> Reply {
    let json = error.json();
    let body = if array { stream::error_array(&json) } else { json };
    Reply {
        status: error.code,
        content_type: "application/json; charset=UTF-8",
        body: Body::Whole(body.to_string().into_bytes()),
        delay: if error.code < 500 { Duration::ZERO } else { delay },
        wire: Wire::Whole,
        outcome: match error.code {
            429 => Outcome::RateLimited(Limit::Pool),
            400..500 => Outcome::ClientError,
            _ => Outcome::ServerError,
        },
    }
}

fn html(status: u16, delay: Duration) -> Reply {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Error {status}</title>\n\
         <p><b>{status}.</b> The server could not complete your request. Please try again in 30 seconds.\n</html>\n"
    );
    Reply {
        status,
        content_type: "text/html; charset=UTF-8",
        body: Body::Whole(page.into_bytes()),
        delay,
        wire: Wire::Whole,
        outcome: if status < 500 { Outcome::ClientError } else { Outcome::ServerError },
    }
}

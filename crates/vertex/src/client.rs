//! One attempt: send, wait no longer than the deadline, keep what came, judge it.
//!
//! It never paces and never tries again, with one exception: after a 401 it makes a new token and sends once more.

use std::fmt;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Url, redirect};

use crate::access::{Access, Login};
use crate::auth::{Authorizer, chain};
use crate::outcome::{Fatal, FatalKind, Outcome, Transient, TransientKind};
use crate::refusal;
use crate::request::Request;
use crate::verdict::{Reply, judge};

/// Sends requests to one place. Cheap to share behind a reference or an `Arc`; every method takes `&self`.
pub struct Client {
    access: Access,
    auth: Authorizer,
    options: Options,
    lanes: Vec<reqwest::Client>,
    turn: AtomicUsize,
}

/// How the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long one attempt may take, from the token to the last byte. Default 300 s.
    pub deadline: Duration,
    /// How many attempts the caller makes at once. Default 256. It only decides how many connections are opened.
    pub max_in_flight: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { deadline: Duration::from_secs(300), max_in_flight: 256 }
    }
}

/// What came of one attempt, and what the server literally said.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// The judgement.
    pub outcome: Outcome,
    /// The HTTP status, if there was a reply.
    pub status: Option<u16>,
    /// The body as text, as much as came, for the journal of attempts. Credentials are taken out.
    pub body: String,
    /// From the call to the last byte.
    pub elapsed: Duration,
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS has no root certificates, most of the time.
    #[error("cannot set up TLS: {0}; in a bare container install the package ca-certificates")]
    Tls(String),
}

/// Installs ring as the TLS provider, for this crate's connections and for those of Google's credentials. The first
/// call counts, more do no harm; [`Client::new`] makes it too.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is there already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Google's front ends allow about this many streams on one HTTP/2 connection; more would queue unseen.
const STREAMS_PER_CONNECTION: usize = 100;
const CONNECT_DEADLINE: Duration = Duration::from_secs(20);
/// No answer is this large: 65,536 tokens are some 300 KB.
const LARGEST_BODY: usize = 64 << 20;

impl Client {
    /// Prepares connections; nothing is sent.
    pub fn new(access: Access, options: Options) -> Result<Self, ClientError> {
        install_crypto();
        let lanes = options.max_in_flight.div_ceil(STREAMS_PER_CONNECTION).max(1);
        let lanes = (0..lanes).map(|_| connect(&access)).collect::<Result<_, _>>()?;
        let auth = Authorizer::new(access.login.clone());
        Ok(Client { access, auth, options, lanes, turn: AtomicUsize::new(0) })
    }

    /// Where requests go.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// How the client sends.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Asks once. Always returns, within the deadline, and never loses what arrived.
    pub async fn generate(&self, request: &Request) -> Attempt {
        let url = self.access.url(&request.model, "generateContent");
        let body = request.body(&self.access.place);
        let exchange = self.exchange(url, body, self.options.deadline).await;
        let judged = || judge(exchange.reply(), &self.access.place, request.model.as_str());
        let outcome = match &exchange.end {
            End::Whole => judged(),
            End::Refused(fatal) => Outcome::Unauthorized(fatal.clone()),
            // A connection may break after the last brace: an answer that is whole was paid for and is kept.
            End::Broken(transient) => match judged() {
                whole if exchange.status == Some(200) && whole.usage().is_some() => whole,
                _ => Outcome::Transient(transient.clone()),
            },
        };
        Attempt { outcome, status: exchange.status, body: exchange.body, elapsed: exchange.elapsed }
    }

    /// Posts, and posts again with a new token if the first was refused.
    pub(crate) async fn exchange(&self, url: Url, body: Vec<u8>, deadline: Duration) -> Exchange {
        let start = Instant::now();
        let mut exchange = Exchange {
            end: End::Whole,
            status: None,
            retry_after: None,
            body: String::new(),
            elapsed: Duration::ZERO,
        };
        // Outside the future that the deadline drops, so that what had come by then is kept.
        let mut raw = Raw::default();
        let end = match tokio::time::timeout(deadline, self.post_twice(url, body, &mut raw)).await {
            Ok(end) => end,
            Err(_) => End::Broken(Transient {
                kind: TransientKind::Deadline,
                retry_after: None,
                message: format!("no whole reply from {} within {deadline:?}", self.access.address()),
            }),
        };
        exchange.end = end;
        exchange.status = raw.status;
        exchange.retry_after = raw.retry_after;
        exchange.body = String::from_utf8(raw.body)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        for secret in &raw.secrets {
            secret.scrub(&mut exchange.body);
        }
        exchange.elapsed = start.elapsed();
        exchange
    }

    async fn post_twice(&self, url: Url, body: Vec<u8>, raw: &mut Raw) -> End {
        let (end, generation) = self.post(url.clone(), body.clone(), raw).await;
        if raw.status != Some(401) || !self.auth.renew(generation).await {
            return end;
        }
        tracing::debug!("a token was refused, sending once more with a new one");
        self.post(url, body, raw).await.0
    }

    /// One POST. Also gives the generation of credentials that it was made with.
    async fn post(&self, url: Url, body: Vec<u8>, raw: &mut Raw) -> (End, u64) {
        let authorization = match self.auth.authorize().await {
            Ok(authorization) => authorization,
            Err(error) if error.is_transient() => {
                let (kind, retry_after) = (TransientKind::Connect, None);
                return (End::Broken(Transient { kind, retry_after, message: error.to_string() }), 0);
            }
            Err(error) => {
                let remedy = refusal::credentials(&self.access.place);
                let (kind, status) = (FatalKind::Credentials, 401);
                return (End::Refused(Fatal { kind, status, message: error.to_string(), remedy }), 0);
            }
        };
        *raw = Raw { secrets: authorization.secrets, ..Raw::default() };
        let lane = self.turn.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        let sent = self.lanes[lane]
            .post(url)
            .headers(authorization.headers)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body)
            .send()
            .await;
        let end = match sent {
            Err(error) => self.broken(error),
            Ok(response) => self.read(response, raw).await,
        };
        (end, authorization.generation)
    }

    async fn read(&self, mut response: reqwest::Response, raw: &mut Raw) -> End {
        raw.status = Some(response.status().as_u16());
        // Its other form, a date, is not used by this service.
        let seconds =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        raw.retry_after = seconds.map(Duration::from_secs);
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if raw.body.len() + chunk.len() > LARGEST_BODY => {
                    return End::Broken(Transient {
                        kind: TransientKind::NotJson,
                        retry_after: None,
                        message: format!(
                            "the reply of {} is over {LARGEST_BODY} bytes",
                            self.access.address()
                        ),
                    });
                }
                Ok(Some(chunk)) => raw.body.extend_from_slice(&chunk),
                Ok(None) => return End::Whole,
                Err(error) => return self.broken(error),
            }
        }
    }

    fn broken(&self, error: reqwest::Error) -> End {
        let (address, error) = (self.access.address(), error.without_url());
        let (kind, message) = if error.is_connect() {
            (TransientKind::Connect, format!("cannot reach {address}: {}", chain(&error)))
        } else {
            (TransientKind::Cut, format!("the connection to {address} broke: {}", chain(&error)))
        };
        End::Broken(Transient { kind, retry_after: None, message })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (access, options) = (&self.access, &self.options);
        formatter
            .debug_struct("Client")
            .field("access", access)
            .field("options", options)
            .finish_non_exhaustive()
    }
}

/// What came back, before it is judged.
pub(crate) struct Exchange {
    pub end: End,
    pub status: Option<u16>,
    pub retry_after: Option<Duration>,
    pub body: String,
    pub elapsed: Duration,
}

pub(crate) enum End {
    /// A reply came, and its end.
    Whole,
    /// There are no credentials to send.
    Refused(Fatal),
    /// No reply, or only its beginning.
    Broken(Transient),
}

impl Exchange {
    pub(crate) fn reply(&self) -> Reply<'_> {
        Reply {
            status: self.status.unwrap_or_default(),
            retry_after: self.retry_after,
            body: self.body.as_bytes(),
        }
    }
}

#[derive(Default)]
struct Raw {
    status: Option<u16>,
    retry_after: Option<Duration>,
    body: Vec<u8>,
    secrets: Vec<crate::secret::Secret>,
}

fn connect(access: &Access) -> Result<reqwest::Client, ClientError> {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_DEADLINE)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_keep_alive_timeout(Duration::from_secs(20))
        // Attempts are counted and journalled, so none may happen unseen.
        .retry(reqwest::retry::never())
        // A redirect would carry the key header to whatever host it names.
        .redirect(redirect::Policy::none())
        .default_headers([(USER_AGENT, HeaderValue::from_static(AGENT))].into_iter().collect());
    let builder = match (&access.login, access.base.scheme()) {
        // Plain loopback needs neither a proxy nor root certificates, which a bare container does not have.
        (Login::Nobody, "http") => builder.no_proxy().tls_certs_only([]),
        (Login::Nobody, _) => builder.no_proxy(),
        _ => builder,
    };
    builder.build().map_err(|error| ClientError::Tls(chain(&error)))
}

const AGENT: &str = concat!("finetuning-bench/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;

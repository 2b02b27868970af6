//! What goes wrong, and when: the `[[fault]]` tables of a scenario.

use serde::Deserialize;

use crate::dice::Dice;
use crate::number::{Count, NotNegative, Share};
use crate::wire::Wire;

/// One `[[fault]]` table. It strikes when any of `share`, `at` or `burst` says so; the first table that strikes wins.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "UncheckedRule")]
pub struct FaultRule {
    /// What happens.
    pub fault: Fault,
    share: f64,
    first: Option<u64>,
    at: Vec<u64>,
    burst: Option<Burst>,
}

/// A fault with its details.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// The HTTP status, where the kind leaves it open.
    pub status: Option<u16>,
    /// A finish reason or a block reason, where the kind wants one.
    pub reason: Option<String>,
    /// Milliseconds between the pieces of a drip (200 by default), or the wait that a quota's refusal asks for (1,000).
    pub pause_ms: Option<f64>,
}

/// The kinds of fault, as scenario files spell them. Scripts use the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// No fault: the whole answer, whatever `maxOutputTokens` says. For scripts.
    Stop,
    /// Thoughts take so much of `maxOutputTokens` that about a third of the text is left.
    MaxTokens,
    /// STOP without any part.
    EmptyStop,
    /// No candidate, but `promptFeedback`; `reason` is SAFETY by default.
    Blocked,
    /// A candidate without text that finished for `reason`, SAFETY by default.
    Finish,
    /// An error reply of `status`, 500 by default.
    Error,
    /// The same, inside a one-element array.
    ErrorArray,
    /// 429 of one's own quota a minute, with details.
    QuotaMinute,
    /// 429 of one's own quota a day, with details.
    QuotaDay,
    /// 429 of the shared pool, without details.
    PoolBusy,
    /// 401: the token ran out.
    ExpiredToken,
    /// An HTML page of `status`, 502 by default, where JSON is due.
    Html,
    /// The connection is reset before the first byte of the reply.
    ResetBefore,
    /// The connection is reset after half of the body.
    ResetWithin,
    /// Half of the body, then an orderly close: shorter than Content-Length says.
    CutBody,
    /// The same in chunked transfer coding: the last chunk never comes.
    CutChunked,
    /// The same without a length: nothing but the JSON tells that something is missing.
    CutClose,
    /// No reply, ever; the connection stays open until the client closes it.
    Hang,
    /// The whole reply in 16 pieces, `pause_ms` apart.
    Drip,
}

/// `burst = { every, length }`: the last `length` of each `every` requests, by order of arrival.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Burst {
    every: Count,
    length: Count,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedRule {
    kind: Kind,
    share: Option<Share>,
    first: Option<Count>,
    #[serde(default)]
    at: Vec<Count>,
    burst: Option<Burst>,
    status: Option<u16>,
    reason: Option<String>,
    pause_ms: Option<NotNegative>,
}

impl TryFrom<UncheckedRule> for FaultRule {
    type Error = String;

    fn try_from(rule: UncheckedRule) -> Result<Self, String> {
        let UncheckedRule { kind, share, first, at, burst, status, reason, pause_ms } = rule;
        if share.is_none() && at.is_empty() && burst.is_none() {
            return Err("this fault never strikes: give `share`, `at` or `burst`".into());
        }
        if let Some(Burst { every, length }) = &burst
            && length.0 > every.0
        {
            return Err(format!("a burst of {} does not fit into every {}: shorten it", length.0, every.0));
        }
        if status.is_some() && !matches!(kind, Kind::Error | Kind::ErrorArray | Kind::Html) {
            return Err("`status` is only for the kinds error, error-array and html: remove it".into());
        }
        if status.is_some_and(|status| !(400..600).contains(&status)) {
            return Err("`status` of a fault is a number from 400 to 599".into());
        }
        if reason.is_some() && !matches!(kind, Kind::Blocked | Kind::Finish) {
            return Err("`reason` is only for the kinds blocked and finish: remove it".into());
        }
        Ok(Self {
            fault: Fault { kind, status, reason, pause_ms: pause_ms.map(|pause| pause.0) },
            share: share.map_or(0.0, |share| share.0),
            first: first.map(|count| count.0),
            at: at.into_iter().map(|count| count.0).collect(),
            burst,
        })
    }
}

impl FaultRule {
    /// Whether it strikes. `place` is the rule's place in the file, `ask` counts the asks of this prompt from 0,
    /// `arrival` counts all requests from 1.
    pub fn strikes(&self, dice: Dice, place: usize, ask: u64, arrival: u64) -> bool {
        let by_share = self.share > 0.0
            && self.first.is_none_or(|first| ask < first)
            && dice.draw(0xfa_0000 + place as u64) < self.share;
        let by_burst = self
            .burst
            .as_ref()
            .is_some_and(|burst| (arrival - 1) % burst.every.0 >= burst.every.0 - burst.length.0);
        by_share || by_burst || self.at.contains(&arrival)
    }
}

impl Fault {
    /// A fault without details.
    pub fn plain(kind: Kind) -> Self {
        Self { kind, status: None, reason: None, pause_ms: None }
    }

    /// Whether the reply is something else than a `GenerateContentResponse`.
    pub fn is_refusal(&self) -> bool {
        use Kind::{Error, ErrorArray, ExpiredToken, Html, PoolBusy, QuotaDay, QuotaMinute};
        matches!(self.kind, Error | ErrorArray | QuotaMinute | QuotaDay | PoolBusy | ExpiredToken | Html)
    }

    /// What the wire does to the reply.
    pub fn wire(&self) -> Wire {
        match self.kind {
            Kind::ResetBefore => Wire::ResetBefore,
            Kind::ResetWithin => Wire::ResetWithin,
            Kind::CutBody => Wire::CutBody,
            Kind::CutChunked => Wire::CutChunked,
            Kind::CutClose => Wire::CutClose,
            Kind::Hang => Wire::Hang,
            Kind::Drip => {
                Wire::Drip(std::time::Duration::from_secs_f64(self.pause_ms.unwrap_or(200.0) / 1000.0))
            }
            _ => Wire::Whole,
        }
    }
}

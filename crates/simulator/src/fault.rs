//! What goes wrong, and when: the `[[fault]]` tables of a scenario.

use serde::Deserialize;
use toml::Spanned;

use crate::dice::Dice;
use crate::number::{Count, NotNegative, Share, Status};
use crate::scenario::Misplaced;
use crate::wire::Wire;

/// One `[[fault]]` table. It strikes when any of `share`, `at` or `burst` says so; the first table that strikes wins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    kind: Spanned<Kind>,
    share: Option<Share>,
    first: Option<Spanned<Count>>,
    #[serde(default)]
    at: Vec<Spanned<u64>>,
    burst: Option<Spanned<Burst>>,
    status: Option<Spanned<Status>>,
    reason: Option<Spanned<String>>,
    pause_ms: Option<Spanned<NotNegative>>,
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

impl FaultRule {
    /// Looks for keys that do not go together.
    ///
    /// # Errors
    /// The first such key, with its place.
    pub fn check(&self) -> Result<(), Misplaced> {
        use Kind::{Blocked, Drip, Error, ErrorArray, Finish, Html, QuotaDay, QuotaMinute, Stop};
        let kind = *self.kind.get_ref();
        if kind == Stop {
            return Misplaced::at(
                &self.kind,
                "stop is for the steps of a script: choose a kind that is a fault",
            );
        }
        if self.share.is_none() && self.at.is_empty() && self.burst.is_none() {
            return Misplaced::at(&self.kind, "this fault never strikes: give `share`, `at` or `burst`");
        }
        if let Some(at) = self.at.iter().find(|at| *at.get_ref() == 0) {
            return Misplaced::at(at, "0 is not a count: the first request is number 1");
        }
        if let Some(first) = &self.first
            && self.share.is_none()
        {
            return Misplaced::at(first, "`first` limits a `share`: give one, or remove it");
        }
        if let Some(burst) = &self.burst {
            let Burst { every, length } = burst.get_ref();
            if length.0 > every.0 {
                let says = format!("a burst of {} does not fit into every {}: shorten it", length.0, every.0);
                return Misplaced::at(burst, says);
            }
        }
        if let Some(status) = &self.status
            && !matches!(kind, Error | ErrorArray | Html)
        {
            return Misplaced::at(
                status,
                "`status` is only for the kinds error, error-array and html: remove it",
            );
        }
        if let Some(reason) = &self.reason
            && !matches!(kind, Blocked | Finish)
        {
            return Misplaced::at(reason, "`reason` is only for the kinds blocked and finish: remove it");
        }
        if let Some(pause) = &self.pause_ms
            && !matches!(kind, Drip | QuotaMinute | QuotaDay)
        {
            let says = "`pause_ms` is only for the kinds drip, quota-minute and quota-day: remove it";
            return Misplaced::at(pause, says);
        }
        Ok(())
    }

    /// What happens when it strikes.
    pub fn fault(&self) -> Fault {
        Fault {
            kind: *self.kind.get_ref(),
            status: self.status.as_ref().map(|status| status.get_ref().0),
            reason: self.reason.as_ref().map(|reason| reason.get_ref().clone()),
            pause_ms: self.pause_ms.as_ref().map(|pause| pause.get_ref().0),
        }
    }

    /// Whether it strikes. `place` is the rule's place in the file, `ask` counts the asks of this prompt from 0,
    /// `arrival` counts all requests from 1.
    pub fn strikes(&self, dice: Dice, place: usize, ask: u64, arrival: u64) -> bool {
        let by_share = self.share.is_some_and(|share| dice.draw(0xfa_0000 + place as u64) < share.0)
            && self.first.as_ref().is_none_or(|first| ask < first.get_ref().0);
        let by_burst = self.burst.as_ref().is_some_and(|burst| {
            let Burst { every, length } = burst.get_ref();
            (arrival - 1) % every.0 >= every.0 - length.0
        });
        by_share || by_burst || self.at.iter().any(|at| *at.get_ref() == arrival)
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

//! Tokens: what a request of a lane is expected to cost, and the debt against a quota of tokens a minute
//!
//! What a request costs is known only when it has been answered. So it is debited by an estimate when it goes, and the
//! difference is settled when the answer tells.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits::PIN;

/// Weight of the newest answer in a lane's estimate, once there are enough to average
const NEWEST: f64 = 0.01;
/// Credit, in requests, for answers that cost less than they were debited
const MOST_CREDIT: f64 = 2.0;
/// A debt older than this is void: quotas are by the minute
const LONGEST_DEBT: f64 = 60.0;

/// The debt of tokens and each lane's estimate
#[derive(Debug)]
pub(crate) struct Tokens {
    lanes: BTreeMap<usize, Estimate>,
    prior: f64,
    told: Option<f64>,
    hinted: Option<f64>,
    debt: f64,
    at: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct Estimate {
    mean: f64,
    answers: f64,
}

impl Tokens {
    /// `told`: tokens a minute, if known; `prior`: tokens a request before anything is known
    pub(crate) fn new(told: Option<f64>, prior: f64) -> Tokens {
        Tokens { lanes: BTreeMap::new(), prior, told, hinted: None, debt: 0.0, at: Duration::ZERO }
    }

    /// Tokens a minute that bind, if any are known: the lower of the person's and the server's
    pub(crate) fn quota(&self) -> Option<f64> {
        match (self.told, self.hinted) {
            (Some(told), Some(hinted)) => Some(told.min(hinted)),
            (told, hinted) => told.or(hinted),
        }
    }

    /// Takes the server's word for its quota; returns whether that changes what binds
    pub(crate) fn hint(&mut self, tokens_per_minute: f64) -> bool {
        let before = self.quota();
        self.hinted = Some(tokens_per_minute);
        self.quota() != before
    }

    /// What a request of this lane is expected to cost: the lane's mean, else the mean of the others, else the prior
    pub(crate) fn estimate(&self, lane: usize) -> f64 {
        if let Some(estimate) = self.lanes.get(&lane) {
            return estimate.mean;
        }
        let answers: f64 = self.lanes.values().map(|lane| lane.answers).sum();
        if answers == 0.0 {
            return self.prior;
        }
        self.lanes.values().map(|lane| lane.mean * lane.answers).sum::<f64>() / answers
    }

    /// When the debt will be paid off; `now` or earlier if it is
    pub(crate) fn ready(&mut self, now: Duration) -> Duration {
        let Some(rate) = self.rate() else { return now };
        self.pay(now, rate);
        // At most a minute, since the debt is capped.
        let wait = Duration::try_from_secs_f64(self.debt / rate).unwrap_or(Duration::ZERO);
        now.saturating_add(wait)
    }

    /// Debits a request that goes now
    pub(crate) fn debit(&mut self, now: Duration, estimate: f64) {
        if let Some(rate) = self.rate() {
            self.pay(now, rate);
            // Little credit: what was not used a minute ago cannot be used now.
            self.debt = (self.debt.max(-MOST_CREDIT * estimate) + estimate).min(rate * LONGEST_DEBT);
        }
    }

    /// Settles an answer that cost `actual` where `estimate` was debited, and learns from it
    pub(crate) fn settle(&mut self, lane: usize, estimate: f64, actual: u64) {
        let actual = actual as f64;
        let known = self.lanes.entry(lane).or_default();
        known.answers += 1.0;
        known.mean += (actual - known.mean) * (1.0 / known.answers).max(NEWEST);
        self.owe(actual - estimate);
    }

    /// Gives back what a request was debited that the service refused
    pub(crate) fn refund(&mut self, estimate: f64) {
        self.owe(-estimate);
    }

    fn owe(&mut self, tokens: f64) {
        if let Some(rate) = self.rate() {
            self.debt = (self.debt + tokens).min(rate * LONGEST_DEBT);
        }
    }

    fn pay(&mut self, now: Duration, rate: f64) {
        self.debt -= now.saturating_sub(self.at).as_secs_f64() * rate;
        self.debt = self.debt.max(-rate * LONGEST_DEBT);
        self.at = now;
    }

    fn rate(&self) -> Option<f64> {
        self.quota().map(|quota| (quota * PIN / 60.0).max(f64::MIN_POSITIVE))
    }
}

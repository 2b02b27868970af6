//! Tokens: what a request of a lane is expected to cost, and the debt against a quota of tokens a minute
//!
//! What a request costs is known only when it has been answered. So it is debited by an estimate when it goes, and the
//! difference is settled when the answer tells. Until then the service's own account differs from ours by the errors of
//! all estimates under way: n requests whose costs have the variance v are off by √(n v). A service that starts full
//! absorbs that. One that has just refused us is empty, and at the quota it would stay empty and refuse every second
//! request that costs more than the mean. So after a refusal we first let it fill by as much as the errors may come to.

use std::collections::BTreeMap;
use std::time::Duration;

/// Weight of the newest answer in a lane's estimate, once there are enough to average
const NEWEST: f64 = 0.01;
/// Answers that the estimate before the first answer is worth: one answer alone is off by half, and short ones come first
const PRIOR_WORTH: f64 = 4.0;
/// Standard deviation over mean that is assumed at first; log-normal costs with σ = 0.5 have 0.53
const PRIOR_SPREAD: f64 = 0.5;
/// Standard deviations of what is under way that the service is left to fill by after a refusal
const MARGIN: f64 = 1.5;
/// but at most so many seconds of the quota: what a service lets pass at once is worth seconds, and may run over
const MOST_MARGIN: f64 = 1.5;
/// Both after the first refusal, which a slow start brought about by emptying the service
const FIRST: f64 = 2.0;
/// The part of a known quota that is used: closer than [`crate::limits::PIN`], since answers settle what was guessed
const PIN: f64 = 0.998;
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
    /// What was sent before this is not in the debt
    since: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Estimate {
    mean: f64,
    variance: f64,
    answers: f64,
}

impl Estimate {
    fn learn(&mut self, actual: f64) {
        self.answers += 1.0;
        let weight = (1.0 / self.answers).max(NEWEST);
        let error = actual - self.mean;
        self.mean += error * weight;
        // The weighted form of B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and
        // Products", Technometrics 4, 1962.
        self.variance += (error * (actual - self.mean) - self.variance) * weight;
    }
}

impl Tokens {
    /// `told`: tokens a minute, if known; `prior`: tokens a request before anything is known
    pub(crate) fn new(told: Option<f64>, prior: f64) -> Tokens {
        Tokens {
            lanes: BTreeMap::new(),
            prior,
            told,
            hinted: None,
            debt: 0.0,
            at: Duration::ZERO,
            since: Duration::ZERO,
        }
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
        self.lanes.get(&lane).map_or_else(|| self.mean(), |lane| lane.mean)
    }

    /// Requests a second that the quota comes to, with `lift` as in [`Tokens::ready`]; infinite where none is known
    pub(crate) fn requests_per_second(&self, lift: f64) -> f64 {
        self.rate(lift).map_or(f64::INFINITY, |rate| rate / self.mean().max(1.0))
    }

    /// When the debt will be paid off; `now` or earlier if it is
    ///
    /// `lift`: what the server's quota is multiplied by, to find out whether it still holds
    pub(crate) fn ready(&mut self, now: Duration, lift: f64) -> Duration {
        let Some(rate) = self.rate(lift) else { return now };
        self.pay(now, rate);
        // At most a minute, since the debt is capped.
        let wait = Duration::try_from_secs_f64(self.debt / rate).unwrap_or(Duration::ZERO);
        now.saturating_add(wait)
    }

    /// Debits a request of this lane that goes now, and returns by how much
    pub(crate) fn debit(&mut self, now: Duration, lane: usize, lift: f64) -> f64 {
        let estimate = self.estimate(lane);
        if let Some(rate) = self.rate(lift) {
            self.pay(now, rate);
            // Little credit: what was not used a minute ago cannot be used now.
            self.debt = (self.debt.max(-MOST_CREDIT * estimate) + estimate).min(rate * LONGEST_DEBT);
        }
        estimate
    }

    /// Settles an answer to a request sent at `sent` that cost `actual` where `estimate` was debited, and learns from it
    pub(crate) fn settle(&mut self, lane: usize, sent: Duration, estimate: f64, actual: u64) {
        let actual = actual as f64;
        let mean = self.estimate(lane);
        let variance = (PRIOR_SPREAD * mean).powi(2);
        let known = self.lanes.entry(lane).or_insert(Estimate { mean, variance, answers: PRIOR_WORTH });
        known.learn(actual);
        self.owe(sent, actual - estimate);
    }

    /// Gives back what a request sent at `sent` was debited that the service refused
    pub(crate) fn refund(&mut self, sent: Duration, estimate: f64) {
        self.owe(sent, -estimate);
    }

    /// The service refused: it holds less than one request, and will hold one after `retry_after` where it said so
    ///
    /// Everything sent so far is in what the service holds, so that nothing of it is settled again.
    pub(crate) fn refused(
        &mut self,
        now: Duration,
        retry_after: Option<Duration>,
        under_way: usize,
        first: bool,
    ) {
        let Some(rate) = self.rate(1.0) else { return };
        let errors = (MARGIN * (self.variance() * under_way as f64).sqrt()).min(MOST_MARGIN * rate);
        let errors = if first { FIRST * errors } else { errors };
        let missing = retry_after.map_or(self.mean(), |after| after.as_secs_f64() * rate);
        self.debt = (errors + missing).min(rate * LONGEST_DEBT);
        self.at = now;
        self.since = now;
    }

    fn mean(&self) -> f64 {
        self.over_lanes(|lane| lane.mean).unwrap_or(self.prior)
    }

    fn variance(&self) -> f64 {
        self.over_lanes(|lane| lane.variance).unwrap_or((PRIOR_SPREAD * self.prior).powi(2))
    }

    /// The mean over the lanes by their answers; `None` before the first answer
    fn over_lanes(&self, what: impl Fn(&Estimate) -> f64) -> Option<f64> {
        let answers: f64 = self.lanes.values().map(|lane| lane.answers).sum();
        let sum: f64 = self.lanes.values().map(|lane| what(lane) * lane.answers).sum();
        (answers > 0.0).then(|| sum / answers)
    }

    fn owe(&mut self, sent: Duration, tokens: f64) {
        if sent >= self.since
            && let Some(rate) = self.rate(1.0)
        {
            self.debt = (self.debt + tokens).min(rate * LONGEST_DEBT);
        }
    }

    fn pay(&mut self, now: Duration, rate: f64) {
        self.debt -= now.saturating_sub(self.at).as_secs_f64() * rate;
        self.debt = self.debt.max(-rate * LONGEST_DEBT);
        self.at = now;
    }

    fn rate(&self, lift: f64) -> Option<f64> {
        let hinted = self.hinted.map(|hinted| hinted * lift);
        let quota = match (self.told, hinted) {
            (Some(told), Some(hinted)) => told.min(hinted),
            (told, hinted) => told.or(hinted)?,
        };
        Some((quota * PIN / 60.0).max(f64::MIN_POSITIVE))
    }
}

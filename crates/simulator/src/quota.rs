//! Quotas of one's own: so many requests or tokens a minute or a day, in fixed windows or out of a bucket.

use serde::Deserialize;
use toml::Spanned;

use crate::number::Positive;
use crate::scenario::Misplaced;

/// One `[[quota]]` table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaRule {
    /// What is counted.
    pub metric: Metric,
    /// The unit of `limit`.
    pub per: Per,
    /// So many per minute or per day; a refusal names it as `quotaValue`.
    pub limit: Positive,
    /// How it is metered; fixed windows by default.
    #[serde(default)]
    pub kind: Kind,
    /// Length of a window: the whole minute or day by default. A shorter one holds its part of the limit, so that
    /// the rate stays what `limit` says while a refusal asks for a shorter wait.
    pub window_seconds: Option<Spanned<Positive>>,
    /// Size of the bucket, in requests or tokens: a tenth of `limit` by default.
    pub burst: Option<Spanned<Positive>>,
    /// Whether a refusal carries RetryInfo; it does by default.
    #[serde(default = "yes")]
    pub retry_info: bool,
    /// Whether a refusal carries QuotaFailure; it does by default.
    #[serde(default = "yes")]
    pub quota_failure: bool,
}

/// What a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// One for each request that is admitted.
    Requests,
    /// Prompt, thoughts and visible text of each request that is admitted, charged on admission.
    Tokens,
}

/// The unit of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// 60 seconds.
    Minute,
    /// 86,400 seconds from the simulator's start.
    Day,
}

/// How a quota is metered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Full again at each window's start.
    #[default]
    FixedWindow,
    /// Refilled evenly.
    Bucket,
}

impl QuotaRule {
    /// Looks for keys that do not go together.
    ///
    /// # Errors
    /// The first such key, with its place.
    pub fn check(&self) -> Result<(), Misplaced> {
        match (self.kind, &self.window_seconds, &self.burst) {
            (Kind::Bucket, Some(window), _) => {
                Misplaced::at(window, "a bucket has no windows: remove `window_seconds`, or the kind")
            }
            (Kind::FixedWindow, _, Some(burst)) => {
                Misplaced::at(burst, "only a bucket has a burst: add `kind = \"bucket\"`, or remove it")
            }
            (Kind::FixedWindow, Some(window), _) if window.get_ref().0 > self.per.seconds() => {
                Misplaced::at(window, "this window is longer than the minute or day of `per`: shorten it")
            }
            _ => Ok(()),
        }
    }
}

fn yes() -> bool {
    true
}

impl Per {
    /// Its length in seconds.
    pub fn seconds(self) -> f64 {
        match self {
            Self::Minute => 60.0,
            Self::Day => 86_400.0,
        }
    }
}

/// A quota's meter. Times are seconds since the simulator's start.
#[derive(Debug, Clone)]
pub struct Meter {
    kind: Kind,
    metric: Metric,
    window: f64,
    size: f64,
    rate: f64,
    /// Used in this window, or missing from the bucket.
    used: f64,
    seen: f64,
}

impl Meter {
    /// A fresh meter for `rule`.
    pub fn new(rule: &QuotaRule) -> Self {
        let window = rule.window_seconds.as_ref().map_or(rule.per.seconds(), |seconds| seconds.get_ref().0);
        let rate = rule.limit.0 / rule.per.seconds();
        let size = match rule.kind {
            Kind::FixedWindow => rate * window,
            Kind::Bucket => rule.burst.as_ref().map_or(rule.limit.0 / 10.0, |burst| burst.get_ref().0),
        };
        Self { kind: rule.kind, metric: rule.metric, window, size: size.max(1.0), rate, used: 0.0, seen: 0.0 }
    }

    /// What a request of `tokens` costs here.
    pub fn cost(&self, tokens: u64) -> f64 {
        match self.metric {
            Metric::Requests => 1.0,
            Metric::Tokens => tokens as f64,
        }
    }

    /// Seconds to wait until `cost` fits, or `None` where it fits now. A cost above the whole size fits an unused meter,
    /// for otherwise it never would.
    pub fn wait(&mut self, now: f64, cost: f64) -> Option<f64> {
        self.refill(now);
        if self.used <= 1e-9 || self.used + cost <= self.size + 1e-9 {
            return None;
        }
        Some(match self.kind {
            Kind::FixedWindow => ((now / self.window).floor() + 1.0) * self.window - now,
            Kind::Bucket => (self.used + cost - self.size).min(self.used) / self.rate,
        })
    }

    /// Takes `cost`.
    pub fn charge(&mut self, cost: f64) {
        self.used += cost;
    }

    fn refill(&mut self, now: f64) {
        match self.kind {
            Kind::FixedWindow => {
                if (now / self.window).floor() > (self.seen / self.window).floor() {
                    self.used = 0.0;
                }
            }
            Kind::Bucket => self.used = (self.used - (now - self.seen).max(0.0) * self.rate).max(0.0),
        }
        self.seen = self.seen.max(now);
    }
}

#[cfg(test)]
mod tests {
    use toml::Spanned;

    use super::{Kind, Meter, Metric, Per, QuotaRule};
    use crate::number::Positive;

    fn meter(kind: Kind, metric: Metric, limit: f64, window: Option<f64>, burst: Option<f64>) -> Meter {
        Meter::new(&QuotaRule {
            metric,
            per: Per::Minute,
            limit: Positive(limit),
            kind,
            window_seconds: window.map(|window| Spanned::new(0..0, Positive(window))),
            burst: burst.map(|burst| Spanned::new(0..0, Positive(burst))),
            retry_info: true,
            quota_failure: true,
        })
    }

    fn admitted(meter: &mut Meter, now: f64, tokens: u64, asks: usize) -> usize {
        (0..asks)
            .filter(|_| {
                let cost = meter.cost(tokens);
                let fits = meter.wait(now, cost).is_none();
                if fits {
                    meter.charge(cost);
                }
                fits
            })
            .count()
    }

    #[test]
    fn a_window_is_full_again_at_its_start() {
        let mut meter = meter(Kind::FixedWindow, Metric::Requests, 10.0, None, None);

        assert_eq!(admitted(&mut meter, 5.0, 0, 15), 10);
        assert_eq!(meter.wait(45.0, 1.0), Some(15.0));
        assert_eq!(admitted(&mut meter, 60.0, 0, 15), 10);
    }

    #[test]
    fn a_short_window_holds_its_part_of_the_limit() {
        let mut meter = meter(Kind::FixedWindow, Metric::Requests, 3_600.0, Some(1.0), None);

        assert_eq!(admitted(&mut meter, 0.25, 0, 100), 60);
        assert_eq!(meter.wait(0.25, 1.0), Some(0.75));
    }

    #[test]
    fn a_bucket_refills_evenly() {
        let mut meter = meter(Kind::Bucket, Metric::Requests, 60.0, None, Some(10.0));

        assert_eq!(admitted(&mut meter, 0.0, 0, 15), 10);
        assert_eq!(meter.wait(0.5, 1.0), Some(0.5));
        assert_eq!(admitted(&mut meter, 3.0, 0, 15), 3);
    }

    #[test]
    fn tokens_are_counted_and_a_huge_request_is_not_refused_for_ever() {
        let mut meter = meter(Kind::FixedWindow, Metric::Tokens, 1_000.0, None, None);

        assert_eq!(admitted(&mut meter, 1.0, 400, 5), 2);
        assert_eq!(admitted(&mut meter, 61.0, 5_000, 5), 1);
    }
}
